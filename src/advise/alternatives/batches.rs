//! Key-range batches in place of one large UPDATE or DELETE.

use std::time::Duration;

use super::condition::{self, asks_the_time};
use super::ground::{Ground, listed};
use super::words::{Word, words};
use crate::advise::evidence::MANY_ROWS;
use crate::advise::record::Alternative;
use crate::quantity::grouped;
use crate::sql::record::{Action, Kind, Walk};
use crate::survey::record::TableFacts;

/// The alternative, eligible or refused with all its reasons.
pub fn batches(ground: &Ground<'_>) -> Alternative {
    let mut reasons = ground.refusals();
    let effect = &ground.statement.reading.effect;
    if effect.has_limit {
        reasons.push("it has a LIMIT, and which rows that takes depends on those that are left".to_owned());
    }
    if effect.has_order_by {
        reasons.push("it has an ORDER BY, which ranges of the key would not follow".to_owned());
    }
    if let Some(facts) = ground.facts {
        reasons.extend(key_refusal(facts));
    }
    let parts = match words(&ground.statement.text) {
        Ok(words) => {
            reasons.extend(condition::refusals(ground, &words));
            reasons.extend(order_refusals(ground, &words));
            condition::cut(ground, &words).map_err(|why| reasons.push(why)).ok()
        }
        Err(why) => {
            reasons.push(format!("its text cannot be cut: {why}"));
            None
        }
    };
    let (eligible, actions) = match (parts, ground.facts) {
        (Some((head, condition)), Some(facts)) if reasons.is_empty() => {
            let key = facts.primary_key().iter().map(|part| part.name.clone()).collect();
            let walk = Walk {
                statement: ground.statement.clone(),
                table: ground.table.clone(),
                key,
                head,
                condition,
                rows: MANY_ROWS,
                pause: Duration::ZERO,
            };
            (true, vec![Action::Walk(walk)])
        }
        _ => (false, Vec::new()),
    };
    Alternative {
        id: "batches".to_owned(),
        statement: ground.statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title: format!("batches of {} rows by primary key", grouped(MANY_ROWS)),
        eligible,
        reason: (!eligible).then(|| reasons.join("; ")),
        actions,
        without_cure: Vec::new(),
        caveats: caveats(ground),
        expected_leftovers: Vec::new(),
        counters_ahead: Default::default(),
    }
}

/// Why the primary key cannot be walked.
fn key_refusal(facts: &TableFacts) -> Option<String> {
    let key = facts.primary_key();
    if key.is_empty() {
        return Some("the table has no primary key to cut into ranges".to_owned());
    }
    if key.iter().any(|part| part.prefix.is_some() || part.expression.is_some() || part.name.is_empty()) {
        return Some("its primary key covers only part of a column, so a range could miss rows".to_owned());
    }
    // An ENUM sorts by its place in the list and compares with a text by its letters; a float does not compare exactly.
    let unfit = ["enum", "set", "float", "double", "bit"];
    let bad = key
        .iter()
        .filter_map(|part| facts.column(&part.name))
        .find(|column| unfit.contains(&column.data_type.to_ascii_lowercase().as_str()))?;
    Some(format!(
        "its primary key has the {} column {}, whose values do not compare as they sort",
        bad.data_type, bad.name
    ))
}

/// Why ranges that follow each other do not add up to the whole.
fn order_refusals(ground: &Ground<'_>, all: &[Word<'_>]) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(subquery) = all.iter().position(|word| word.is("SELECT"))
        && all[subquery..]
            .iter()
            .any(|word| word.name().is_some_and(|name| name.eq_ignore_ascii_case(&ground.table.table)))
    {
        reasons.push("a subquery reads the table itself: each batch would see what the ones before left".to_owned());
    }
    if ground.statement.reading.kind == Kind::Update {
        match assigned(ground, all) {
            None => reasons.push("its assignments were not understood".to_owned()),
            Some(columns) => {
                let key = ground.facts.map_or(&[][..], |facts| facts.primary_key());
                let moved: Vec<String> = columns
                    .into_iter()
                    .filter(|column| key.iter().any(|part| part.name.eq_ignore_ascii_case(column)))
                    .collect();
                if !moved.is_empty() {
                    let moved = listed(&moved);
                    reasons.push(format!("it changes {moved} of the primary key: rows would move into ranges to come"));
                }
            }
        }
    }
    reasons
}

/// The columns that an UPDATE assigns to; none when that cannot be told.
fn assigned(ground: &Ground<'_>, all: &[Word<'_>]) -> Option<Vec<String>> {
    let (start, end) = ground.statement.reading.effect.assignments?;
    let inside: Vec<_> = all.iter().filter(|word| word.start >= start && word.end <= end).collect();
    let (mut columns, mut depth, mut target, mut last) = (Vec::new(), 0_i32, true, None);
    for word in inside {
        match word.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => (target, last) = (true, None),
            "=" if depth == 0 && target => {
                columns.push(last.take()?);
                target = false;
            }
            _ if target => last = word.name().or(last),
            _ => {}
        }
    }
    (!columns.is_empty() && !target).then_some(columns)
}

fn caveats(ground: &Ground<'_>) -> Vec<String> {
    let mut caveats = vec![
        "It is not atomic: meanwhile the application sees some rows done and others not. Cut off half-way it leaves it at \
         that, and can be run again from where it stopped."
            .to_owned(),
        "It takes longer in all than the one statement, and writes as much binary log, in small pieces that replicas keep \
         up with."
            .to_owned(),
        format!(
            "A batch begins with {} rows and is then sized so that it takes between 0.2 and 0.5 s.",
            grouped(MANY_ROWS)
        ),
        "Rows that the application inserts meanwhile are taken or left by where their key falls.".to_owned(),
    ];
    let all = words(&ground.statement.text).unwrap_or_default();
    if asks_the_time(&all) {
        caveats.push("The time that it asks for is another one in each batch.".to_owned());
    }
    if all.iter().any(|word| word.is("SELECT")) {
        caveats
            .push("Its subquery is worked out again for each batch, and sees what others wrote meanwhile.".to_owned());
    }
    if ground.facts.is_some_and(|facts| !facts.is_transactional()) {
        caveats.push(
            "Each batch still locks the whole table, reads too, because of its engine; only not for long.".to_owned(),
        );
    }
    caveats
}
