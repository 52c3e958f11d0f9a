//! Looks at every session again: when a snapshot comes, and each second for what only time changes.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::now_us;
use crate::session::Ended;
use crate::shared::Shared;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    loop {
        interval.tick().await;
        look(&shared);
    }
}

/// Ends every session that today's snapshot, bundles and clock would not open.
pub fn look(shared: &Shared) {
    let rules = shared.rules.load();
    let now_ms = now_us() / 1_000;
    for live in shared.sessions.all() {
        let target = rules.target(&live.target);
        let unheard = target.is_none_or(|target| shared.is_unheard(target));
        if unheard {
            live.end(if target.is_none() {
                Ended::TargetGone
            } else {
                Ended::Unheard
            });
            continue;
        }
        let identity = live.identity();
        match shared.identities.still_good(&identity, now_ms) {
            Ok(again) => {
                if rules.ends(live.id, &live.target) {
                    live.end(Ended::Revoked);
                } else {
                    live.set_identity(again);
                }
            }
            Err(why) => live.end(Ended::NoLongerWelcome(why)),
        }
    }
}
