//! Tokens that have been verified, until they expire: their claims, and the network they came from first.
//!
//! What is kept is never the token, and never which workload it is: that is decided for each snapshot.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use quick_cache::sync::Cache;

use super::matching::Terms;
use super::token::Claims;
use crate::config::Limits;

const NETWORK_BITS_V4: u8 = 24;
const NETWORK_BITS_V6: u8 = 64;

/// A token whose signature was verified under these terms with this generation of its issuer's keys.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) terms: Terms,
    pub(super) generation: u64,
    pub(super) claims: Claims,
    /// The `kid` of the key that signed it, if it names one.
    pub(super) key_id: Option<String>,
}

/// The name of a token: its SHA-256.
pub(super) type Digest = [u8; 32];

pub(super) struct Remembered {
    tokens: Cache<Digest, Arc<Verified>>,
    /// Where each token came from first; kept when it is verified again under newer keys.
    homes: Cache<Digest, IpNet>,
}

impl Remembered {
    pub(super) fn new(limits: &Limits) -> Remembered {
        Remembered {
            tokens: Cache::new(limits.tokens_cached_max),
            homes: Cache::new(limits.tokens_cached_max),
        }
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<Arc<Verified>> {
        self.tokens.get(digest)
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.tokens.remove(digest);
        self.homes.remove(digest);
    }

    /// Keeps a token that opened a door. Strangers' tokens are not worth the room.
    pub(super) fn keep(&self, digest: Digest, verified: &Arc<Verified>) {
        if self
            .tokens
            .peek(&digest)
            .is_none_or(|before| !Arc::ptr_eq(&before, verified))
        {
            self.tokens.insert(digest, Arc::clone(verified));
        }
    }

    /// Notes where a token came from, and tells whether that is another network than its first.
    pub(super) fn came_from(&self, digest: &Digest, source: IpAddr) -> Network {
        let Some(network) = network_of(source) else {
            return Network::Other;
        };
        let Ok(home) = self
            .homes
            .get_or_insert_with(digest, || Ok::<_, Infallible>(network));
        if home == network {
            Network::First
        } else {
            Network::Other
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.tokens.len().max(self.homes.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    First,
    Other,
}

fn network_of(source: IpAddr) -> Option<IpNet> {
    let source = source.to_canonical();
    let bits = if source.is_ipv4() {
        NETWORK_BITS_V4
    } else {
        NETWORK_BITS_V6
    };
    IpNet::new(source, bits).ok().map(|network| network.trunc())
}
