//! Opens upstream connections before they are asked for.

use std::rc::Rc;
use std::sync::Arc;

use crate::postgres::Worker;
use crate::shared::Shared;

pub async fn run(shared: Arc<Shared>, worker: Rc<Worker>) {
    loop {
        worker.warm.open_ahead(&shared.limits).await;
    }
}
