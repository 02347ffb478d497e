//! Divides the files that the system lets a process have open, so that connections of strangers never take those that
//! the store needs: a log that cannot open its next segment refuses every write.

use rustix::process::{Resource, Rlimit};
use vestal_http_api::ListenerOptions;

/// Kept for the store, audit files and calls to providers; a quarter where even that is much.
const RESERVE: u64 = 256;

/// Takes all that the system allows, and keeps the listeners within what is left beside the reserve.
pub(super) fn provide(listeners: &mut [ListenerOptions]) {
    let Some(allowed) = raise() else { return };
    if let Some(each) = share_out(allowed, listeners) {
        tracing::warn!(
            open_files = allowed,
            connections_per_listener = each,
            "the system allows few open files, so fewer connections are accepted; raise the limit (LimitNOFILE in a systemd unit, ulimit -n in a shell)"
        );
    }
}

/// Raises the soft limit to the hard one and returns what is in force; `None` is without limit. Go's runtime does the
/// same, and systemd's defaults count on it.
fn raise() -> Option<u64> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    rustix::process::getrlimit(Resource::Nofile).current
}

/// Lowers the connections of each listener to its part, and tells that part if any had to be lowered.
fn share_out(allowed: u64, listeners: &mut [ListenerOptions]) -> Option<usize> {
    let free = allowed - (allowed / 4).min(RESERVE);
    let count = u64::try_from(listeners.len()).unwrap_or(u64::MAX).max(1);
    let each = usize::try_from(free / count).unwrap_or(usize::MAX).max(1);
    let lowered = listeners.iter().any(|listener| listener.limits.connections > each);
    for listener in listeners {
        listener.limits.connections = listener.limits.connections.min(each);
    }
    lowered.then_some(each)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use vestal_http_api::Limits;

    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_store() {
        for (allowed, listeners, told, connections) in [
            (1024, 1, Some(768), 768),
            (160, 1, Some(120), 120),
            (1024, 2, Some(384), 384),
            (1, 3, Some(1), 1),
            (4096 + 256, 1, None, 4096),
            (1 << 20, 4, None, 4096),
        ] {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let usual = ListenerOptions { address, tls: None, limits: Limits::default() };
            let mut options = vec![usual; listeners];
            assert_eq!(share_out(allowed, &mut options), told, "{allowed} {listeners}");
            assert!(options.iter().all(|listener| listener.limits.connections == connections), "{allowed}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise();
        let limit = rustix::process::getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
