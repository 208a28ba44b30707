//! A union of time intervals, kept merged as they come. Pure.

/// Disjoint intervals in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spans(Vec<(f64, f64)>);

impl Spans {
    /// Takes an interval in; what it touches becomes one with it.
    pub fn add(&mut self, from: f64, to: f64) {
        if to <= from {
            return;
        }
        // Waits end in about the order in which they come, so the place is near the end.
        let first = self.0.iter().rposition(|span| span.1 < from).map_or(0, |index| index + 1);
        let past = self.0[first..].iter().position(|span| span.0 > to).map_or(self.0.len(), |index| first + index);
        let merged = self.0[first..past].iter().fold((from, to), |all, span| (all.0.min(span.0), all.1.max(span.1)));
        self.0.splice(first..past, [merged]);
    }

    /// Takes another union in.
    pub fn merge(&mut self, other: &Self) {
        for (from, to) in &other.0 {
            self.add(*from, *to);
        }
    }

    /// Seconds in all.
    pub fn total(&self) -> f64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// When the first interval begins.
    pub fn begin(&self) -> Option<f64> {
        self.0.first().map(|span| span.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_waits_count_once() {
        let mut spans = Spans::default();
        for (from, to) in [(5.0, 6.0), (1.0, 2.0), (1.5, 3.0), (3.0, 3.5), (9.0, 9.0)] {
            spans.add(from, to);
        }
        assert_eq!(spans.0, [(1.0, 3.5), (5.0, 6.0)]);
        assert!((spans.total() - 3.5).abs() < 1e-9);
        spans.add(0.0, 10.0);
        assert_eq!(spans.0, [(0.0, 10.0)]);
        assert_eq!(spans.begin(), Some(0.0));
    }
}
