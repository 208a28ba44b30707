//! Chance that can be repeated: a generator per column and row, so that any row can be computed alone.
//!
//! Nothing here depends on how many streams fill a table or how large their blocks are, and a child row can compute
//! the value of its parent's row without asking the server.

use rand::Rng as _;
use rand_pcg::Pcg32;

/// The generator of one cell.
#[derive(Debug)]
pub struct Draw(Pcg32);

impl Draw {
    /// The generator of the column with this seed, at this row.
    #[inline]
    pub fn new(seed: u64, row: u64) -> Self {
        Self(Pcg32::new(mix(seed ^ row.wrapping_mul(0x9E37_79B9_7F4A_7C15)), seed))
    }

    /// A number below `limit`; 0 when the limit is 0.
    #[inline]
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit <= u64::from(u32::MAX) {
            (u64::from(self.0.next_u32()) * limit) >> 32
        } else {
            ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
        }
    }

    /// A number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) as u64 + 1) as usize
    }

    /// True with this chance, given in 2^-32.
    #[inline]
    pub fn chance(&mut self, chance: u32) -> bool {
        chance != 0 && self.0.next_u32() < chance
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// A share from 0 to 1 as [`Draw::chance`] takes it.
pub fn share(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
}

/// A one-to-one scramble of 64 bits (the finaliser of SplitMix64).
#[inline]
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A one-to-one scramble of 60 bits, for values that have no room for 64.
pub fn mix60(value: u64) -> u64 {
    const MASK: u64 = (1 << 60) - 1;
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) & MASK;
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) & MASK;
    value ^ (value >> 31)
}

/// A seed from names: FNV-1a, scrambled. The separator keeps (`ab`, `c`) apart from (`a`, `bc`).
pub fn seed(parts: &[&str]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xFF]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
    mix(hash)
}

/// Which of the numbers below `size` a row gets: each exactly once, in an order that looks random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    size: u64,
    step: u64,
    start: u64,
}

impl Shuffle {
    /// An order of the numbers below `size`.
    pub fn new(size: u64, seed: u64) -> Self {
        let size = size.max(1);
        // A step near the golden section spreads neighbours widely; it must share no factor with the size.
        let mut step = ((size as f64 * 0.618_033_988_75) as u64).max(1);
        while common_factor(step, size) != 1 {
            step += 1;
        }
        Self { size, step: step % size.max(2), start: seed % size }
    }

    /// The number of a row below the size.
    #[inline]
    pub fn at(&self, row: u64) -> u64 {
        ((u128::from(row % self.size) * u128::from(self.step) + u128::from(self.start)) % u128::from(self.size)) as u64
    }
}

fn common_factor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_kept() {
        let hits = (0..10_000).filter(|row| Draw::new(seed(&["app", "t", "c"]), *row).chance(share(0.07))).count();
        assert!((600..800).contains(&hits), "{hits}");
    }

    proptest! {
        #[test]
        fn a_shuffle_gives_each_number_once(size in 1_u64..3000, seed: u64) {
            let shuffle = Shuffle::new(size, seed);
            let seen: BTreeSet<u64> = (0..size).map(|row| shuffle.at(row)).collect();
            prop_assert_eq!(seen.len() as u64, size);
            prop_assert!(seen.last().is_none_or(|last| *last < size));
        }

        #[test]
        fn a_draw_depends_on_its_seed_and_row_alone(seed: u64, row: u64, limit in 1_u64..) {
            let value = Draw::new(seed, row).below(limit);
            prop_assert!(value < limit);
            prop_assert_eq!(value, Draw::new(seed, row).below(limit));
        }

        #[test]
        fn sixty_bits_stay_sixty_and_stay_apart(a in 0_u64..1 << 60, b in 0_u64..1 << 60) {
            prop_assert!(mix60(a) < 1 << 60);
            prop_assert_eq!(a == b, mix60(a) == mix60(b));
        }
    }
}
