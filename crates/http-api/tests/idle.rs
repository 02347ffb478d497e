//! Connections that fall silent end, and nothing breaks in ending them. Alone in its file, because it counts panics.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use support::{FakeKernel, Wire, ok, pass_time, start};
use tokio::io::AsyncWriteExt;
use vestal_http_api::Limits;
use vestal_logical::testing::SimClock;

/// A task that panics is otherwise as silent as one that ends.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Preface, settings, and `GET http://h/v1/kv/a` on stream 1.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\0\x04\0\0\0\0\0\
    \0\0\x0f\x01\x05\0\0\0\x01\x82\x86\x04\x08/v1/kv/a\x01\x01h";
const HTTP_1: &[u8] = b"GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn an_idle_connection_of_either_protocol_ends_and_gives_its_place_back() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    let clock = Arc::new(SimClock::default());
    for idle in [Duration::ZERO, Duration::from_secs(300)] {
        let kernel = FakeKernel::scripted(clock.clone(), |request| std::future::ready(ok(&request)).boxed());
        // With one place, the second connection is accepted only after the first has ended.
        let running =
            start(kernel.clone(), Limits { connections: 1, idle_patience: idle, ..Limits::default() });
        for request in [HTTP_1, HTTP_2, HTTP_1, HTTP_2] {
            let mut wire = Wire::open(running.address).await;
            wire.0.write_all(request).await.unwrap();
            let read = pass_time(&clock, wire.rest()).await;
            assert!(!read.is_empty(), "it was answered");
            assert_eq!(running.kernel.take_seen().len(), 1);
        }
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}
