//! A trigger or routine that is dropped and made again, or newly runs with every write.

use crate::advise::alternatives::words::words;
use crate::advise::evidence::Subject;
use crate::advise::history::{Deed, ObjectKind, object_name};
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{Kind, TableName};
use crate::survey::record::TriggerFacts;

/// The rule.
pub const RULE: Rule = Rule {
    id: "trigger-or-routine-change",
    what: "a trigger or routine is dropped and made again, taken away, or begins to run with every write",
    why: "Between DROP and CREATE the application writes rows that the trigger never sees, and calls a routine that is not \
          there (1305). Each of the two waits for all transactions on the table, and all later queries queue behind it. A \
          new trigger makes every write dearer, those of the release that still runs, too, and its errors become theirs. \
          It runs as its DEFINER: where that account is missing, every write fails (1449).",
    instead: "On MariaDB use CREATE OR REPLACE, which leaves no gap. On MySQL make the new trigger under another name first \
              and drop the old one after, or hold LOCK TABLES … WRITE over both; give a routine a new name with the release \
              that calls it. Name no DEFINER, or one that exists everywhere.",
    needs: Needs::Survey,
    check,
    risky: include_str!("trigger-or-routine-change/risky.sql"),
    safer: include_str!("trigger-or-routine-change/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let risk = match subject.kind() {
        Kind::CreateTrigger => made_trigger(subject),
        Kind::DropTrigger => dropped_trigger(subject),
        Kind::CreateRoutine => made_routine(subject),
        _ => None,
    };
    risk.map_or(Verdict::Clear, Verdict::from)
}

/// The label of the statement of this upgrade that dropped it.
fn dropped_by<'a>(subject: &Subject<'a>, kind: ObjectKind, name: &TableName) -> Option<&'a str> {
    // Where no USE was said, a DROP without a database is remembered without one.
    let bare = TableName::new("", name.table.as_str());
    let deed = subject.history.object(kind, name).or_else(|| subject.history.object(kind, &bare))?;
    match deed {
        Deed::Dropped(label) => Some(label),
        Deed::Made(_) => None,
    }
}

/// A surveyed trigger by name, in whatever database where none was said.
fn surveyed<'a>(subject: &Subject<'a>, name: &TableName) -> Option<&'a TriggerFacts> {
    let same =
        |known: &TableName| known.table == name.table && (name.database.is_empty() || known.database == name.database);
    subject.evidence.survey?.triggers.iter().find(|(known, _)| same(known)).map(|(_, facts)| facts)
}

fn made_trigger(subject: &Subject<'_>) -> Option<Risk> {
    let statement = subject.statement;
    let table = statement.reading.effect.defines.iter().next().filter(|table| !subject.created_here(table))?;
    let name = object_name(&statement.text, ObjectKind::Trigger, &table.database)?;
    let (head, definer) = head(&statement.text);
    // What DROP … IF EXISTS did not find leaves no gap.
    if let Some(label) = dropped_by(subject, ObjectKind::Trigger, &name).filter(|_| surveyed(subject, &name).is_some())
    {
        let mariadb = subject.evidence.flavor.is_some_and(|flavor| flavor.is_mariadb());
        let cure = if mariadb {
            "CREATE OR REPLACE TRIGGER leaves no gap"
        } else {
            "make the new one under another name first and drop the old one after"
        };
        let message = format!(
            "what is written to {table} between {label} and here passes the trigger {} by: it is dropped and made again in two \
             statements, each of which waits for all transactions on the table; {cure}{definer}",
            name.table
        );
        return Some(Risk::new(Severity::Warning, message).with("table", table.to_string()).with("dropped_by", label));
    }
    let alike = |facts: &TriggerFacts| facts.table == *table && head.contains(&facts.event.to_ascii_uppercase());
    let known = subject.evidence.survey?.triggers.values().any(alike);
    if known && definer.is_empty() {
        return None;
    }
    let message = format!(
        "every write that fires it runs the trigger {} from here on, those of the release that runs now, too: {table} had none \
         like it; measure the writes with it, and make it when few transactions are open, for it waits for all of \
         them{definer}",
        name.table
    );
    Some(Risk::new(Severity::Info, message).with("table", table.to_string()))
}

/// The text before the body in upper case, and a word about the account that it shall run as.
fn head(text: &str) -> (String, &'static str) {
    let upper = text.to_ascii_uppercase();
    let head = upper.split("FOR EACH ROW").next().unwrap_or_default().to_owned();
    let list = words(&head).unwrap_or_default();
    let definer = list.iter().position(|word| word.is("DEFINER")).and_then(|at| list.get(at + 2));
    let named = definer.is_some_and(|account| !account.is("CURRENT_USER"));
    let warning = if named {
        "; it names a DEFINER, and where that account is missing every write fails with error 1449"
    } else {
        ""
    };
    (head, warning)
}

fn dropped_trigger(subject: &Subject<'_>) -> Option<Risk> {
    let name = object_name(&subject.statement.text, ObjectKind::Trigger, subject.session().database())?;
    let facts = surveyed(subject, &name)?;
    let heir = subject.history.table(&facts.table).is_some_and(|past| past.made_triggers() > 0);
    if heir || subject.history.made(ObjectKind::Trigger, &name) {
        return None;
    }
    let message = format!(
        "the trigger {} no longer sees what is written to {} ({} {}), and what it did for the release that runs now is not \
         done: it is dropped; if another one follows, make that first",
        name.table, facts.table, facts.timing, facts.event
    );
    Some(Risk::new(Severity::Info, message).with("table", facts.table.to_string()))
}

fn made_routine(subject: &Subject<'_>) -> Option<Risk> {
    let name = object_name(&subject.statement.text, ObjectKind::Routine, subject.session().database())?;
    let label = dropped_by(subject, ObjectKind::Routine, &name)?;
    // A helper of the upgrade's own (DROP IF EXISTS, CREATE, CALL, DROP) is called by nobody else.
    let same =
        |known: &TableName| known.table == name.table && (name.database.is_empty() || known.database == name.database);
    if !subject.evidence.survey?.routines.keys().any(same) {
        return None;
    }
    let message = format!(
        "calls of {} between {label} and here fail with error 1305, and the rights that were granted on it are gone: it is \
         dropped and made again; on MariaDB use CREATE OR REPLACE, on MySQL make it under a new name with the release that \
         calls it",
        name.table
    );
    Some(Risk::new(Severity::Warning, message).with("routine", name.table.as_str()).with("dropped_by", label))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop, trigger};

    fn found(sql: &str) -> Vec<(Severity, String)> {
        let sql = sql.replace("readings", "page_views");
        let mut specimen = Specimen::of(&sql);
        specimen.survey.triggers.insert(shop("page_views_range"), trigger("INSERT"));
        specimen.survey.routines.insert(shop("tidy"), "CREATE PROCEDURE tidy() SELECT 1".to_owned());
        let found = specimen.found("trigger-or-routine-change").into_iter();
        found.map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn a_gap_between_drop_and_create_is_told_and_an_heir_made_first_leaves_none() {
        let risky = found(RULE.risky);
        assert_eq!(
            risky.iter().map(|(severity, _)| *severity).collect::<Vec<_>>(),
            [Severity::Info, Severity::Warning]
        );
        assert!(
            risky[1].1.starts_with(
                "what is written to shop.page_views between s1 and here passes the trigger page_views_range by"
            ),
            "{risky:?}"
        );
        assert!(found(RULE.safer).is_empty());
    }

    #[test]
    fn a_trigger_of_a_new_kind_is_worth_knowing_and_its_account_is_told() {
        let absent =
            found("DROP TRIGGER IF EXISTS t; CREATE TRIGGER t AFTER INSERT ON page_views FOR EACH ROW SET @a = 1");
        assert!(absent.is_empty(), "{absent:?}");
        let new = found("CREATE DEFINER='a'@'%' TRIGGER ad AFTER DELETE ON page_views FOR EACH ROW SET @a = 1");
        assert_eq!(new[0].0, Severity::Info);
        assert!(new[0].1.contains("it names a DEFINER"), "{new:?}");
        assert!(
            found("CREATE TABLE f (id INT); CREATE TRIGGER t AFTER DELETE ON f FOR EACH ROW SET @a = 1").is_empty()
        );
    }

    #[test]
    fn a_routine_that_production_has_is_missed_and_a_helper_is_not() {
        let gap = found("DROP PROCEDURE IF EXISTS tidy; CREATE PROCEDURE tidy() SELECT 2");
        assert!(gap[0].1.starts_with("calls of tidy between s1 and here fail with error 1305"), "{gap:?}");
        assert!(found("DROP PROCEDURE IF EXISTS helper; CREATE PROCEDURE helper() SELECT 2").is_empty());
    }
}
