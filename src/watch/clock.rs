//! One monotonic clock per experiment, so that all times of its timeline compare.

use std::time::{Duration, Instant};

/// Seconds since an experiment began. Copies are the same clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Seconds since it began.
    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Sleeps until that second; not at all when it is past.
    pub fn sleep_until(&self, second: f64) {
        let ahead = second - self.now();
        if ahead > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(ahead));
        }
    }
}
