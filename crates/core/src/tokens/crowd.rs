//! Who is using a token with limited uses at this moment.
//!
//! The call with the last use removes the token and all that hangs on it; calls that have paid before and still run need
//! both. Invariants: a place is given back when its owner is dropped, however that came. Knows nothing of tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vestal_logical::{Clock, Timestamp};

/// The calls under way, by token.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    places: Mutex<HashMap<String, usize>>,
    fewer: Notify,
}

/// One call's place.
#[derive(Debug)]
pub(crate) struct InUse {
    crowd: Arc<Crowd>,
    id: String,
}

impl Crowd {
    /// Takes a place.
    pub(super) fn enter(self: &Arc<Self>, id: &str) -> Arc<InUse> {
        *self.places().entry(id.to_owned()).or_default() += 1;
        Arc::new(InUse { crowd: Arc::clone(self), id: id.to_owned() })
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    /// Whether somebody else uses the token too.
    pub(super) fn is_shared(&self) -> bool {
        self.crowd.places().get(&self.id).is_some_and(|places| *places > 1)
    }

    /// Waits until nobody else uses the token, at most until `deadline`.
    pub(crate) async fn alone(&self, clock: &dyn Clock, deadline: Timestamp) {
        let last = async {
            loop {
                let fewer = self.crowd.fewer.notified();
                tokio::pin!(fewer);
                fewer.as_mut().enable();
                if self.crowd.places().get(&self.id).is_none_or(|places| *places <= 1) {
                    return;
                }
                fewer.await;
            }
        };
        tokio::select! {
            biased;
            () = last => {}
            () = clock.sleep_until(deadline) => {}
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut places = self.crowd.places();
        if let Some(left) = places.get_mut(&self.id) {
            *left -= 1;
            if *left == 0 {
                places.remove(&self.id);
            }
        }
        drop(places);
        self.crowd.fewer.notify_waiters();
    }
}
