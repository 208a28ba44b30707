//! One of a few values, each with its share.

use super::super::draw::Draw;

/// A few values and how often each comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The values as the server reads them.
    pub values: Vec<Vec<u8>>,
    /// Where each value's share ends, in 2^-32; the last takes what is left.
    ends: Vec<u32>,
}

impl Choice {
    /// Values that all come equally often.
    pub fn even(values: Vec<Vec<u8>>) -> Self {
        let share = 1.0 / values.len().max(1) as f64;
        Self::weighted(values.into_iter().map(|value| (value, share)).collect())
    }

    /// Values with their weights; only the proportions count.
    pub fn weighted(values: Vec<(Vec<u8>, f64)>) -> Self {
        let total: f64 = values.iter().map(|(_, weight)| weight.max(0.0)).sum();
        let mut choice = Self::default();
        let mut sum = 0.0;
        for (value, weight) in values {
            sum += weight.max(0.0);
            choice.ends.push(super::super::draw::share(if total > 0.0 { sum / total } else { 1.0 }));
            choice.values.push(value);
        }
        choice
    }

    /// One value, `share` of the time `favourite`, else any of them evenly.
    pub fn favouring(favourite: &[u8], share: f64, values: Vec<Vec<u8>>) -> Self {
        let each = (1.0 - share) / values.len().max(1) as f64;
        let weigh = |value: Vec<u8>| {
            let weight = if value == favourite { share + each } else { each };
            (value, weight)
        };
        Self::weighted(values.into_iter().map(weigh).collect())
    }

    /// How many there are.
    pub fn capacity(&self) -> u64 {
        self.values.len() as u64
    }

    /// One of them by its share.
    #[inline]
    pub fn random(&self, draw: &mut Draw, out: &mut Vec<u8>) {
        let at = draw.below(1 << 32) as u32;
        let place = self.ends.partition_point(|end| *end <= at).min(self.values.len().saturating_sub(1));
        if let Some(value) = self.values.get(place) {
            out.extend_from_slice(value);
        }
    }

    /// The value number `index`.
    pub fn nth(&self, index: u64, out: &mut Vec<u8>) {
        if let Some(value) = self.values.get(index as usize) {
            out.extend_from_slice(value);
        }
    }
}

/// The members in `enum('a','b')` or `set('a','b')`, unquoted.
pub fn members(column_type: &str) -> Vec<String> {
    let mut members = Vec::new();
    let mut chars = column_type.chars().peekable();
    while let Some(next) = chars.next() {
        if next != '\'' {
            continue;
        }
        let mut member = String::new();
        while let Some(next) = chars.next() {
            match next {
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    member.push('\'');
                }
                '\'' => break,
                // Both vendors write a backslash twice here, and control characters by a letter.
                '\\' => match chars.next() {
                    Some('n') => member.push('\n'),
                    Some('r') => member.push('\r'),
                    Some('0') => member.push('\0'),
                    Some(other) => member.push(other),
                    None => {}
                },
                other => member.push(other),
            }
        }
        members.push(member);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_unquoted() {
        assert_eq!(members("enum('a','it''s','','x,y')"), ["a", "it's", "", "x,y"]);
        assert_eq!(members(r"set('a\\b','c\nd')"), ["a\\b", "c\nd"]);
        assert!(members("enum()").is_empty());
    }

    #[test]
    fn shares_are_kept() {
        let choice = Choice::favouring(b"a", 0.8, vec![b"a".to_vec(), b"b".to_vec()]);
        let mut many_a = 0;
        for row in 0..10_000 {
            let mut out = Vec::new();
            choice.random(&mut Draw::new(1, row), &mut out);
            many_a += u32::from(out == b"a");
        }
        assert!((8_800..9_200).contains(&many_a), "{many_a}");
    }
}
