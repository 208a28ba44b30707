//! Thousands of look-alike statements where one would do.

use crate::advise::alternatives::words::{Word, words};
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{grouped, seconds};
use crate::sql::record::{Kind, Statement};

/// Look-alikes from which on it is worth a word.
const MANY: u64 = 1_000;
/// Look-alikes from which on it hurts.
const TOO_MANY: u64 = 10_000;
/// Rows of one look-alike up to which it counts as one row at a time: a multi-row INSERT has more.
const ROWS: u64 = 10;

/// The rule.
pub const RULE: Rule = Rule {
    id: "row-by-row",
    what: "thousands of look-alike statements change a row or so each",
    why: "Each is a round trip to the server, and outside a transaction a commit of its own, which waits for the disk: a \
          millisecond and more a row, where one statement changes ten thousand rows in a tenth of a second. What takes \
          seconds beside the server takes hours over a network, and replicas repeat every transaction.",
    instead: "One statement for a range of keys; INSERT with 1,000 rows of VALUES; LOAD DATA; or a table of the new values, \
              loaded at once and joined in an UPDATE. Where it must be row by row, commit every 1,000 rows.",
    needs: Needs::Text,
    check,
    risky: include_str!("row-by-row/risky.sql"),
    safer: include_str!("row-by-row/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    let single = matches!(subject.kind(), Kind::Insert | Kind::Replace | Kind::Update | Kind::Delete);
    if !single || effect.temporary || effect.writes.is_empty() {
        return Verdict::Clear;
    }
    let before = subject.session().alike(&subject.statement.digest);
    let count = before.map_or(0, |alike| alike.count) + subject.count();
    if count < MANY || subject.observed().is_some_and(|seen| seen.rows.affected / subject.count() > ROWS) {
        return Verdict::Clear;
    }
    // A text says them one by one: told again at each further thousand.
    if subject.count() == 1 && before.is_some() && !count.is_multiple_of(MANY) {
        return Verdict::Clear;
    }
    if subject.observed().is_none() && !takes_one_row(subject.statement) {
        return Verdict::Clear;
    }
    let committed = subject.session().transaction().is_none() && subject.session().autocommit();
    let severity = if count >= TOO_MANY || committed { Severity::Warning } else { Severity::Info };
    let took = match subject.observed() {
        Some(seen) if seen.count > 1 => {
            let all = seen.seconds + seen.commit_seconds.unwrap_or(0.0);
            format!(" (measured: {} of them took {})", grouped(seen.count), seconds(all))
        }
        _ => String::new(),
    };
    let each = if committed { "a round trip and a commit" } else { "a round trip" };
    let verb = subject.kind().name().to_uppercase();
    let table = effect.writes.first().map(ToString::to_string).unwrap_or_default();
    let message = format!(
        "costs {} times {each}{took}: as many look-alike {verb}s change {table} row by row; say it in one statement for many \
         rows, or load a table and join it",
        grouped(count)
    );
    let mut risk = Risk::new(severity, message).with("count", count).with("table", table);
    if let Some(seen) = subject.observed() {
        risk = risk.with("seconds", seen.seconds);
    }
    match before {
        Some(alike) => risk.about(alike.first.clone(), alike.first.clone()).into(),
        None => risk.into(),
    }
}

/// By its text, where it did not run: one row of VALUES, or a condition of equations only. Batches are look-alikes, too.
fn takes_one_row(statement: &Statement) -> bool {
    let effect = &statement.reading.effect;
    match (statement.reading.kind, effect.condition) {
        (Kind::Insert | Kind::Replace, _) => {
            let Ok(all) = words(&statement.text) else { return false };
            let values = all.iter().position(|word| word.is("VALUES") || word.is("VALUE")).unwrap_or(all.len());
            let rows = all[values..].windows(2).filter(|pair| pair[0].is_symbol(",") && pair[1].is_symbol("(")).count();
            effect.reads.is_empty() && rows == 0
        }
        (_, Some((start, end))) => {
            let ranges = ["BETWEEN", "IN", "LIKE", "NOT", "OR"];
            words(statement.text.get(start..end).unwrap_or_default()).is_ok_and(|all| {
                let wide = |word: &Word<'_>| {
                    word.is_symbol("<") || word.is_symbol(">") || ranges.iter().any(|own| word.is(own))
                };
                !effect.has_limit && !all.iter().any(wide)
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, statement};

    fn alike(sql: &str, place: usize, count: u64) -> Specimen {
        Specimen::of(sql).with(place, |seen| {
            seen.count = count;
            seen.seconds = 14.2;
            seen.rows.affected = count;
        })
    }

    #[test]
    fn thousands_of_commits_are_told_with_their_time() {
        let found = alike("INSERT INTO orders (customer_id) VALUES (1)", 1, 12_000).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(
            found[0].message,
            "costs 12,000 times a round trip and a commit (measured: 12,000 of them took 14.2 s): as many look-alike INSERTs \
             change shop.orders row by row; say it in one statement for many rows, or load a table and join it"
        );
        let within = alike("BEGIN; DELETE FROM orders WHERE id = 5; COMMIT", 2, 2_000).found(RULE.id);
        assert_eq!(within[0].severity, Severity::Info);
    }

    #[test]
    fn groups_that_others_part_count_together_and_are_told_once_at_the_first() {
        let sql = "INSERT INTO orders (customer_id) VALUES (1); SELECT 1; INSERT INTO orders (customer_id) VALUES (1)";
        let mut specimen = alike(sql, 1, 900);
        specimen.loud.observations[2].count = 1_500;
        specimen.loud.observations[2].statement.digest = specimen.loud.observations[0].statement.digest.clone();
        let found = specimen.found(RULE.id);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].statement.as_deref(), &found[0].evidence["count"]), (Some("s1"), &2_400.into()));
    }

    #[test]
    fn a_text_that_did_not_run_is_read_for_one_row() {
        for (sql, one) in [
            ("INSERT INTO orders (customer_id, status) VALUES (1, CONCAT('a', 'b'))", true),
            ("INSERT INTO orders (customer_id) VALUES (1), (2)", false),
            ("INSERT INTO orders (customer_id) SELECT id FROM customers WHERE id < 5", false),
            ("UPDATE orders SET status = '<' WHERE id = 5 AND customer_id = 7", true),
            ("DELETE FROM orders WHERE id > 0 AND id <= 10000", false),
            ("DELETE FROM orders WHERE id IN (1, 2)", false),
        ] {
            assert_eq!(super::takes_one_row(&statement(1, sql)), one, "{sql}");
        }
    }

    #[test]
    fn few_of_them_and_those_with_many_rows_each_are_quiet() {
        assert!(alike("DELETE FROM orders WHERE id = 5", 1, 999).found(RULE.id).is_empty());
        let many = alike("INSERT INTO orders (id) VALUES (1)", 1, 5_000).with(1, |seen| seen.rows.affected = 5_000_000);
        assert!(many.found(RULE.id).is_empty());
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
    }
}
