//! Partitions that are dropped, rebuilt or exchanged.

use crate::advise::altered::Altered;
use crate::advise::alternatives::words::{Word, words};
use crate::advise::evidence::{Figure, MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::quantity::seconds;
use crate::sql::record::{AlterClass, AlterClause, TableName};
use crate::survey::record::{Basis, PartitionFacts};

/// The rule.
pub const RULE: Rule = Rule {
    id: "partition-change",
    what: "partitions are dropped, emptied, rebuilt or exchanged",
    why: "DROP and TRUNCATE PARTITION remove their rows at once and for good. REORGANIZE copies the rows of the partitions that \
          it names; ADD PARTITION on HASH or KEY, COALESCE, PARTITION BY, REMOVE PARTITIONING and OPTIMIZE PARTITION write \
          the whole table anew. EXCHANGE reads every row of the other table, and WITHOUT VALIDATION lets rows into a \
          partition where no query finds them. All of them wait for every transaction on the table, whichever partition it \
          read, and all later queries queue behind.",
    instead: "Keep the rows of a partition that goes (EXCHANGE PARTITION with a new empty table). Split the last partition \
              while it is empty. Do one change a time with a low lock_wait_timeout, and partition a table that is not yet \
              with an online copy tool.",
    needs: Needs::Text,
    check,
    risky: include_str!("partition-change/risky.sql"),
    safer: include_str!("partition-change/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject) else { return Verdict::Clear };
    let clauses = here.clauses_of(&[AlterClass::Partition]);
    clauses.filter_map(|clause| risk(subject, &here, clause)).collect::<Vec<_>>().into()
}

fn risk(subject: &Subject<'_>, here: &Altered<'_>, clause: &AlterClause) -> Option<Risk> {
    let list = words(&clause.text).ok()?;
    let verb = list.first()?.text.to_ascii_uppercase();
    let is = |word: &str| list.iter().any(|known| known.is(word));
    let facts = subject.facts(here.table).map_or(&[][..], |facts| &facts.partitions);
    match verb.as_str() {
        "DROP" | "TRUNCATE" => Some(destroyed(here, &verb, &named(&list), facts)),
        "CONVERT" if list.get(1).is_some_and(|word| word.is("PARTITION")) => {
            Some(destroyed(here, &verb, &named(&list), facts))
        }
        "REORGANIZE" if named(&list).is_empty() => rebuilt(subject, here, "REORGANIZE PARTITION", None),
        "REORGANIZE" => {
            let rows = rows_of(&named(&list), facts);
            rebuilt(subject, here, "REORGANIZE PARTITION", rows)
        }
        "COALESCE" => rebuilt(subject, here, "COALESCE PARTITION", None),
        "PARTITION" => rebuilt(subject, here, "PARTITION BY", None),
        "REMOVE" => rebuilt(subject, here, "REMOVE PARTITIONING", None),
        "OPTIMIZE" => rebuilt(subject, here, "OPTIMIZE PARTITION", None),
        "REBUILD" => rebuilt(subject, here, "REBUILD PARTITION", rows_of(&named(&list), facts)),
        // A new range or list begins empty; a new hash takes rows of all others.
        "ADD" if !is("VALUES") => rebuilt(subject, here, "ADD PARTITION", None),
        "EXCHANGE" => exchanged(subject, here, is("WITHOUT")),
        _ => None,
    }
}

/// The partitions that stand after `DROP PARTITION` and its like; empty for ALL, too.
fn named(list: &[Word<'_>]) -> Vec<String> {
    let until = ["INTO", "WITH", "TO"];
    let rest = list.iter().skip(2).take_while(|word| !until.iter().any(|end| word.is(end)) && !word.is_symbol("("));
    let names = rest.filter(|word| !word.is("IF") && !word.is("EXISTS") && !word.is("ALL")).filter_map(Word::name);
    names.collect()
}

/// The surveyed rows of these partitions, of all when none is named; none where nobody looked.
fn rows_of(names: &[String], facts: &[PartitionFacts]) -> Option<Figure> {
    let meant =
        |fact: &&PartitionFacts| names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(&fact.name));
    let rows: Vec<u64> = facts.iter().filter(meant).map(|fact| fact.rows).collect();
    // A definition that was read from a text knows no rows.
    let counted = facts.iter().any(|fact| fact.rows > 0);
    (counted && !rows.is_empty()).then(|| Figure { rows: rows.iter().sum(), basis: Basis::Estimated, rehearsed: None })
}

fn destroyed(here: &Altered<'_>, verb: &str, names: &[String], facts: &[PartitionFacts]) -> Risk {
    let table = here.table;
    let which = if names.is_empty() { "all partitions".to_owned() } else { names.join(", ") };
    let rows = rows_of(names, facts);
    let (severity, held) = match rows {
        Some(figure) if figure.rows == 0 => (Severity::Info, "no rows by the statistics".to_owned()),
        Some(figure) => (Severity::Warning, phrase::rows(figure)),
        None => (Severity::Warning, "all rows".to_owned()),
    };
    let message = format!(
        "destroys {held} in {which} of {table}: {verb} PARTITION commits at once and only a backup brings them back; exchange \
         the partition with a new empty table first, which keeps its rows"
    );
    let risk = Risk::new(severity, message).with("table", table.to_string()).with("partitions", names.to_vec());
    rows.into_iter().fold(risk, |risk, rows| risk.with("rows", rows.rows).with("rows_basis", phrase::basis(rows.basis)))
}

fn rebuilt(subject: &Subject<'_>, here: &Altered<'_>, what: &str, only: Option<Figure>) -> Option<Risk> {
    let Altered { table, size, .. } = here;
    let harm = phrase::harm(subject);
    let small = only.map_or(size.is_small(), |figure| figure.rows <= MANY_ROWS);
    if small && harm.is_none() {
        return None;
    }
    let some = matches!(what, "REORGANIZE PARTITION" | "REBUILD PARTITION");
    let all = match only {
        Some(figure) => phrase::rows(figure),
        None if some => format!("rows among {}", size.all()),
        None => size.all(),
    };
    let took = subject.seconds().map_or_else(String::new, |time| format!(" in {}", seconds(time)));
    let cause = format!("{what} writes {all} of {table} anew{took}");
    let cure = "work on partitions while they are empty, or use an online copy tool; set a low lock_wait_timeout, for it \
                waits for every transaction on the table";
    let message = phrase::message(harm, cause, Some(cure.to_owned()));
    Some(size.on(table, Risk::new(subject.weigh(Severity::Warning), message)))
}

fn exchanged(subject: &Subject<'_>, here: &Altered<'_>, unchecked: bool) -> Option<Risk> {
    let table = here.table;
    let other: &TableName = subject.statement.reading.effect.writes.iter().find(|other| *other != table)?;
    let size = Size::of(subject, other);
    if size.is_empty() {
        return None;
    }
    let message = if unchecked {
        format!(
            "rows of {other} that do not belong there are lost to queries of {table}: EXCHANGE PARTITION WITHOUT VALIDATION \
             looks at none of {}; count those out of range before",
            size.all()
        )
    } else if size.is_small() {
        return None;
    } else {
        format!(
            "EXCHANGE PARTITION reads {} of {other} while {table} is locked; count the rows out of range before, then exchange \
             WITHOUT VALIDATION",
            size.all()
        )
    };
    let message = phrase::message(phrase::harm(subject), message, None);
    Some(size.on(other, Risk::new(subject.weigh(Severity::Warning), message)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop, table};

    fn found(sql: &str) -> Vec<(Severity, String)> {
        let mut specimen = Specimen::of(sql);
        let mut readings = table(3_000_000, &[("id", "bigint"), ("taken", "date")]);
        for (name, rows) in [("p2025", 2_000_000), ("p2026", 1_000_000), ("pnext", 0)] {
            let facts =
                json!({"name": name, "method": "RANGE COLUMNS", "expression": "taken", "values": "", "rows": rows});
            readings.partitions.push(serde_json::from_value(facts).expect("a partition"));
        }
        specimen.survey.tables.insert(shop("readings"), readings);
        let found = specimen.found("partition-change").into_iter();
        found.map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn rows_that_go_with_their_partition_are_told_and_an_exchange_keeps_them() {
        let risky = found(RULE.risky);
        assert_eq!(risky[0].0, Severity::Warning);
        assert!(
            risky[0]
                .1
                .starts_with("destroys about 2,000,000 rows (by the survey, not measured) in p2025 of shop.readings: DROP PARTITION commits"),
            "{}",
            risky[0].1
        );
        assert!(found(RULE.safer).is_empty());
        assert!(
            found("ALTER TABLE readings TRUNCATE PARTITION ALL")[0].1.starts_with("destroys about 3,000,000 rows (by")
        );
        assert_eq!(found("ALTER TABLE readings DROP PARTITION pnext")[0].0, Severity::Info);
    }

    #[test]
    fn only_what_moves_rows_is_a_rebuild() {
        let split = "ALTER TABLE readings REORGANIZE PARTITION pnext INTO (PARTITION p2027 VALUES LESS THAN ('2028-01-01'), \
                     PARTITION pnext VALUES LESS THAN (MAXVALUE))";
        assert!(found(split).is_empty(), "it is empty");
        let moved = found(&split.replace("PARTITION pnext INTO", "PARTITION p2026, pnext INTO"));
        assert!(moved[0].1.starts_with("REORGANIZE PARTITION writes about 1,000,000 rows (by"));
        assert!(found("ALTER TABLE readings ADD PARTITION (PARTITION p2030 VALUES LESS THAN (9))").is_empty());
        assert_eq!(found("ALTER TABLE readings ADD PARTITION PARTITIONS 4").len(), 1);
        assert_eq!(found("ALTER TABLE page_views PARTITION BY HASH (id) PARTITIONS 8").len(), 1);
        assert_eq!(
            found("ALTER TABLE readings EXCHANGE PARTITION pnext WITH TABLE orders WITHOUT VALIDATION").len(),
            1
        );
    }
}
