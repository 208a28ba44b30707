//! A table without transactions: made, or worked on.

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::sql::record::{AlterClass, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "myisam-table",
    what: "a MyISAM or Aria table is made, or many of its rows are changed",
    why: "These engines lock the whole table: while one statement changes rows, nobody else reads or writes any. They know \
          no transaction: a statement that is killed half-way leaves half of its work, ROLLBACK undoes nothing, and after \
          a crash a MyISAM table must be repaired. Copy tools and consistent dumps do not serve them either, and with \
          GTIDs a statement that changes such a table and another one is refused (1785).",
    instead: "Make the table in InnoDB, and bring an existing one there (ALTER TABLE … ENGINE=InnoDB) in a step of its own \
              before the work on its rows. Until then work in small ranges of its key, after a backup.",
    needs: Needs::Text,
    check,
    risky: include_str!("myisam-table/risky.sql"),
    safer: include_str!("myisam-table/safer.sql"),
};

/// Engines that lock whole tables and cannot roll back, and yet are meant to keep what they are given.
const ENGINES: [&str; 4] = ["MyISAM", "Aria", "MRG_MyISAM", "MERGE"];

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if effect.temporary {
        return Verdict::Clear;
    }
    match subject.kind() {
        Kind::CreateTable | Kind::AlterTable => asked_for(subject).into_iter().collect::<Vec<_>>().into(),
        kind if kind.is_dml() => {
            effect.writes.iter().filter_map(|table| worked_on(subject, table)).collect::<Vec<_>>().into()
        }
        _ => Verdict::Clear,
    }
}

/// The engine's own spelling, when it is one of these.
fn without_transactions(name: &str) -> Option<&'static str> {
    ENGINES.into_iter().find(|engine| engine.eq_ignore_ascii_case(name))
}

fn asked_for(subject: &Subject<'_>) -> Option<Risk> {
    let effect = &subject.statement.reading.effect;
    let table = effect.defines.iter().next()?;
    let named = effect.clauses.iter().rev().find(|clause| clause.class == AlterClass::Engine);
    let engine = match named {
        Some(clause) => without_transactions(clause.text.rsplit(['=', ' ']).next()?.trim_matches(['\'', '"', '`']))?,
        None if subject.kind() == Kind::AlterTable || !effect.reads.is_empty() => return None,
        None => {
            let settings = &subject.evidence.survey?.server.settings;
            without_transactions(settings.get("default_storage_engine")?)?
        }
    };
    let verb = if subject.kind() == Kind::AlterTable { "turned into" } else { "made as" };
    let message = format!(
        "every statement that changes rows of {table} will keep all others out of it and cannot be undone: it is {verb} \
         {engine}, which locks whole tables and knows no transaction; name ENGINE=InnoDB"
    );
    Some(Risk::new(Severity::Warning, message).with("table", table.to_string()).with("engine", engine))
}

fn worked_on(subject: &Subject<'_>, table: &TableName) -> Option<Risk> {
    let engine = without_transactions(&subject.facts(table)?.engine)?;
    let effect = &subject.statement.reading.effect;
    let size = Size::of(subject, table);
    let figure = subject.rows_changed();
    let many = match figure {
        Some(figure) => figure.rows > MANY_ROWS,
        // Rows of VALUES are few; of anything else the text does not tell.
        None => {
            let of_values = subject.kind() == Kind::Insert && effect.reads.is_empty();
            !size.is_small() && !of_values
        }
    };
    if !many {
        return None;
    }
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let changed = match figure {
        Some(figure) => phrase::rows(figure),
        None => format!("rows among {}", size.all()),
    };
    let cause = format!(
        "{} changes {changed} of {table} ({engine}) under a lock of the whole table, and killed half-way it leaves half of \
         its work",
        phrase::each(subject, &verb)
    );
    let cure = "bring the table to InnoDB first, or work in small ranges of its key after a backup";
    let message = phrase::message(phrase::harm(subject), cause, Some(cure.to_owned()));
    Some(size.on(table, Risk::new(subject.weigh(Severity::Warning), message)).with("engine", engine))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::{Specimen, shop};

    #[test]
    fn a_table_made_without_transactions_is_found_and_one_in_innodb_is_not() {
        let messages = Specimen::of(RULE.risky).messages("myisam-table");
        assert!(messages[0].contains("it is made as MyISAM, which locks whole tables"), "{messages:?}");
        assert!(Specimen::of(RULE.safer).found("myisam-table").is_empty());
        assert_eq!(Specimen::of("ALTER TABLE orders ENGINE aria").found("myisam-table").len(), 1);
        assert!(Specimen::of("ALTER TABLE orders ADD a INT").found("myisam-table").is_empty());
        let mut by_default = Specimen::of("CREATE TABLE f (id INT PRIMARY KEY)");
        assert!(by_default.found("myisam-table").is_empty());
        by_default.survey.server.settings.insert("default_storage_engine".to_owned(), "MyISAM".to_owned());
        assert_eq!(by_default.found("myisam-table").len(), 1);
    }

    #[test]
    fn work_on_many_rows_of_such_a_table_is_told_and_on_few_it_is_not() {
        let mut specimen = Specimen::of("DELETE FROM page_views WHERE id < 100").changes(1, 9_000_000, 50.0);
        specimen.survey.tables.get_mut(&shop("page_views")).expect("the table").engine = "MyISAM".to_owned();
        assert!(
            specimen.messages("myisam-table")[0].starts_with("one DELETE changes 9,000,000 rows of shop.page_views")
        );
        let mut few = Specimen::of("DELETE FROM page_views WHERE id < 100").changes(1, 99, 0.1);
        few.survey = specimen.survey;
        assert!(few.found("myisam-table").is_empty());
    }
}
