//! How many rows the next batch of a walk gets: as many as take neither long to wait for nor too little to get on.

/// How many times more, or fewer, rows than asked for a batch may get.
const TIMES: u64 = 10;
/// Parts of the seconds that a batch should take: between the first and the last the next batch stays as it is; else it goes
/// towards the one in the middle.
const BAND: [f64; 3] = [1.0, 1.0, 2.5];
/// The same where its seconds are what somebody else may have to wait: at most that, though batches of one size differ.
const GENTLE: [f64; 3] = [0.7, 0.85, 1.0];

/// What was cut down because of others grows again by so much with each batch.
const REGROWTH: f64 = 1.05;

/// Rows of the next batch.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// So many.
    pub rows: u64,
    fewest: u64,
    most: u64,
    /// What a batch that lost to others leaves of `most`.
    ceiling: f64,
    seconds: f64,
    /// What several sessions that waited at once leave of `seconds`.
    share: f64,
    band: [f64; 3],
}

impl Size {
    /// Begins with so many rows; a batch should take so many seconds.
    pub fn new(rows: u64, seconds: f64) -> Self {
        let rows = rows.max(1);
        let most = rows.saturating_mul(TIMES);
        Self { rows, fewest: (rows / TIMES).max(1), most, ceiling: most as f64, seconds, share: 1.0, band: BAND }
    }

    /// It may become as small as this.
    pub fn down_to(self, fewest: u64) -> Self {
        Self { fewest: self.fewest.min(fewest.max(1)), ..self }
    }

    /// It begins with no more than this, and its seconds are the most that a batch should take.
    pub fn gently(self, rows: u64) -> Self {
        Self { rows: self.rows.min(rows.max(1)), band: GENTLE, ..self }
    }

    /// It lost to others: half of it from now on, and only slowly more again.
    pub fn halve(&mut self) {
        self.rows = (self.rows / 2).max(self.fewest);
        self.ceiling = self.rows as f64;
    }

    /// So many sessions waited for it at once. One may wait as long as a batch takes, that is what its seconds are for; a queue
    /// is cut down to what each of its members would have to wait alone.
    pub fn waited_for(&mut self, sessions: u64) {
        if sessions > 1 {
            self.share = self.share.min(1.0 / sessions as f64);
        }
    }

    /// Takes in how long a batch of this size took.
    pub fn after(&mut self, seconds: f64) {
        self.ceiling = (self.ceiling * REGROWTH).min(self.most as f64);
        let [low, aim, high] = self.band.map(|part| part * self.seconds * self.share);
        self.share = (self.share * REGROWTH).min(1.0);
        if (low..=high).contains(&seconds) {
            return;
        }
        let wanted = self.rows as f64 * (aim / seconds.max(1e-6)).clamp(0.5, 2.0);
        self.rows = (wanted.min(self.ceiling) as u64).clamp(self.fewest, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_and_shrinks_towards_a_fifth_of_a_second() {
        let mut size = Size::new(10_000, 0.2);
        size.after(0.1);
        assert_eq!(size.rows, 20_000);
        size.after(0.3);
        assert_eq!(size.rows, 20_000, "within the band it stays");
        size.after(40.0);
        assert_eq!(size.rows, 10_000, "at most half at once");
        for _ in 0..10 {
            size.after(40.0);
        }
        assert_eq!(size.rows, 1_000);
        for _ in 0..10 {
            size.after(0.0);
        }
        assert_eq!(size.rows, 100_000);
    }

    #[test]
    fn one_may_wait_for_a_whole_batch_and_a_queue_for_its_share() {
        let mut size = Size::new(10_000, 0.2).gently(10_000);
        size.waited_for(1);
        size.after(0.2);
        assert_eq!(size.rows, 10_000, "that is what its seconds are for");
        size.waited_for(4);
        size.after(0.2);
        assert_eq!(size.rows, 5_000, "towards a quarter of 0.2 s, at most half at once");
        for _ in 0..40 {
            size.after(size.rows as f64 * 0.2 / 10_000.0);
        }
        assert!((7_000..=10_000).contains(&size.rows), "nobody waits any more: {}", size.rows);
    }

    #[test]
    fn after_it_lost_to_others_it_grows_slowly() {
        let mut size = Size::new(10_000, 0.2);
        size.halve();
        assert_eq!(size.rows, 5_000);
        size.after(0.01);
        assert_eq!(size.rows, 5_250, "not twice as much at once");
        let mut gentle = Size::new(10_000, 0.2).gently(1_000);
        assert_eq!(gentle.rows, 1_000, "the first batch is a small one");
        gentle.after(0.02);
        assert_eq!(gentle.rows, 2_000);
        gentle.after(0.16);
        assert_eq!(gentle.rows, 2_000, "within the band it stays");
        gentle.after(0.25);
        assert_eq!(gentle.rows, 1_360, "longer than it should take is too long");
        let mut small = Size::new(10_000, 0.2).down_to(100);
        for _ in 0..20 {
            small.halve();
        }
        assert_eq!(small.rows, 100);
    }
}
