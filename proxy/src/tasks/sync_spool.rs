//! In `disk` durability: syncs what is written, everything that waits with one sync.

use std::io;
use std::rc::Rc;

use crate::audit::Audit;

pub async fn run(audit: Rc<Audit>) {
    loop {
        audit.sync_wanted().await;
        if let Err(error) = sync(&audit).await {
            tracing::error!(%error, "the spool cannot be synced: requests are refused until a restart");
            audit.fail_sync();
            return;
        }
    }
}

async fn sync(audit: &Audit) -> io::Result<()> {
    while let Some((files, number)) = audit.unsynced()? {
        let synced = tokio::task::spawn_blocking(move || files.iter().try_for_each(std::fs::File::sync_data));
        synced.await??;
        audit.synced(number);
    }
    Ok(())
}
