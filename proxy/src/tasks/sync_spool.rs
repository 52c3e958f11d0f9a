//! In `disk` durability: syncs what is written, everything that waits with one sync.

use std::rc::Rc;

use crate::audit::Audit;

pub async fn run(audit: Rc<Audit>) {
    loop {
        audit.sync_wanted().await;
        while let Some((file, number)) = audit.unsynced() {
            match tokio::task::spawn_blocking(move || file.sync_data()).await {
                Ok(Ok(())) => audit.synced(number),
                // What the system says it lost must not be taken for written: nothing goes on until a restart.
                Ok(Err(error)) => {
                    tracing::error!(%error, "the spool cannot be synced; nothing that waits for it goes on");
                    return;
                }
                Err(_) => return,
            }
        }
    }
}
