//! Who is calling: evidence in, an [`Identity`] out, or the reason why not.
//!
//! Evidence is an X.509-SVID (`certificate`) or a token of a trusted issuer (`token`, with `keys`, `keyring`
//! and `fetch` for what verifies it). Which workload the proved caller is, is decided against the newest
//! snapshot (`matching`), whose login rules are judged when it is loaded (`rules`, `presets`).
//! Not here: sessions, sockets, TLS settings, and what an identity may do. Start reading at [`Identities`].

mod address;
mod bundle;
mod certificate;
mod constraints;
mod evidence;
mod fetch;
mod handshake;
mod json;
mod keyring;
mod keys;
mod matching;
mod path;
mod presets;
mod proof;
mod refusal;
mod remembered;
mod revoked;
mod rules;
mod shape;
mod spiffe;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use postern_link::snapshot::SecondNetwork;
use rustls::pki_types::CertificateDer;

use crate::config::{IssuerHost, Limits};

use bundle::Bundles;
use keyring::{KeyName, Keyring};
use matching::KnownIssuer;
use proof::{Generation, Proof, ProofOf, judge};
use remembered::{Digest, Network, Remembered, Verified};

pub use address::is_public;
pub use certificate::Error as CertificateError;
pub use evidence::{Evidence, EvidenceKind, Run};
pub use fetch::SetupError;
pub use handshake::client_verifier;
pub use keyring::KeysAge;
pub use matching::Known;
pub use proof::Identity;
pub use refusal::{Ended, Error, Stranger, Unregistered};
pub use revoked::RevokedPart;
pub use token::Error as TokenError;

/// What evidence is judged by: trust bundles, issuers' keys, the newest snapshot, and tokens seen before.
pub struct Identities {
    limits: Limits,
    bundles: ArcSwap<Numbered<Bundles>>,
    known: ArcSwap<Numbered<Known>>,
    keyring: Keyring,
    remembered: Remembered,
    generations: AtomicU64,
}

#[derive(Default)]
struct Numbered<T> {
    number: u64,
    value: Arc<T>,
}

impl Identities {
    /// Knows nobody yet. Reads the authorities by which issuers' hosts are verified.
    pub fn new(limits: &Limits, issuer_hosts: &[IssuerHost]) -> Result<Identities, SetupError> {
        Ok(Identities {
            limits: limits.clone(),
            bundles: ArcSwap::default(),
            known: ArcSwap::default(),
            keyring: Keyring::new(limits, issuer_hosts)?,
            remembered: Remembered::new(limits),
            generations: AtomicU64::new(1),
        })
    }

    /// Trusts these certificates for these trust domains, and no others any more.
    ///
    /// Returns what was left out because it can be no authority, in words for the log.
    pub fn set_bundles(&self, bundles: BTreeMap<String, Vec<CertificateDer<'static>>>) -> Vec<String> {
        let (bundles, left_out) = Bundles::read(bundles);
        self.bundles.store(Arc::new(Numbered {
            number: self.next_number(),
            value: Arc::new(bundles),
        }));
        left_out
    }

    /// Decides by a newer snapshot from now on. Fetches nothing: keys come when asked for, or by
    /// [`Identities::refresh_keys`].
    pub fn set_known(&self, known: Arc<Known>) {
        self.keyring
            .set_issuers(known.issuers().map(|issuer| &issuer.terms));
        self.known.store(Arc::new(Numbered {
            number: self.next_number(),
            value: known,
        }));
    }

    /// Fetches the keys that are due or wanted. The body of a background task; it never fails.
    pub async fn refresh_keys(&self) {
        self.keyring.refresh(wall_clock_ms()).await;
    }

    /// Waits until [`Identities::refresh_keys`] has something to do before its usual time.
    pub async fn keys_wanted(&self) {
        self.keyring.wanted().await;
    }

    /// How old each issuer's keys are.
    pub fn keys_ages(&self, now_ms: i64) -> Vec<KeysAge> {
        let known = self.known.load();
        let age = |issuer: &Arc<KnownIssuer>| {
            let (age_seconds, keys) = self.keyring.age(&issuer.terms, now_ms);
            KeysAge {
                issuer: issuer.name.clone(),
                age_seconds,
                keys,
            }
        };
        known.value.issuers().map(age).collect()
    }

    /// The identity behind a client's certificates, leaf first, whose key the handshake has proved.
    pub fn by_certificate(
        &self,
        chain: &[CertificateDer<'_>],
        source: IpAddr,
        now_ms: i64,
    ) -> Result<Identity, Error> {
        let (known, bundles) = (self.known.load(), self.bundles.load());
        if known.value.is_network_revoked(source) {
            return Err(Error::NetworkRevoked);
        }
        let verified =
            certificate::verify(chain, &bundles.value, &self.limits, now_ms).map_err(|failure| {
                Error::Certificate {
                    trust_domain: failure.trust_domain,
                    cause: failure.error,
                }
            })?;
        let proof = Arc::new(Proof {
            evidence: Evidence {
                kind: EvidenceKind::Certificate,
                issuer: verified.id.trust_domain().to_owned(),
                subject: verified.id.as_str().to_owned(),
                certificate_serial: verified.serial,
                token_id: String::new(),
                expires_at_ms: verified.expires_at_ms,
            },
            run: None,
            source,
            second_network: false,
            of: ProofOf::Certificate {
                authority: verified.authority,
            },
        });
        let generation = Generation {
            known: known.number,
            bundles: bundles.number,
        };
        let workload = judge(&known.value, &proof, now_ms).map_err(|judged| judged.into_error(&proof))?;
        Ok(Identity::new(&known.value, workload, proof, generation))
    }

    /// The identity behind a token. May fetch its issuer's keys, once for all who wait.
    pub async fn by_token(&self, token: &[u8], source: IpAddr, now_ms: i64) -> Result<Identity, Error> {
        if self.known.load().value.is_network_revoked(source) {
            return Err(Error::NetworkRevoked);
        }
        if token.len() > self.limits.token_bytes_max {
            let cause = TokenError::TooLong {
                bytes_max: self.limits.token_bytes_max,
            };
            return Err(Error::Token { issuer: None, cause });
        }
        let digest = keys::sha256(token);
        let verified = match self.remembered(&digest, now_ms)? {
            Some(verified) => verified,
            None => Arc::new(self.verify_token(token, now_ms).await?),
        };
        // Loaded again: a snapshot may have come while keys were fetched.
        let (known, bundles) = (self.known.load_full(), self.bundles.load());
        let generation = Generation {
            known: known.number,
            bundles: bundles.number,
        };
        if known.value.is_network_revoked(source) {
            return Err(Error::NetworkRevoked);
        }
        let Some(issuer) = known.value.issuer_on(&verified.terms) else {
            return Err(Error::Token {
                issuer: None,
                cause: TokenError::UnknownIssuer,
            });
        };
        let mut proof = Proof {
            evidence: Evidence {
                kind: EvidenceKind::Token,
                issuer: issuer.name.clone(),
                subject: verified.claims.subject.clone(),
                certificate_serial: String::new(),
                token_id: verified.claims.id.clone(),
                expires_at_ms: verified.claims.expires_at_seconds.saturating_mul(1000),
            },
            run: Some(presets::run(issuer.terms.preset, &verified.claims.all)),
            source,
            second_network: false,
            of: ProofOf::Token(Arc::clone(&verified)),
        };
        // Only a token that opens the door is remembered and has a home network.
        let workload = judge(&known.value, &proof, now_ms).map_err(|judged| judged.into_error(&proof))?;
        let issuer = issuer.name.clone();
        self.remembered.keep(digest, &verified);
        proof.second_network = self.remembered.came_from(&digest, source) == Network::Other;
        if proof.second_network && workload.second_network == SecondNetwork::Refuse {
            return Err(Error::SecondNetwork {
                issuer,
                workload: workload.name.clone(),
            });
        }
        Ok(Identity::new(&known.value, workload, Arc::new(proof), generation))
    }

    /// Whether the newest snapshot and bundles would still open a session as the same workload.
    ///
    /// Fetches no keys: a key that its issuer has withdrawn ends no session that is already open.
    pub fn still_good(&self, identity: &Identity, now_ms: i64) -> Result<Identity, Ended> {
        if now_ms >= identity.ends_at_ms() {
            return Err(identity.over(now_ms));
        }
        let (known, bundles) = (self.known.load(), self.bundles.load());
        let generation = Generation {
            known: known.number,
            bundles: bundles.number,
        };
        let proof = identity.proof();
        if let ProofOf::Certificate { authority } = &proof.of
            && !bundles
                .value
                .contains(&proof.evidence.issuer, authority, now_ms.div_euclid(1000))
        {
            return Err(Ended::AuthorityGone);
        }
        if identity.judged_by() == generation {
            return Ok(identity.clone());
        }
        if known.value.is_network_revoked(proof.source) {
            return Err(Ended::NetworkRevoked);
        }
        let workload = judge(&known.value, proof, now_ms).map_err(|judged| judged.into_ended(identity))?;
        let same = identity.workload();
        if workload.name != same.name {
            return Err(Ended::NoLongerMatches {
                workload: same.name.clone(),
            });
        }
        if proof.second_network && workload.second_network == SecondNetwork::Refuse {
            return Err(Ended::SecondNetwork {
                workload: workload.name.clone(),
            });
        }
        let again = Identity::new(&known.value, workload, Arc::clone(proof), generation);
        if now_ms >= again.ends_at_ms() {
            Err(again.over(now_ms))
        } else {
            Ok(again)
        }
    }

    async fn verify_token(&self, token: &[u8], now_ms: i64) -> Result<Verified, Error> {
        let refused = |cause| Error::Token { issuer: None, cause };
        let unverified = token::Unverified::read(token, &self.limits).map_err(refused)?;
        let known = self.known.load_full();
        let issuer = known
            .value
            .issuer(&unverified.issuer)
            .ok_or_else(|| refused(TokenError::UnknownIssuer))?;
        let refused = |cause| Error::Token {
            issuer: Some(issuer.name.clone()),
            cause,
        };
        let algorithm = unverified.algorithm(&issuer.terms).map_err(refused)?;
        let name = KeyName {
            id: unverified.key_id.as_deref(),
            algorithm,
        };
        let chosen = self
            .keyring
            .key(&issuer.terms, name, now_ms)
            .await
            .map_err(|error| match error {
                keyring::Error::Unavailable => Error::KeysUnavailable {
                    issuer: issuer.name.clone(),
                },
                keyring::Error::UnknownKey | keyring::Error::KeyNotNamed | keyring::Error::OtherKind => {
                    refused(TokenError::Key(error))
                }
            })?;
        if !chosen
            .key
            .verifies(algorithm, unverified.signed(), unverified.signature())
        {
            return Err(refused(TokenError::Signature));
        }
        // The key's own name: who has stolen it may leave it out of the token.
        let key_id = chosen
            .key
            .id()
            .or(unverified.key_id.as_deref())
            .map(str::to_owned);
        let claims = unverified
            .into_claims(&issuer.terms, &self.limits, now_ms)
            .map_err(refused)?;
        presets::check(issuer.terms.preset, &claims.all).map_err(|unfit| refused(unfit.into()))?;
        Ok(Verified {
            terms: issuer.terms.clone(),
            generation: chosen.generation,
            claims,
            key_id,
        })
    }

    /// A token that was verified before, if nothing that it was verified by has changed.
    fn remembered(&self, digest: &Digest, now_ms: i64) -> Result<Option<Arc<Verified>>, Error> {
        let Some(verified) = self.remembered.find(digest) else {
            return Ok(None);
        };
        let known = self.known.load();
        let Some(issuer) = known.value.issuer_on(&verified.terms) else {
            return Ok(None);
        };
        if self.keyring.generation(&issuer.terms, now_ms) != Some(verified.generation) {
            return Ok(None);
        }
        if let Err(cause) = verified.claims.check_time(&self.limits, now_ms) {
            if matches!(cause, TokenError::Expired) {
                self.remembered.forget(digest);
            }
            return Err(Error::Token {
                issuer: Some(issuer.name.clone()),
                cause,
            });
        }
        Ok(Some(verified))
    }

    fn next_number(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
