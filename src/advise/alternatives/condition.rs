//! The condition of an UPDATE or DELETE: where it stands, and whether it may be said in other words.

use super::ground::{Ground, listed};
use super::words::Word;

/// Functions whose answer is another one each time, or depends on what the session did before.
const UNSTEADY: [&str; 13] = [
    "RAND",
    "UUID",
    "UUID_SHORT",
    "RANDOM_BYTES",
    "SYS_GUID",
    "LAST_INSERT_ID",
    "ROW_COUNT",
    "FOUND_ROWS",
    "NEXTVAL",
    "LASTVAL",
    "SETVAL",
    "GET_LOCK",
    "SLEEP",
];

/// Functions that tell the time: one time for a statement, another for each batch.
const CLOCK: [&str; 12] = [
    "NOW",
    "SYSDATE",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURDATE",
    "CURTIME",
    "UTC_TIMESTAMP",
    "UTC_DATE",
    "UNIX_TIMESTAMP",
];

/// It asks what time it is.
pub fn asks_the_time(all: &[Word<'_>]) -> bool {
    all.iter().any(|word| CLOCK.iter().any(|clock| word.is(clock)))
}

/// Why the text does not mean the same when it is said in other words, or more than once.
pub fn refusals(ground: &Ground<'_>, all: &[Word<'_>]) -> Vec<String> {
    let mut reasons = Vec::new();
    if all.first().is_some_and(|word| word.is("WITH")) {
        reasons.push("it begins with a WITH, which would be worked out anew".to_owned());
    }
    if all.iter().any(|word| word.is("RETURNING")) {
        reasons.push("it returns the rows that it changes".to_owned());
    }
    let is_call = |place: usize| all.get(place + 1).is_some_and(|next| next.is_symbol("("));
    let called = |names: &[&str]| -> Vec<String> {
        let calls = all.iter().enumerate().filter(|(place, word)| is_call(*place) && names.iter().any(|n| word.is(n)));
        calls.map(|(_, word)| word.text.to_ascii_uppercase()).collect()
    };
    let unsteady = called(&UNSTEADY);
    if !unsteady.is_empty() {
        reasons.push(format!("{} answers differently each time", listed(&unsteady)));
    }
    let routines: Vec<String> = all
        .iter()
        .enumerate()
        .filter(|(place, _)| is_call(*place))
        .filter_map(|(_, word)| word.name())
        .filter(|name| ground.survey.routines.keys().any(|routine| routine.table.eq_ignore_ascii_case(name)))
        .collect();
    if !routines.is_empty() {
        reasons.push(format!("it calls the stored function {}, which may do anything", listed(&routines)));
    }
    let at = |place: usize| all.get(place).is_some_and(|word| word.is_symbol("@"));
    if (0..all.len()).any(|place| at(place) && !at(place + 1) && (place == 0 || !at(place - 1))) {
        reasons.push("it uses user variables, which carry values from row to row".to_owned());
    }
    reasons
}

/// What stands before the condition, and the condition.
///
/// # Errors
/// Why that is not clear.
pub fn cut(ground: &Ground<'_>, all: &[Word<'_>]) -> Result<(String, Option<String>), String> {
    let text = &ground.statement.text;
    let effect = &ground.statement.reading.effect;
    let all = match all {
        [most @ .., last] if last.is_symbol(";") => most,
        all => all,
    };
    let Some((start, end)) = effect.condition else {
        let last = all.last().ok_or("it has no text")?;
        return match effect.has_where {
            true => Err("where its condition stands is not known".to_owned()),
            false => Ok((text[..last.end].to_owned(), None)),
        };
    };
    let odd = || "where its condition stands is not clear".to_owned();
    let head: Vec<_> = all.iter().filter(|word| word.end <= start).collect();
    let inside: Vec<_> = all.iter().filter(|word| word.start >= start && word.end <= end).collect();
    let [.., before, r#where] = head.as_slice() else { return Err(odd()) };
    let (Some(first), Some(last)) = (inside.first(), inside.last()) else { return Err(odd()) };
    if !r#where.is("WHERE") || head.len() + inside.len() != all.len() {
        return Err(odd());
    }
    Ok((text[..before.end].to_owned(), Some(text[first.start..last.end].to_owned())))
}
