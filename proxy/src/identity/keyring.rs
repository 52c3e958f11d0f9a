//! The keys of all issuers: fetched when due or asked for, one fetch at a time for each issuer.
//!
//! Strangers can ask for keys with any key id they like; so what they can cause is one fetch in a while.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use super::address::{self, HttpAddress};
use super::fetch::{self, Fetcher, SetupError};
use super::json;
use super::keys::{self, Algorithm, Key, KeySet, NoKey};
use super::matching::Terms;
use crate::config::{IssuerHost, Limits};

/// Where OpenID Connect Discovery puts an issuer's metadata, below the `iss`.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// Issuers whose keys are fetched at once by the background task.
const FETCHES_AT_ONCE_MAX: usize = 8;

/// Why there is no key to verify a token by. Whose fault it is, is in the variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's: its token names a key that the issuer does not list.
    #[error("token names a key that its issuer does not list")]
    UnknownKey,
    /// The client's: its token names no key although there are several.
    #[error("token names no key, and its issuer has several")]
    KeyNotNamed,
    /// The client's: the key it names is for another algorithm.
    #[error("token's algorithm is not the one of its key")]
    OtherKind,
    /// The issuer's: we have never had keys, or for too long no new ones.
    #[error("keys of the issuer are unavailable")]
    Unavailable,
}

/// Why keys could not be fetched. For our own eyes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error("discovery document is malformed")]
    Discovery,
    #[error("discovery document names another issuer")]
    OtherIssuer,
    #[error("discovery document puts the keys on another host: give `jwks_uri` if that is meant")]
    OtherHost,
    #[error("address of the issuer or its keys {0}")]
    Address(#[from] address::Error),
}

/// How old one issuer's keys are, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysAge {
    /// The issuer resource's name.
    pub issuer: String,
    /// Nothing if there have never been keys.
    pub age_seconds: Option<u64>,
    pub keys: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source {
    issuer: String,
    jwks_uri: Option<String>,
}

pub(super) struct Keyring {
    limits: Limits,
    fetcher: Fetcher,
    issuers: ArcSwap<HashMap<Source, Arc<IssuerKeys>>>,
    generations: AtomicU64,
    wanted: Notify,
}

/// One issuer's keys and the single turn to fetch them.
struct IssuerKeys {
    source: Source,
    current: ArcSwapOption<Fetched>,
    /// One permit: whoever holds it fetches, all others wait for the outcome.
    turn: Semaphore,
    attempted_at_ms: AtomicI64,
    /// Whether the last finished attempt brought nothing.
    failed: AtomicBool,
    /// A client wanted newer keys than there are, and nobody has brought any since.
    wanted: AtomicBool,
    /// A client went away in the middle of its fetch: the background task need not wait.
    abandoned: AtomicBool,
}

struct Fetched {
    set: KeySet,
    /// Moves when the keys differ, not with each fetch.
    generation: u64,
    at_ms: i64,
    fresh_until_ms: i64,
}

/// A key and the generation of the set it stands in.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) key: Arc<Key>,
    pub(super) generation: u64,
}

/// What a token's header says of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyName<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) algorithm: Algorithm,
}

impl Keyring {
    pub(super) fn new(limits: &Limits, issuer_hosts: &[IssuerHost]) -> Result<Keyring, SetupError> {
        Ok(Keyring {
            limits: limits.clone(),
            fetcher: Fetcher::new(limits, issuer_hosts)?,
            issuers: ArcSwap::default(),
            generations: AtomicU64::new(1),
            wanted: Notify::new(),
        })
    }

    /// Keeps the keys of issuers that stay, forgets those of issuers that are gone. Fetches nothing.
    pub(super) fn set_issuers<'a>(&self, terms: impl Iterator<Item = &'a Terms>) {
        let before = self.issuers.load();
        let issuers = terms.map(|terms| {
            let source = Source::of(terms);
            let keys = before
                .get(&source)
                .cloned()
                .unwrap_or_else(|| Arc::new(IssuerKeys::new(source.clone())));
            (source, keys)
        });
        self.issuers.store(Arc::new(issuers.collect()));
        self.wanted.notify_one();
    }

    /// The key for a token, fetched if it is not there and nobody asked the issuer lately.
    pub(super) async fn key(&self, terms: &Terms, name: KeyName<'_>, now_ms: i64) -> Result<Chosen, Error> {
        let keys = self
            .issuers
            .load()
            .get(&Source::of(terms))
            .cloned()
            .ok_or(Error::Unavailable)?;
        match self.choose(&keys, name, now_ms) {
            Ok(chosen) => {
                if keys.is_due(now_ms) {
                    self.want(&keys);
                }
                return Ok(chosen);
            }
            Err(Error::UnknownKey | Error::Unavailable) => {}
            Err(error @ (Error::KeyNotNamed | Error::OtherKind)) => return Err(error),
        }
        let _turn = keys.turn.acquire().await.map_err(|_| Error::Unavailable)?;
        // Whoever had the turn before may have brought the key.
        let missing = match self.choose(&keys, name, now_ms) {
            Err(error @ (Error::UnknownKey | Error::Unavailable)) => error,
            chosen => return chosen,
        };
        if !keys.is_rested(now_ms, &self.limits) {
            self.want(&keys);
            let failed = keys.failed.load(Ordering::Relaxed);
            return Err(if failed { Error::Unavailable } else { missing });
        }
        self.attempt(&keys, now_ms).await;
        match self.choose(&keys, name, now_ms) {
            Err(Error::UnknownKey) if keys.failed.load(Ordering::Relaxed) => Err(Error::Unavailable),
            chosen => chosen,
        }
    }

    /// The generation of an issuer's keys while they may be used.
    pub(super) fn generation(&self, terms: &Terms, now_ms: i64) -> Option<u64> {
        let issuers = self.issuers.load();
        let current = issuers.get(&Source::of(terms))?.current.load();
        let fetched = current.as_ref()?;
        fetched
            .is_usable(now_ms, &self.limits)
            .then_some(fetched.generation)
    }

    /// Fetches whatever is due or wanted; each issuer at most once in a while.
    pub(super) async fn refresh(&self, now_ms: i64) {
        let issuers: Vec<_> = self.issuers.load().values().cloned().collect();
        let refresh = |keys: Arc<IssuerKeys>| async move {
            let Ok(_turn) = keys.turn.acquire().await else {
                return;
            };
            let asked = keys.is_due(now_ms) || keys.wanted.load(Ordering::Relaxed);
            let abandoned = keys.abandoned.swap(false, Ordering::Relaxed);
            if asked && (abandoned || keys.is_rested(now_ms, &self.limits)) {
                self.attempt(&keys, now_ms).await;
            }
        };
        stream::iter(issuers)
            .for_each_concurrent(FETCHES_AT_ONCE_MAX, refresh)
            .await;
    }

    /// Waits until a client wants keys that are not there, or the issuers have changed.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    pub(super) fn age(&self, terms: &Terms, now_ms: i64) -> (Option<u64>, usize) {
        let issuers = self.issuers.load();
        let current = issuers
            .get(&Source::of(terms))
            .and_then(|keys| keys.current.load_full());
        match current {
            Some(fetched) => {
                let age_ms = now_ms.saturating_sub(fetched.at_ms);
                (Some(u64::try_from(age_ms / 1000).unwrap_or(0)), fetched.set.len())
            }
            None => (None, 0),
        }
    }

    fn choose(&self, keys: &IssuerKeys, name: KeyName<'_>, now_ms: i64) -> Result<Chosen, Error> {
        let current = keys.current.load();
        let Some(fetched) = current
            .as_ref()
            .filter(|fetched| fetched.is_usable(now_ms, &self.limits))
        else {
            return Err(Error::Unavailable);
        };
        match fetched.set.find(name.id, name.algorithm) {
            Ok(key) => Ok(Chosen {
                key: Arc::clone(key),
                generation: fetched.generation,
            }),
            Err(NoKey::Unknown) => Err(Error::UnknownKey),
            Err(NoKey::NotNamed) => Err(Error::KeyNotNamed),
            Err(NoKey::OtherKind) => Err(Error::OtherKind),
        }
    }

    fn want(&self, keys: &IssuerKeys) {
        if !keys.wanted.swap(true, Ordering::Relaxed) {
            self.wanted.notify_one();
        }
    }

    /// Invariant: the caller has the issuer's turn.
    async fn attempt(&self, keys: &IssuerKeys, now_ms: i64) {
        keys.attempted_at_ms.store(now_ms, Ordering::Relaxed);
        let mut unfinished = Unfinished {
            keyring: self,
            keys,
            finished: false,
        };
        let outcome = self.fetch(&keys.source).await;
        unfinished.finished = true;
        keys.wanted.store(false, Ordering::Relaxed);
        match outcome {
            Ok((set, fresh_seconds)) => {
                keys.failed.store(false, Ordering::Relaxed);
                self.store(keys, set, now_ms, fresh_seconds);
            }
            Err(error) => {
                keys.failed.store(true, Ordering::Relaxed);
                let cause = error.source().map(ToString::to_string);
                tracing::warn!(issuer = keys.source.issuer, %error, cause, "keys of an issuer could not be fetched");
            }
        }
    }

    fn store(&self, keys: &IssuerKeys, set: KeySet, now_ms: i64, fresh_seconds: Option<u64>) {
        let (min, max) = (
            self.limits.keys_fresh_seconds_min,
            self.limits.keys_fresh_seconds_max,
        );
        // Both bounds are the operator's: a smaller maximum wins over the minimum.
        let fresh_seconds = fresh_seconds.unwrap_or(min).max(min).min(max);
        let generation = match keys.current.load().as_ref() {
            Some(before) if before.set.is_same(&set) => before.generation,
            Some(_) | None => self.generations.fetch_add(1, Ordering::Relaxed),
        };
        let fresh_until_ms = now_ms.saturating_add(milliseconds(fresh_seconds));
        keys.current.store(Some(Arc::new(Fetched {
            set,
            generation,
            at_ms: now_ms,
            fresh_until_ms,
        })));
    }

    async fn fetch(&self, source: &Source) -> Result<(KeySet, Option<u64>), FetchError> {
        let address = match &source.jwks_uri {
            Some(uri) => HttpAddress::parse(uri)?,
            None => self.discover(&source.issuer).await?,
        };
        let document = self.fetcher.fetch(&address, self.limits.jwks_bytes_max).await?;
        let set = KeySet::read(&document.body, self.limits.jwks_keys_max)?;
        Ok((set, document.fresh_seconds))
    }

    /// Asks the issuer where its keys are. It must name itself exactly, and keep them on its own host.
    async fn discover(&self, issuer: &str) -> Result<HttpAddress, FetchError> {
        let home = HttpAddress::parse(issuer)?;
        let document = self
            .fetcher
            .fetch(&home.below(DISCOVERY_PATH), self.limits.discovery_bytes_max)
            .await?;
        let metadata = json::object(&document.body).map_err(|_| FetchError::Discovery)?;
        let text = |name| {
            metadata
                .get(name)
                .and_then(Value::as_str)
                .ok_or(FetchError::Discovery)
        };
        if text("issuer")? != issuer {
            return Err(FetchError::OtherIssuer);
        }
        let keys = HttpAddress::parse(text("jwks_uri")?)?;
        if keys.is_same_origin(&home) {
            Ok(keys)
        } else {
            Err(FetchError::OtherHost)
        }
    }
}

impl Source {
    fn of(terms: &Terms) -> Source {
        Source {
            issuer: terms.issuer.clone(),
            jwks_uri: terms.jwks_uri.clone(),
        }
    }
}

impl IssuerKeys {
    fn new(source: Source) -> IssuerKeys {
        IssuerKeys {
            source,
            current: ArcSwapOption::empty(),
            turn: Semaphore::new(1),
            attempted_at_ms: AtomicI64::new(i64::MIN),
            failed: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }
    }

    fn is_due(&self, now_ms: i64) -> bool {
        self.current
            .load()
            .as_ref()
            .is_none_or(|fetched| now_ms >= fetched.fresh_until_ms)
    }

    /// Whether the last attempt is long enough ago. A clock that stepped back by more does not stop us.
    fn is_rested(&self, now_ms: i64, limits: &Limits) -> bool {
        let attempted_at_ms = self.attempted_at_ms.load(Ordering::Relaxed);
        let rest_ms = limits.keys_refresh_seconds_min.saturating_mul(1000);
        now_ms.abs_diff(attempted_at_ms) >= rest_ms
    }
}

impl Fetched {
    fn is_usable(&self, now_ms: i64, limits: &Limits) -> bool {
        now_ms
            < self
                .fresh_until_ms
                .saturating_add(milliseconds(limits.keys_stale_seconds_max))
    }
}

/// Tells the background task when a fetch is dropped half-way, as it is with the client that waits for it.
struct Unfinished<'a> {
    keyring: &'a Keyring,
    keys: &'a IssuerKeys,
    finished: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.keys.abandoned.store(true, Ordering::Relaxed);
            self.keyring.want(self.keys);
        }
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}
