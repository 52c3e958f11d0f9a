//! What all connections of this gateway share, whatever they speak.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use postern_link::snapshot::Target;

use crate::assertion::Assertions;
use crate::audit::strangers::Strangers;
use crate::authorize::Rules;
use crate::budgets::Budgets;
use crate::config::Limits;
use crate::control::LastWord;
use crate::fingerprints::Fingerprints;
use crate::identity::Identities;
use crate::refusal::{Reason, Refusal};
use crate::session::{Ended, Sessions};
use crate::tls::ServerTls;
use crate::upstream::Credentials;

/// Built once by the house. What changes while it runs is swapped whole, so that nobody waits to read it.
pub struct Shared {
    pub gateway: String,
    pub limits: Arc<Limits>,
    pub plain_http_on_loopback: bool,
    pub assertions: Option<Assertions>,
    pub tls: ServerTls,
    pub identities: Identities,
    pub rules: ArcSwap<Rules>,
    pub credentials: ArcSwap<Credentials>,
    pub sessions: Arc<Sessions>,
    pub strangers: Strangers,
    pub last_word: LastWord,
    pub fingerprints: Fingerprints,
    pub budgets: Budgets,
}

impl Shared {
    /// Refuses a target that an operator has stopped, or that is served only while the control plane is heard.
    pub fn may_serve(&self, target: &Target, rules: &Rules) -> Result<(), Refusal> {
        if rules.is_stopped(&target.name) {
            let message = format!("target `{}` is stopped by an operator", target.name);
            return Err(
                Refusal::new(Reason::Forbidden, message).hint("the operators know why, and can lift it")
            );
        }
        if self.is_unheard(target) {
            return Err(Refusal::from(&Ended::Unheard));
        }
        Ok(())
    }

    /// Whether this gateway has not heard from its control plane for longer than the target allows.
    pub fn is_unheard(&self, target: &Target) -> bool {
        let seconds_max = target.unheard_seconds_max.into();
        self.last_word.is_older_than(Duration::from_secs(seconds_max))
    }
}
