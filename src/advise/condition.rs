//! Which columns a condition compares as they stand, so that an index on them could serve it.

use std::collections::BTreeSet;

use super::alternatives::words::{Word, words};
use crate::sql::record::Statement;

/// Columns (lower case) by arm: one arm, or, of a condition with OR at its top, several, each of which needs an index.
pub type Arms = Vec<BTreeSet<String>>;

/// The arms of a statement's WHERE condition; `is_column` tells the columns of its table. An arm without a column can
/// only be answered by reading every row.
///
/// # Errors
/// Why it cannot be told.
pub fn arms(statement: &Statement, is_column: &dyn Fn(&str) -> bool) -> Result<Arms, &'static str> {
    let (start, end) = statement.reading.effect.condition.ok_or("it has no condition of its own")?;
    let text = statement.text.get(start..end).ok_or("its condition was not found")?;
    let all = words(text)?;
    for (word, why) in
        [("SELECT", "it has a sub-select"), ("MATCH", "it searches by full text"), ("XOR", "it has an XOR")]
    {
        if all.iter().any(|own| own.is(word)) {
            return Err(why);
        }
    }
    Ok(disjunction(&all, is_column))
}

fn disjunction(all: &[Word<'_>], is_column: &dyn Fn(&str) -> bool) -> Arms {
    split(all, &["OR", "||"]).into_iter().map(|arm| conjunction(arm, is_column)).collect()
}

fn conjunction(arm: &[Word<'_>], is_column: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for term in split(arm, &["AND", "&&"]) {
        if let Some(inner) = inside(term) {
            // Of an OR within an AND, what all of its arms share.
            let arms = disjunction(inner, is_column);
            let shared = arms.iter().skip(1).fold(arms.first().cloned().unwrap_or_default(), |all, arm| &all & arm);
            columns.extend(shared);
        } else {
            columns.extend(compared(term, is_column));
        }
    }
    columns
}

/// The parts between these words, outside of parentheses and CASE; the AND of a BETWEEN parts nothing.
fn split<'a, 'w>(all: &'w [Word<'a>], between: &[&str]) -> Vec<&'w [Word<'a>]> {
    let (mut parts, mut depth, mut from, mut ranges) = (Vec::new(), 0usize, 0, 0usize);
    let mut at = 0;
    while let Some(word) = all.get(at) {
        let double = |symbol: &str| {
            symbol.len() == 2
                && word.is_symbol(&symbol[..1])
                && all.get(at + 1).is_some_and(|next| next.is_symbol(&symbol[..1]))
        };
        if word.is_symbol("(") || word.is("CASE") {
            depth += 1;
        } else if word.is_symbol(")") || word.is("END") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && word.is("BETWEEN") {
            ranges += 1;
        } else if depth == 0 && word.is("AND") && ranges > 0 {
            ranges -= 1;
        } else if depth == 0 && between.iter().any(|own| word.is(own) || double(own)) {
            parts.push(&all[from..at]);
            at += usize::from(!word.is("AND") && !word.is("OR"));
            from = at + 1;
        }
        at += 1;
    }
    parts.push(all.get(from..).unwrap_or_default());
    parts
}

/// What one pair of parentheses around the whole holds.
fn inside<'a, 'w>(term: &'w [Word<'a>]) -> Option<&'w [Word<'a>]> {
    let [first, inner @ .., last] = term else { return None };
    let mut depth = 0usize;
    let closed = inner.iter().any(|word| {
        if word.is_symbol("(") {
            depth += 1;
        } else if word.is_symbol(")") {
            if depth == 0 {
                return true;
            }
            depth -= 1;
        }
        false
    });
    let list = inner.iter().any(|word| word.is_symbol(","));
    (first.is_symbol("(") && last.is_symbol(")") && !closed && !list).then_some(inner)
}

/// The column that a comparison narrows: `column = value` and its like, IN, BETWEEN, IS NULL, LIKE 'x%'.
fn compared(term: &[Word<'_>], is_column: &dyn Fn(&str) -> bool) -> Option<String> {
    let (column, after) = column_at(term, 0, is_column)?;
    let rest = &term[after..];
    let other_columns = |words: &[Word<'_>]| words.iter().any(|word| word.name().is_some_and(|name| is_column(&name)));
    let operator = rest.first()?;
    let value = rest.get(1);
    let narrows = if operator.is("LIKE") {
        value.is_some_and(|text| !text.text.trim_start_matches(['\'', '"']).starts_with(['%', '_']))
    } else if operator.is("IS") {
        value.is_some_and(|word| word.is("NULL"))
    } else if operator.is_symbol("<") {
        !value.is_some_and(|word| word.is_symbol(">"))
    } else {
        operator.is("IN") || operator.is("BETWEEN") || operator.is_symbol("=") || operator.is_symbol(">")
    };
    (narrows && !other_columns(&rest[1..])).then_some(column)
}

/// A column, with its table before it or not, and the place after it.
fn column_at(term: &[Word<'_>], at: usize, is_column: &dyn Fn(&str) -> bool) -> Option<(String, usize)> {
    let mut last = at;
    while term.get(last + 1).is_some_and(|word| word.is_symbol(".")) && term.get(last + 2).is_some() {
        last += 2;
    }
    let name = term.get(last)?.name()?;
    let called = term.get(last + 1).is_some_and(|word| word.is_symbol("("));
    (is_column(&name) && !called).then(|| (name.to_lowercase(), last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::statement;

    fn told(condition: &str) -> Result<Vec<String>, &'static str> {
        let columns = ["id", "user_id", "url", "created_at"];
        let is_column = |name: &str| columns.iter().any(|own| own.eq_ignore_ascii_case(name));
        let statement = statement(1, &format!("DELETE FROM page_views WHERE {condition}"));
        let arms = arms(&statement, &is_column)?;
        Ok(arms.iter().map(|arm| arm.iter().cloned().collect::<Vec<_>>().join("+")).collect())
    }

    #[test]
    fn columns_that_are_compared_as_they_stand_narrow() {
        for (condition, expected) in [
            ("id = 5", vec!["id"]),
            ("`page_views`.`User_Id` = 5 AND url <> 'x'", vec!["user_id"]),
            ("id BETWEEN 1 AND 5 AND user_id IN (1, 2)", vec!["id+user_id"]),
            ("id > 0 AND id <= 10000 AND user_id % 10 <> 0", vec!["id"]),
            ("(id = 1 OR id = 2) AND LOWER(url) = 'x'", vec!["id"]),
            ("user_id = 1 OR url = 'x'", vec!["user_id", "url"]),
            ("created_at < NOW() - INTERVAL 30 DAY", vec!["created_at"]),
            ("DATE(created_at) = '2026-01-01'", vec![""]),
            ("user_id + 1 = 5", vec![""]),
            ("user_id = id", vec![""]),
            ("url LIKE '%x'", vec![""]),
            ("url LIKE 'x%'", vec!["url"]),
            ("url IS NULL", vec!["url"]),
            ("url IS NOT NULL", vec![""]),
            ("NOT id = 5", vec![""]),
            ("CASE WHEN id = 1 AND url = 2 THEN 1 END", vec![""]),
        ] {
            assert_eq!(told(condition), Ok(expected.into_iter().map(str::to_owned).collect()), "{condition}");
        }
    }

    #[test]
    fn what_the_text_does_not_tell_is_said() {
        assert!(told("id IN (SELECT 1)").is_err());
        assert!(told("MATCH (url) AGAINST ('x')").is_err());
        assert!(told("id = 1 XOR user_id = 2").is_err());
    }
}
