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

/// Locks all memory that is used, now and later; what is only reserved, such as the depth of a stack, is locked once it is
/// used, for locking it at once would treble what an idle server takes. Where the limit is low, later memory could not be locked and asking for it would
/// end the process, so nothing is locked then.
pub(super) fn lock_memory() {
    let unlimited = rustix::process::getrlimit(Resource::Memlock).current.is_none();
    if !unlimited && !rustix::process::geteuid().is_root() {
        tracing::warn!(
            "memory is not locked: raise the limit (LimitMEMLOCK=infinity in a systemd unit), or set disable_mlock = true and encrypt swap"
        );
        return;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = rustix::mm::mlockall(all) {
        tracing::warn!(%error, "memory could not be locked; set disable_mlock = true and encrypt swap");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kilobytes, as the kernel tells them.
    fn own(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    }

    #[test]
    fn memory_is_locked_but_not_taken_before_it_is_used() {
        lock_memory();
        let before = own("VmRSS:");
        let mut reserved = Vec::<u8>::with_capacity(512 << 20);
        assert!(own("VmRSS:") < before + (256 << 10), "memory that nobody has used is resident");
        reserved.resize(1 << 20, 1);
        let may_lock = rustix::process::getrlimit(Resource::Memlock).current.is_none()
            || rustix::process::geteuid().is_root();
        assert!(!may_lock || own("VmLck:") > (1 << 10), "nothing is locked");
        assert_eq!(reserved.pop(), Some(1));
    }
}
