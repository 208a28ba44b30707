//! DDL after which a transaction that began before it can no longer read the table.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;
use crate::replay::record::{Algorithm, Showed, Snapshot};
use crate::sql::record::{AlterClass, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "breaks-open-snapshots",
    what: "a table is made anew, so that transactions which began before can no longer read it",
    why: "A backup (mysqldump --single-transaction) or a report reads from one snapshot for hours. A table that was emptied, \
          swapped or rebuilt meanwhile has no version that old: the reader ends with error 1412, and the backup of that night \
          is none. Measured on MySQL 9.7 and MariaDB 10.11: TRUNCATE, a swap by RENAME, COPY and a rebuild in place break it; \
          on MySQL an INSTANT ADD or DROP COLUMN does, too; a new index and a DELETE do not.",
    instead: "Do it when no backup and no report runs: look for open transactions first (information_schema.innodb_trx), and \
              put the upgrade and the backup in one calendar. Where rows only have to go, a DELETE in batches breaks no reader.",
    needs: Needs::Text,
    check,
    risky: include_str!("breaks-open-snapshots/risky.sql"),
    safer: include_str!("breaks-open-snapshots/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let mut drilled = subject.drills().iter().filter_map(|drill| match &drill.showed {
        Showed::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    });
    // Other errors than 1412 are those of a table that is gone: that is said by who drops it.
    let broken = |snapshot: &Snapshot| {
        let found = snapshot.broken.iter().find(|read| read.error.as_ref().is_some_and(|error| error.number == 1412));
        found.map(|read| read.table.clone())
    };
    let (table, basis) = match drilled.next() {
        Some(snapshot) => match broken(snapshot) {
            Some(table) => (table, "rehearsed"),
            None => return Verdict::Clear,
        },
        None => match made_anew(subject) {
            Some(table) => (table, "as measured on other tables"),
            None => return Verdict::Clear,
        },
    };
    let survey = subject.evidence.survey;
    let (severity, seen) = match survey.and_then(|survey| survey.server.long_transactions.first()) {
        Some(open) => (
            Severity::Warning,
            format!("; the survey saw a transaction of {} open for {}", open.user, seconds(open.seconds as f64)),
        ),
        None => (Severity::Info, String::new()),
    };
    let message = format!(
        "ends backups and reports that began before it, with error 1412 when they come to {table} ({basis}): the table is made \
         anew and has no version that old{seen}; run it when none is open"
    );
    Risk::new(severity, message).with("table", table.to_string()).with("rehearsed", basis == "rehearsed").into()
}

/// The table of production's that the statement makes anew, by how it was carried out, else by its text.
fn made_anew(subject: &Subject<'_>) -> Option<TableName> {
    let effect = &subject.statement.reading.effect;
    let known = |table: &&TableName| !subject.created_here(table) && !effect.temporary;
    match subject.kind() {
        Kind::Truncate => effect.empties.iter().find(known).cloned(),
        Kind::RenameTable => {
            // A name that another table takes over; one that is only gone fails with 1146.
            effect.renames.keys().filter(known).find(|from| effect.renames.values().any(|to| to == *from)).cloned()
        }
        Kind::Optimize => effect.defines.iter().chain(&effect.writes).find(known).cloned(),
        _ => {
            let altered = Altered::of(subject)?;
            let told = subject.observed().and_then(|seen| seen.ddl).or(subject.loud.and_then(|loud| loud.ddl));
            let columns = altered.has(&[AlterClass::AddColumn, AlterClass::DropColumn]);
            let is_mysql = subject.evidence.flavor.is_some_and(|flavor| !flavor.is_mariadb());
            let anew = match told {
                Some(ddl) => ddl.rebuilds || ddl.algorithm == Algorithm::Copy || (columns && is_mysql),
                None => altered.has(&[AlterClass::Force, AlterClass::Engine, AlterClass::ConvertCharset]),
            };
            (anew && !subject.created_here(altered.table)).then(|| altered.table.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};
    use crate::replay::record::{Algorithm, DdlFacts, Drill, Showed, Snapshot, SnapshotRead};
    use crate::server::fault::Fault;

    fn drill(broken: Option<u16>) -> Drill {
        let table = shop("page_views");
        let fault = |number| Fault { number, state: "HY000".into(), message: "as the server says".into() };
        let read = |number| SnapshotRead { statement: "s1".into(), table: table.clone(), error: Some(fault(number)) };
        let showed = Showed::Snapshot(Snapshot {
            broken: broken.map(read).into_iter().collect(),
            read: Vec::new(),
            holds_up: None,
            history_held: None,
            history_free: None,
        });
        Drill { statement: "s1".into(), experiment: "beside".into(), scale: 1.0, showed }
    }

    #[test]
    fn what_makes_a_table_anew_is_found_and_what_changes_rows_is_not() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].message.contains("error 1412 when they come to shop.page_views"), "{}", found[0].message);
        for quiet in [RULE.safer, "ALTER TABLE orders ADD INDEX s (status)", "CREATE TABLE f (id INT); TRUNCATE f"] {
            assert!(Specimen::of(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
        let swap = "CREATE TABLE n LIKE orders; RENAME TABLE orders TO orders_old, n TO orders";
        assert_eq!(Specimen::of(swap).found(RULE.id).len(), 1);
        let copied = Specimen::of("ALTER TABLE orders MODIFY status TEXT").with(1, |seen| {
            seen.ddl = Some(DdlFacts { algorithm: Algorithm::Copy, rebuilds: true, lock: None });
        });
        assert_eq!(copied.found(RULE.id).len(), 1);
    }

    #[test]
    fn a_rehearsed_reader_counts_more_than_what_was_measured_elsewhere() {
        let mut read_on = Specimen::of(RULE.risky);
        read_on.drills = vec![drill(None)];
        assert!(read_on.found(RULE.id).is_empty());
        let mut broken = Specimen::of("ALTER TABLE page_views ADD COLUMN a INT");
        broken.drills = vec![drill(Some(1412))];
        assert!(broken.messages(RULE.id)[0].contains("(rehearsed)"), "{:?}", broken.messages(RULE.id));
    }
}
