//! A bulk insert that keeps the AUTO_INCREMENT lock of its target.

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::rules::insert_select_locks_source::copies;
use crate::quantity::seconds;
use crate::server::flavor::Vendor;
use crate::sql::record::Kind;
use crate::watch::record::ProbeKind;

/// The rule.
pub const RULE: Rule = Rule {
    id: "insert-select-blocks-inserts",
    what: "an INSERT … SELECT or LOAD DATA blocks every other insert into its table (innodb_autoinc_lock_mode 0 or 1)",
    why: "With innodb_autoinc_lock_mode=1, MariaDB's default and MySQL's until 5.7, a statement that inserts a number of rows \
          that nobody knows beforehand holds the table's AUTO-INC lock until it ends, so that its numbers have no gaps. Every \
          other insert into the table waits for all of it (measured: 1.03 s on MariaDB, 0.12 s on MySQL 8 and later, where \
          the mode is 2).",
    instead: "Insert by ranges of the source's key, a few thousand rows each; or set innodb_autoinc_lock_mode=2 with \
              binlog_format=ROW.",
    needs: Needs::Survey,
    check,
    risky: include_str!("insert-select-blocks-inserts/risky.sql"),
    safer: include_str!("insert-select-blocks-inserts/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let bulk = copies(subject) && subject.kind() != Kind::CreateTable || subject.kind() == Kind::LoadData;
    if !bulk || mode(subject) == Some(2) {
        return Verdict::Clear;
    }
    let effect = &subject.statement.reading.effect;
    let Some(table) = effect.writes.first().filter(|table| !subject.created_here(table)) else { return Verdict::Clear };
    let numbered = |facts: &crate::survey::record::TableFacts| facts.columns.iter().any(|column| column.auto_increment);
    if !subject.facts(table).is_some_and(|facts| facts.is_transactional() && numbered(facts)) {
        return Verdict::Clear;
    }
    let waited = subject.loud.map_or(&[][..], |loud| &loud.blocked).iter().find(|blocked| {
        blocked.table == *table && blocked.probe == ProbeKind::Insert && subject.evidence.is_blocked(blocked)
    });
    let inserted = subject.observed().map(|seen| seen.rows.affected / subject.count());
    let sources = || effect.reads.iter().filter_map(|table| subject.rows_of(table)).map(|figure| figure.rows).max();
    let many = match inserted {
        Some(rows) => rows > MANY_ROWS,
        None => !effect.has_limit && !effect.has_where && sources().is_none_or(|rows| rows > MANY_ROWS),
    };
    if waited.is_none() && !many {
        return Verdict::Clear;
    }
    let harm = match waited {
        Some(wait) => {
            format!(
                "blocks inserts into {table} for {} {}",
                seconds(wait.longest_seconds),
                phrase::measured(subject, table)
            )
        }
        None => format!("blocks every other insert into {table} while it runs"),
    };
    let verb = if subject.kind() == Kind::LoadData { "LOAD DATA" } else { "INSERT … SELECT" };
    let message = format!(
        "{harm}: {} holds the table's AUTO-INC lock to its end, as innodb_autoinc_lock_mode is {}; insert by ranges of the \
         source's key",
        phrase::each(subject, verb),
        mode(subject).unwrap_or(1)
    );
    let mut risk = Risk::new(subject.weigh(Severity::Warning), message).with("table", table.to_string());
    if let Some(rows) = inserted {
        risk = risk.with("rows", rows);
    }
    if let Some(wait) = waited {
        risk = risk.with("longest_seconds", wait.longest_seconds);
    }
    risk.into()
}

/// innodb_autoinc_lock_mode: the server's, else its version's default; none where neither is known.
fn mode(subject: &Subject<'_>) -> Option<u64> {
    let survey = subject.evidence.survey?;
    let set = survey.server.settings.get("innodb_autoinc_lock_mode").and_then(|value| value.parse().ok());
    let flavor = subject.evidence.flavor.unwrap_or(survey.server.flavor);
    set.or(Some(if flavor.vendor == Vendor::MySql && flavor.major >= 8 { 2 } else { 1 }))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    fn with_mode(mode: &str) -> Specimen {
        let mut specimen = Specimen::of(RULE.risky).changes(1, 9_000_000, 60.0);
        specimen.survey.server.settings.insert("innodb_autoinc_lock_mode".into(), mode.into());
        specimen
    }

    #[test]
    fn it_depends_on_the_mode() {
        assert!(Specimen::of(RULE.risky).found(RULE.id).is_empty(), "MySQL 9.7's default");
        assert!(with_mode("2").found(RULE.id).is_empty());
        let found = with_mode("1").found(RULE.id);
        assert!(found[0].message.starts_with("blocks every other insert into shop.customers while it runs: "));
        let waited = with_mode("1").blocks(1, "customers", ProbeKind::Insert, 1.03).messages(RULE.id);
        assert!(waited[0].starts_with("blocks inserts into shop.customers for 1.03 s (measured): "), "{waited:?}");
    }

    #[test]
    fn few_rows_are_quiet() {
        assert!(with_mode("1").changes(1, 5_000, 0.1).found(RULE.id).is_empty());
    }
}
