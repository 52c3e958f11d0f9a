//! What a caller proved, as plain facts: for records, policies and the words of refusals.

use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    Certificate,
    Token,
}

impl EvidenceKind {
    /// The word for it in records and in policies.
    pub fn name(self) -> &'static str {
        match self {
            EvidenceKind::Certificate => "certificate",
            EvidenceKind::Token => "token",
        }
    }
}

/// Verified evidence, without anything that could be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// The issuer resource's name, or the trust domain.
    pub issuer: String,
    /// The SPIFFE id, or the token's `sub`.
    pub subject: String,
    /// In hexadecimal, lower case; empty for tokens.
    pub certificate_serial: String,
    /// The token's `jti`; empty if it has none, and for certificates.
    pub token_id: String,
    /// When the evidence itself ends, without grace.
    pub expires_at_ms: i64,
}

/// Facts of the pipeline run, from the verified token only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The preset's name.
    pub provider: Cow<'static, str>,
    pub repository: Option<String>,
    pub repository_id: Option<String>,
    /// Called `ref` in policies and records.
    pub reference: Option<String>,
    pub sha: Option<String>,
    pub workflow: Option<String>,
    pub environment: Option<String>,
    pub event: Option<String>,
    pub actor: Option<String>,
    pub run_id: Option<String>,
    pub attempt: Option<String>,
    pub job: Option<String>,
}

impl Run {
    /// The facts that are known, by the names that policies and records use.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let optional = [
            ("repository", &self.repository),
            ("repository_id", &self.repository_id),
            ("ref", &self.reference),
            ("sha", &self.sha),
            ("workflow", &self.workflow),
            ("environment", &self.environment),
            ("event", &self.event),
            ("actor", &self.actor),
            ("run_id", &self.run_id),
            ("attempt", &self.attempt),
            ("job", &self.job),
        ];
        let known = optional
            .into_iter()
            .filter_map(|(name, fact)| Some((name, fact.as_deref()?)));
        std::iter::once(("provider", self.provider.as_ref())).chain(known)
    }
}
