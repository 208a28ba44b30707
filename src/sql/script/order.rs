//! The order of a directory's files as people count: `2.sql` before `10.sql`.

use std::cmp::Ordering;

/// Compares two names; runs of digits compare as numbers, and of equal numbers the one with fewer zeros comes first.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (run(&mut left), run(&mut right)) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => {
                let both_digits =
                    one.starts_with(|c: char| c.is_ascii_digit()) && other.starts_with(|c: char| c.is_ascii_digit());
                let order = if both_digits {
                    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
                } else {
                    one.cmp(other)
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// Takes the digits, or all but digits, that a text begins with.
fn run<'a>(text: &mut &'a str) -> Option<&'a str> {
    let digits = text.chars().next()?.is_ascii_digit();
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    Some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = ["10.sql", "2.sql", "V1_10__b.sql", "V1_9__a.sql", "002.sql", "1.sql", "a.sql", "1b.sql"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["1.sql", "1b.sql", "002.sql", "2.sql", "10.sql", "V1_9__a.sql", "V1_10__b.sql", "a.sql"]);
    }
}
