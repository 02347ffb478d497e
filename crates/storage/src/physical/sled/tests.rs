use std::sync::Arc;

use super::{SledOptions, SledStore};
use crate::Physical;
use crate::testing::conformance::{Subject, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sled_store_conforms() {
    run(async || {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let options = SledOptions::new(directory.path().join("store"));
        let store: Arc<dyn Physical> = Arc::new(SledStore::open(&options).unwrap());
        let reopen = move || -> futures::future::BoxFuture<'static, Arc<dyn Physical>> {
            let _kept = &directory;
            let store: Arc<dyn Physical> = Arc::new(SledStore::open(&options).unwrap());
            Box::pin(std::future::ready(store))
        };
        Subject::durable(store, Box::new(reopen))
    })
    .await;
}
