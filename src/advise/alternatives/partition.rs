//! TRUNCATE PARTITION in place of a DELETE whose condition is that of whole partitions.
//!
//! Judged from the survey's definition for plain columns, TO_DAYS and YEAR; the trial has the last word.

use jiff::civil::Date;

use super::compose::Composer;
use super::condition;
use super::ground::{Ground, listed};
use super::words::{Form, Word, words};
use crate::advise::record::Alternative;
use crate::survey::record::PartitionFacts;

/// `TO_DAYS('1970-01-01')` (manual).
const EPOCH_DAY: i64 = 719_528;

/// The alternative, eligible or refused with its reason; none for a table without RANGE or LIST partitions.
pub fn partition(ground: &Ground<'_>) -> Option<Alternative> {
    let partitions = ground.facts.map(|facts| facts.partitions.as_slice()).unwrap_or_default();
    let method = partitions.first()?.method.to_ascii_uppercase();
    if !method.starts_with("RANGE") && !method.starts_with("LIST") {
        return None;
    }
    let mut reasons = ground.refusals();
    let triggers: Vec<_> = ground
        .triggers()
        .filter(|(_, trigger)| trigger.event.eq_ignore_ascii_case("delete"))
        .map(|(name, _)| name.table.clone())
        .collect();
    if !triggers.is_empty() {
        reasons.push(format!("DELETE triggers would not fire: {}", listed(&triggers)));
    }
    if ground.statement.reading.effect.has_limit {
        reasons.push("it has a LIMIT".to_owned());
    }
    let covered = covered(ground, partitions, &method).map_err(|why| reasons.push(why)).unwrap_or_default();
    let eligible = reasons.is_empty();
    // MariaDB starts AUTO_INCREMENT again, though other partitions have rows (measured on 10.11; MySQL 9.7 does not).
    let counter = ground.counter().filter(|_| eligible);
    let mut script = Composer::new(ground.statement, "partition");
    let mut bare = Composer::new(ground.statement, "partition");
    if eligible {
        if let Some(column) = counter {
            bare.truncate_partitions(ground.table, &covered);
            script.prepare_counter(ground.table, column, ground.table, 0, ground.flavor);
        }
        script.truncate_partitions(ground.table, &covered);
        if counter.is_some() {
            script.set_counter(ground.table);
        }
    }
    Some(Alternative {
        id: "partition".to_owned(),
        statement: ground.statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title: match covered.as_slice() {
            [] => "TRUNCATE PARTITION".to_owned(),
            names => format!("TRUNCATE PARTITION {}", listed(names)),
        },
        eligible,
        reason: (!eligible).then(|| reasons.join("; ")),
        actions: script.actions(),
        without_cure: bare.actions(),
        caveats: vec![
            "There is no undo: it commits by itself and keeps no row. Only a backup brings rows back.".to_owned(),
            "It waits for every open transaction that has used the table, whichever partition, and everything else, reads \
             too, waits behind it: give it a low lock_wait_timeout and try again. Transactions that began before it fail \
             with error 1412 when they next read the table."
                .to_owned(),
            "It needs the DROP privilege, where DELETE needed only DELETE. DROP PARTITION would take the partitions \
             themselves as well, which the DELETE does not."
                .to_owned(),
        ],
        expected_leftovers: Vec::new(),
        counters_ahead: Default::default(),
    })
}

/// The partitions whose rows are exactly those that the condition chooses.
fn covered(ground: &Ground<'_>, partitions: &[PartitionFacts], method: &str) -> Result<Vec<String>, String> {
    let inexact = || "its condition is not one that the survey shows to be that of whole partitions".to_owned();
    let all = words(&ground.statement.text).map_err(|why| format!("its text cannot be cut: {why}"))?;
    let (head, condition) = condition::cut(ground, &all)?;
    if words(&head)?.iter().any(|word| word.is("PARTITION")) {
        return Err("it names partitions itself".to_owned());
    }
    let condition = condition.ok_or("it removes every row, for which TRUNCATE is there")?;
    let inside = words(&condition)?;
    let (function, column) = column_of(&partitions[0].expression).ok_or_else(inexact)?;
    let facts = ground.facts.and_then(|facts| facts.column(&column)).ok_or_else(inexact)?;
    let asked = asked(&inside, &column).ok_or_else(inexact)?;
    let names: Vec<String> = match (&asked, method.starts_with("RANGE")) {
        (Asked::Below(literal), true) => {
            if facts.nullable {
                return Err(format!(
                    "rows with NULL in {column} lie in the first partition, and the DELETE leaves them"
                ));
            }
            let bound = bound(&function, literal).ok_or_else(inexact)?;
            let last = partitions.iter().position(|one| plain(&one.values) == bound).ok_or_else(inexact)?;
            partitions[..=last].iter().map(|one| one.name.clone()).collect()
        }
        (Asked::OneOf(values), false) if function.is_empty() => {
            let mut left: Vec<String> = values.iter().map(|value| plain(value)).collect();
            let mut names = Vec::new();
            for one in partitions {
                let own: Vec<String> = one.values.split(',').map(plain).collect();
                if own.iter().all(|value| left.contains(value)) {
                    left.retain(|value| !own.contains(value));
                    names.push(one.name.clone());
                }
            }
            if left.is_empty() { names } else { Vec::new() }
        }
        _ => Vec::new(),
    };
    match names.len() {
        0 => Err(inexact()),
        count if count == partitions.len() => Err("it removes the rows of every partition".to_owned()),
        _ => Ok(names),
    }
}

/// What a condition asks of the partitions' column.
enum Asked {
    /// `column < literal`.
    Below(String),
    /// `column = literal`, `column IN (literal, …)`.
    OneOf(Vec<String>),
}

fn asked(inside: &[Word<'_>], column: &str) -> Option<Asked> {
    // `t.column` as well as `column`.
    let at = inside.iter().position(|word| word.name().is_some_and(|name| name.eq_ignore_ascii_case(column)))?;
    if at > 0 && !(at == 2 && inside[1].is_symbol(".")) {
        return None;
    }
    let literal = |words: &[Word<'_>]| match words {
        [word] if word.form == Form::Text || word.text.chars().all(|c| c.is_ascii_digit()) => {
            Some(word.text.to_owned())
        }
        [sign, word] if sign.is_symbol("-") && word.text.chars().all(|c| c.is_ascii_digit()) => {
            Some(format!("-{}", word.text))
        }
        _ => None,
    };
    match &inside[at + 1..] {
        [operator, rest @ ..] if operator.is_symbol("<") => literal(rest).map(Asked::Below),
        [operator, rest @ ..] if operator.is_symbol("=") => literal(rest).map(|one| Asked::OneOf(vec![one])),
        [r#in, open, list @ .., close] if r#in.is("IN") && open.is_symbol("(") && close.is_symbol(")") => {
            let values: Option<Vec<String>> = list.split(|word| word.is_symbol(",")).map(literal).collect();
            values.map(Asked::OneOf)
        }
        _ => None,
    }
}

/// `` to_days(`created`) `` → `to_days` and `created`; a plain column has no function.
fn column_of(expression: &str) -> Option<(String, String)> {
    let words = words(expression).ok()?;
    match words.as_slice() {
        [column] => Some((String::new(), column.name()?)),
        [function, open, column, close] if open.is_symbol("(") && close.is_symbol(")") => {
            Some((function.text.to_ascii_lowercase(), column.name()?))
        }
        _ => None,
    }
}

/// The bound below which a literal puts a row, as the server writes it.
fn bound(function: &str, literal: &str) -> Option<String> {
    let value = plain(literal);
    match function {
        "" => Some(value),
        "to_days" => {
            let day: Date = value.parse().ok()?;
            let days = i64::from(Date::constant(1970, 1, 1).until(day).ok()?.get_days());
            Some((EPOCH_DAY + days).to_string())
        }
        // Only where a year begins does the condition part the years.
        "year" => value.strip_suffix("-01-01").map(str::to_owned),
        _ => None,
    }
}

/// Without quotes, and a midnight as its date.
fn plain(value: &str) -> String {
    let bare = value.trim().trim_matches('\'').trim_matches('"');
    bare.strip_suffix(" 00:00:00").unwrap_or(bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use crate::advise::record::Alternative;
    use crate::advise::specimen::{flavor, shop, statement, survey};
    use crate::survey::record::PartitionFacts;

    fn tried(text: &str, method: &str, expression: &str, values: &[&str], nullable: bool) -> Alternative {
        let mut survey = survey();
        let facts = survey.tables.get_mut(&shop("page_views")).expect("a table");
        facts.columns.iter_mut().for_each(|column| column.nullable = nullable);
        let one = |(place, values): (usize, &&str)| PartitionFacts {
            name: format!("p{place}"),
            method: method.to_owned(),
            expression: expression.to_owned(),
            values: (*values).to_owned(),
            rows: 1,
        };
        facts.partitions = values.iter().enumerate().map(one).collect();
        let all = of(&statement(7, text), None, &survey, flavor());
        all.into_iter().find(|own| own.id == "partition").expect("the partition")
    }

    #[test]
    fn a_condition_of_whole_partitions_truncates_them() {
        let days = ["739982", "740013", "MAXVALUE"];
        for (text, method, expression, values, names) in [
            (
                "created_at < '2026-02-01'",
                "RANGE COLUMNS",
                "`created_at`",
                ["'2026-01-01'", "'2026-02-01'", "MAXVALUE"],
                "p0, p1",
            ),
            ("page_views.user_id < 100", "RANGE", "`user_id`", ["100", "200", "MAXVALUE"], "p0"),
            ("created_at < '2026-02-01 00:00:00'", "RANGE", "to_days(`created_at`)", days, "p0, p1"),
            ("created_at < '2026-01-01'", "RANGE", "year(`created_at`)", ["2025", "2026", "MAXVALUE"], "p0, p1"),
            ("user_id IN (3, 1, 2)", "LIST", "`user_id`", ["1,2", "3", "4,5"], "p0, p1"),
        ] {
            let own = tried(&format!("DELETE FROM page_views WHERE {text}"), method, expression, &values, false);
            let script: Vec<&str> = own.without_cure.iter().map(|action| action.statement().text.as_str()).collect();
            let last = own.actions.last().map(|action| action.statement().text.as_str());
            assert_eq!(last, Some("DEALLOCATE PREPARE rehearse_cure"), "the counter is put back: {:?}", own.reason);
            let names = names.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let expected = format!("ALTER TABLE `shop`.`page_views` TRUNCATE PARTITION {names}");
            assert_eq!(script, [expected], "{text}: {:?}", own.reason);
        }
    }

    #[test]
    fn what_cuts_through_a_partition_or_leaves_nulls_is_refused() {
        let range = ["100", "200", "MAXVALUE"];
        for (text, nullable, why) in [
            ("user_id < 150", false, "whole partitions"),
            ("user_id <= 100", false, "whole partitions"),
            ("user_id < 100 AND id > 5", false, "whole partitions"),
            ("user_id < 100", true, "NULL in user_id"),
            ("created_at < '2026-01-01'", false, "whole partitions"),
        ] {
            let text = format!("DELETE FROM page_views WHERE {text}");
            let own = tried(&text, "RANGE", "`user_id`", &range, nullable);
            assert!(
                !own.eligible && own.reason.as_deref().is_some_and(|reason| reason.contains(why)),
                "{text}: {own:?}"
            );
        }
    }
}
