//! Keeps keys out of swap and core dumps, where the system allows it.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// No core dumps, no attaching debugger.
pub(super) fn forbid_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process could not be made undumpable");
    }
}

/// Locks all memory, now and later. Where the limit is low, later memory could not be locked and asking for it would
/// end the process, so nothing is locked then.
pub(super) fn lock_memory() {
    let unlimited = rustix::process::getrlimit(Resource::Memlock).current.is_none();
    if !unlimited && !rustix::process::geteuid().is_root() {
        tracing::warn!(
            "memory is not locked: raise the limit (LimitMEMLOCK=infinity in a systemd unit), or set disable_mlock = true and encrypt swap"
        );
        return;
    }
    if let Err(error) = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        tracing::warn!(%error, "memory could not be locked; set disable_mlock = true and encrypt swap");
    }
}
