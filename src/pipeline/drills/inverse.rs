//! The statement that takes another one back, where its text tells which that is. Pure.

use crate::sql::record::{AlterClass, AlterClause, Kind, Statement, quote_identifier};

/// What undoes a definition that was only added; none for what changes rows, or takes something away.
pub fn inverse(statement: &Statement) -> Option<String> {
    let effect = &statement.reading.effect;
    if effect.temporary {
        return None;
    }
    let table = || {
        let mut defined = effect.defines.iter();
        defined.next().filter(|_| defined.next().is_none()).map(|table| table.quoted())
    };
    let may_be_nothing = statement.text.to_ascii_lowercase().contains("if not exists");
    match statement.reading.kind {
        // With IF NOT EXISTS it may have been there before.
        _ if may_be_nothing => None,
        Kind::CreateTable => Some(format!("DROP TABLE {}", table()?)),
        Kind::RenameTable => {
            // The names of one RENAME may depend on each other: only a single one is turned round.
            let mut renames = effect.renames.iter();
            let (from, to) = renames.next().filter(|_| renames.next().is_none())?;
            Some(format!("RENAME TABLE {} TO {}", to.quoted(), from.quoted()))
        }
        Kind::AlterTable | Kind::CreateIndex => {
            let clauses: Option<Vec<Option<String>>> = effect.clauses.iter().map(undone).collect();
            let mut clauses: Vec<String> = clauses?.into_iter().flatten().collect();
            clauses.reverse();
            (!clauses.is_empty()).then_some(())?;
            Some(format!("ALTER TABLE {} {}", table()?, clauses.join(", ")))
        }
        _ => None,
    }
}

/// The clause that undoes a clause; an empty one for what needs no undoing, none for what has no such clause.
fn undone(clause: &AlterClause) -> Option<Option<String>> {
    let name = || clause.object.as_deref().map(quote_identifier);
    Some(Some(match clause.class {
        AlterClass::Algorithm | AlterClass::Lock => return Some(None),
        AlterClass::AddColumn if clause.columns.len() <= 1 => format!("DROP COLUMN {}", name()?),
        AlterClass::AddIndex | AlterClass::AddUnique | AlterClass::AddFulltext | AlterClass::AddSpatial => {
            format!("DROP INDEX {}", name()?)
        }
        AlterClass::AddForeignKey => format!("DROP FOREIGN KEY {}", name()?),
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::flavor::{Flavor, Vendor};
    use crate::sql::record::Origin;

    fn of(text: &str) -> Option<String> {
        let flavor = Flavor { vendor: Vendor::MySql, major: 9, minor: 7, patch: None };
        inverse(&Statement {
            id: "s1".into(),
            name: None,
            text: text.into(),
            origin: Origin::default(),
            session: 1,
            digest: String::new(),
            reading: crate::sql::read::read(text, "app", flavor),
            ignores: Vec::new(),
        })
    }

    #[test]
    fn what_was_added_is_taken_away_again() {
        assert_eq!(of("CREATE TABLE f (id INT)").as_deref(), Some("DROP TABLE `app`.`f`"));
        assert_eq!(
            of("ALTER TABLE t ADD COLUMN a INT, ADD INDEX i (a), ALGORITHM=INPLACE").as_deref(),
            Some("ALTER TABLE `app`.`t` DROP INDEX `i`, DROP COLUMN `a`")
        );
        assert_eq!(of("CREATE INDEX i ON t (a)").as_deref(), Some("ALTER TABLE `app`.`t` DROP INDEX `i`"));
        assert_eq!(of("RENAME TABLE a TO b").as_deref(), Some("RENAME TABLE `app`.`b` TO `app`.`a`"));
    }

    #[test]
    fn what_changes_rows_or_takes_away_has_no_such_statement() {
        for text in [
            "UPDATE t SET a = 1",
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t MODIFY a BIGINT",
            "ALTER TABLE t ADD INDEX (a)",
            "CREATE TABLE IF NOT EXISTS f (id INT)",
            "RENAME TABLE a TO x, b TO a",
            "DROP TABLE t",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
