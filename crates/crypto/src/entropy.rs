//! Where random bytes come from: the operating system, or a seed when a run must be repeatable.
//!
//! Invariants: [`OsEntropy`] never hands out a byte that the operating system did not vouch for; a seeded
//! source exists only with the feature `testing`. It does not know what the bytes are for.

/// A source of random bytes. Everything random in the program is asked from one of these, so that tests can
/// repeat it.
pub trait Entropy: Send + Sync {
    /// Overwrites all of `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the operating system for randomness"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // No caller could do better than stop: a predictable key or nonce gives away everything sealed
            // with it, and a panic could be caught and lived through with the buffer unfilled.
            std::process::abort();
        }
    }
}

/// `N` random bytes by value.
pub fn array<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// Repeatable bytes: SHA-256 of seed and counter. The same seed and the same order of calls give the same
/// bytes; threads may share it, and never receive the same block twice.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    blocks: std::sync::atomic::AtomicU64,
}

#[cfg(any(test, feature = "testing"))]
impl SeededEntropy {
    /// A source that starts at its first block.
    pub fn new(seed: u64) -> Self {
        Self { seed, blocks: std::sync::atomic::AtomicU64::new(0) }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        use sha2::{Digest, Sha256};
        for chunk in bytes.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let digest = Sha256::new()
                .chain_update(b"vestal seeded entropy")
                .chain_update(self.seed.to_be_bytes())
                .chain_update(block.to_be_bytes())
                .finalize();
            for (to, from) in chunk.iter_mut().zip(digest) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let (one, same, other) = (SeededEntropy::new(7), SeededEntropy::new(7), SeededEntropy::new(8));
        let first: [u8; 70] = array(&one);
        assert_eq!(first, array(&same));
        assert_ne!(first, array(&other));
        assert_ne!(first, array(&one), "a source does not repeat itself");
    }

    #[test]
    fn threads_that_share_a_seed_never_get_the_same_block() {
        let source = SeededEntropy::new(1);
        let mut blocks: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..200).map(|_| array(&source)).collect::<Vec<_>>()))
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        blocks.sort_unstable();
        blocks.dedup();
        assert_eq!(blocks.len(), 800);
    }

    #[test]
    fn the_operating_system_fills_every_byte_of_a_buffer() {
        let mut ever_set = [0_u8; 64];
        for _ in 0..64 {
            let bytes: [u8; 64] = array(&OsEntropy);
            ever_set.iter_mut().zip(bytes).for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(ever_set.iter().all(|seen| *seen != 0));
    }
}
