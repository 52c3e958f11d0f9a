//! Closes connections to HTTP targets that nobody has used for long.

use std::rc::Rc;
use std::time::Duration;

use crate::http::Worker;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(worker: Rc<Worker>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    loop {
        interval.tick().await;
        worker.pool.forget_old();
    }
}
