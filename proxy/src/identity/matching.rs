//! Which workload a proved caller is: an index of one snapshot's SPIFFE ids, issuers and login rules.
//!
//! What makes a rule unsafe is in `rules`; this file finds the one workload, or says that there is none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use postern_link::snapshot::{ClaimMatch, Issuer, Login, Preset, Snapshot, Workload};

use super::json::Object;
use super::keys::Algorithm;
use super::presets;
use super::revoked::RevokedLogins;
use super::rules::{self, Author, ClaimPath, Condition, Rule};
use super::spiffe::SpiffeId;

/// One snapshot's workloads, issuers and revocations, indexed by what callers present.
///
/// Invariant: no two workloads share a SPIFFE id, no two issuers an `iss`, and no rule of one workload
/// matches every token that a rule of another matches.
#[derive(Debug, Default)]
pub struct Known {
    workloads: Vec<Arc<Workload>>,
    spiffe: HashMap<String, usize>,
    issuers: HashMap<String, Arc<KnownIssuer>>,
    pub(super) revoked: RevokedLogins,
}

/// An issuer resource with everything its preset adds, and the login rules that name it.
#[derive(Debug)]
pub(super) struct KnownIssuer {
    pub(super) name: String,
    pub(super) terms: Terms,
    pub(super) grace_seconds: u32,
    tenant: Vec<Condition>,
    /// Every rule pins all of these; the first finds the few rules worth asking.
    stable_ids: Vec<ClaimPath>,
    rules: Vec<Rule>,
    rules_by_id: HashMap<String, Vec<usize>>,
}

/// What a token is verified by; a remembered token counts only while these are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) preset: Preset,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) jwks_uri: Option<String>,
}

/// What became of a verified token's claims.
pub(super) enum Found<'a> {
    One(&'a Arc<Workload>),
    None {
        /// The claims in which the nearest rule of the same stable id differs.
        differs: Vec<String>,
    },
    Many(Vec<String>),
}

impl Known {
    /// Indexes a snapshot. Every unsafe or useless rule is an error that says what would be right.
    pub fn build(snapshot: &Snapshot) -> Result<Known, Vec<String>> {
        let mut errors = Vec::new();
        let mut known = Known::default();
        let mut names = HashSet::new();
        for workload in &snapshot.workloads {
            if !names.insert(workload.name.as_str()) {
                errors.push(format!("workload `{}` is defined twice", workload.name));
            }
            known.workloads.push(Arc::new(workload.clone()));
        }
        let mut issuers = known_issuers(&snapshot.issuers, &mut errors);
        for (index, workload) in snapshot.workloads.iter().enumerate() {
            for (position, login) in workload.login.iter().enumerate() {
                let number = position + 1;
                let mut wrong = |message: String| {
                    errors.push(format!("workload `{}`, login {number}: {message}", workload.name));
                };
                match login {
                    Login::Spiffe { spiffe } => known.add_spiffe(spiffe, index, &mut wrong),
                    Login::Token { issuer, claims } => match issuers.get_mut(issuer) {
                        Some(issuer) => {
                            let author = Author {
                                workload,
                                index,
                                number,
                            };
                            issuer.add_rule(&author, claims, &mut wrong);
                        }
                        None if snapshot.issuers.iter().any(|known| known.name == *issuer) => {}
                        None => wrong(format!("issuer `{issuer}` is defined by no resource")),
                    },
                }
            }
        }
        for issuer in issuers.into_values() {
            issuer.check_overlaps(&known.workloads, &mut errors);
            known
                .issuers
                .insert(issuer.terms.issuer.clone(), Arc::new(issuer));
        }
        known.revoked = RevokedLogins::of(&snapshot.revoked);
        if errors.is_empty() { Ok(known) } else { Err(errors) }
    }

    pub(super) fn by_spiffe(&self, id: &str) -> Option<&Arc<Workload>> {
        self.spiffe.get(id).and_then(|index| self.workloads.get(*index))
    }

    /// The issuer resource for an exact `iss`.
    pub(super) fn issuer(&self, iss: &str) -> Option<&Arc<KnownIssuer>> {
        self.issuers.get(iss)
    }

    /// The issuer resource if a token would still be verified by these terms.
    pub(super) fn issuer_on(&self, terms: &Terms) -> Option<&Arc<KnownIssuer>> {
        self.issuer(&terms.issuer).filter(|issuer| issuer.terms == *terms)
    }

    pub(super) fn issuers(&self) -> impl Iterator<Item = &Arc<KnownIssuer>> {
        self.issuers.values()
    }

    pub(super) fn by_claims(&self, issuer: &KnownIssuer, claims: &Object) -> Found<'_> {
        let bucket = issuer
            .stable_ids
            .first()
            .and_then(|path| path.id(claims))
            .and_then(|id| issuer.rules_by_id.get(&id))
            .map_or(&[][..], Vec::as_slice);
        let change_request = presets::is_change_request(issuer.terms.preset, claims);
        let mut matched: Vec<usize> = Vec::new();
        let mut nearest: Option<Vec<String>> = None;
        for rule in bucket.iter().filter_map(|index| issuer.rules.get(*index)) {
            let differs = rule.differs(claims, change_request);
            if differs.is_empty() {
                if !matched.contains(&rule.workload) {
                    matched.push(rule.workload);
                }
            } else if nearest
                .as_ref()
                .is_none_or(|nearest| differs.len() < nearest.len())
            {
                nearest = Some(differs);
            }
        }
        let mut workloads = matched.iter().filter_map(|index| self.workloads.get(*index));
        match (workloads.next(), workloads.next()) {
            (Some(workload), None) => Found::One(workload),
            (None, _) => Found::None {
                differs: nearest.unwrap_or_default(),
            },
            (Some(_), Some(_)) => Found::Many(
                matched
                    .iter()
                    .filter_map(|index| self.workloads.get(*index))
                    .map(|one| one.name.clone())
                    .collect(),
            ),
        }
    }

    /// Whether nobody may come from here. Also for strangers: it needs no evidence.
    pub fn is_network_revoked(&self, source: IpAddr) -> bool {
        self.revoked.network(source)
    }

    fn add_spiffe(&mut self, id: &str, workload: usize, wrong: &mut dyn FnMut(String)) {
        if let Err(error) = SpiffeId::parse_workload(id) {
            wrong(format!("`{id}` opens no door: {error}"));
            return;
        }
        if let Some(other) = self.spiffe.insert(id.to_owned(), workload)
            && other != workload
            && let Some(other) = self.workloads.get(other)
        {
            wrong(format!(
                "`{id}` is workload `{}` already: one SPIFFE id, one workload",
                other.name
            ));
        }
    }
}

fn known_issuers(issuers: &[Issuer], errors: &mut Vec<String>) -> BTreeMap<String, KnownIssuer> {
    let mut known: BTreeMap<String, KnownIssuer> = BTreeMap::new();
    let mut by_iss: HashMap<String, &str> = HashMap::new();
    for issuer in issuers {
        let mut wrong = |message: String| errors.push(format!("issuer `{}`: {message}", issuer.name));
        if known.contains_key(&issuer.name) {
            wrong("is defined twice".into());
            continue;
        }
        let Some(one) = KnownIssuer::read(issuer, &mut wrong) else {
            continue;
        };
        if let Some(other) = by_iss.insert(one.terms.issuer.clone(), &issuer.name) {
            wrong(format!(
                "has the same `issuer` as `{other}`: one resource for each `iss`"
            ));
            continue;
        }
        known.insert(issuer.name.clone(), one);
    }
    known
}

impl KnownIssuer {
    fn read(issuer: &Issuer, wrong: &mut dyn FnMut(String)) -> Option<KnownIssuer> {
        let mut refused = false;
        let mut wrong = |message: String| {
            refused = true;
            wrong(message);
        };
        let facts = presets::facts(issuer.preset);
        let iss = rules::read_iss(issuer, facts, &mut wrong);
        rules::check_audience(issuer, facts, &iss, &mut wrong);
        let algorithms = rules::read_algorithms(issuer, facts, &mut wrong);
        let stable_ids = rules::read_stable_ids(issuer, facts, &mut wrong);
        let tenant = rules::read_conditions(&issuer.tenant, &mut |message| {
            wrong(format!("`tenant`: {message}"))
        });
        if refused {
            return None;
        }
        Some(KnownIssuer {
            name: issuer.name.clone(),
            terms: Terms {
                preset: issuer.preset,
                issuer: iss,
                audience: issuer.audience.clone(),
                algorithms,
                jwks_uri: issuer.jwks_uri.clone(),
            },
            grace_seconds: facts
                .grace_seconds
                .min(issuer.grace_seconds_max.unwrap_or(u32::MAX)),
            tenant,
            stable_ids,
            rules: Vec::new(),
            rules_by_id: HashMap::new(),
        })
    }

    /// The tenant's own words where the issuer's entry names it, such as `repository_owner_id=65`.
    pub(super) fn tenant_of(&self, claims: &Object) -> Option<String> {
        if self.tenant.is_empty() {
            return None;
        }
        let mut words = Vec::new();
        for condition in &self.tenant {
            words.push(condition.held(claims)?);
        }
        Some(words.join(","))
    }

    fn add_rule(
        &mut self,
        author: &Author<'_>,
        claims: &BTreeMap<String, ClaimMatch>,
        wrong: &mut dyn FnMut(String),
    ) {
        let Some(rule) = Rule::read(author, self.terms.preset, &self.stable_ids, claims, wrong) else {
            return;
        };
        let index = self.rules.len();
        for id in self
            .stable_ids
            .first()
            .into_iter()
            .flat_map(|path| rule.ids(path))
        {
            let bucket = self.rules_by_id.entry(id).or_default();
            if !bucket.contains(&index) {
                bucket.push(index);
            }
        }
        self.rules.push(rule);
    }

    /// Two rules where one matches whatever the other matches could never tell their workloads apart.
    fn check_overlaps(&self, workloads: &[Arc<Workload>], errors: &mut Vec<String>) {
        let mut told = HashSet::new();
        for bucket in self.rules_by_id.values() {
            for narrow in bucket {
                for wide in bucket.iter().filter(|wide| *wide != narrow) {
                    let (Some(narrow_rule), Some(wide_rule)) =
                        (self.rules.get(*narrow), self.rules.get(*wide))
                    else {
                        continue;
                    };
                    if narrow_rule.workload == wide_rule.workload || !wide_rule.covers(narrow_rule) {
                        continue;
                    }
                    if !told.insert((*narrow.min(wide), *narrow.max(wide))) {
                        continue;
                    }
                    let name = |rule: &Rule| workloads.get(rule.workload).map_or("", |one| one.name.as_str());
                    errors.push(format!(
                        "workload `{}`, login {}: every token that matches it also matches login {} of workload \
                         `{}`, so it could never tell which of the two is calling",
                        name(narrow_rule),
                        narrow_rule.number,
                        wide_rule.number,
                        name(wide_rule),
                    ));
                }
            }
        }
    }
}
