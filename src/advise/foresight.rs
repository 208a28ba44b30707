//! What a DDL will do, for rules that judge it before, or without, a run.

use std::collections::BTreeMap;

use super::evidence::Subject;
use crate::forecast::ddl;
use crate::forecast::record::DdlForecast;
use crate::forecast::scene::{Scene, SessionFacts};
use crate::sql::record::{AlterClass, TableName};

/// Variables of a session that a forecast goes by.
const VARIABLES: [&str; 4] = ["sql_mode", "foreign_key_checks", "alter_algorithm", "old_alter_table"];

impl Subject<'_> {
    /// What the server will do with a DDL: as the table's empty twin answered where it was rehearsed, else by the manual.
    /// None for statements that use no algorithm; `Err` says why it cannot be told.
    pub fn forecast(&self) -> Option<Result<DdlForecast, String>> {
        let answer = [self.quiet, self.loud].into_iter().flatten().find_map(|observation| observation.twin.as_ref());
        if let Some(answer) = answer {
            return Some(Ok(DdlForecast::from_twin(answer)));
        }
        let effect = &self.statement.reading.effect;
        let renamed = |table: &&TableName| effect.renames.values().any(|to| to == *table);
        let mut tables = effect.defines.iter().filter(|table| !renamed(table)).chain(effect.renames.keys());
        let table = tables.next()?;
        let flavor = self.evidence.flavor.or_else(|| self.evidence.survey.map(|survey| survey.server.flavor));
        let Some(flavor) = flavor else {
            return Some(Err("It is not known which server the statement is for.".to_owned()));
        };
        let standing = self.births.standing(table, self.evidence.survey);
        let surveyed = standing.and_then(|standing| standing.surveyed);
        let scene = match &surveyed {
            Some(name) => Scene::of(flavor, self.session_facts(), self.evidence.survey, name),
            None => Scene::of(flavor, self.session_facts(), None, table),
        };
        let forecast = ddl::forecast(self.statement.reading.kind, effect, &scene)?;
        Some(match self.altered_before(table) {
            Some(label) => Err(format!(
                "{label} has changed {table} before in a way that this statement depends on, and nobody ran the two."
            )),
            None => forecast,
        })
    }

    /// The variables that rule the session: its own, else the server's.
    fn session_facts(&self) -> SessionFacts {
        let server = self.evidence.survey.map(|survey| &survey.server.settings);
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        for name in VARIABLES {
            // `@OLD_SQL_MODE` and other expressions: what stands behind them is not followed.
            let own = self.session().setting(name).filter(|value| !value.contains('@'));
            let value = own.or_else(|| server.and_then(|settings| settings.get(name)).map(String::as_str));
            if let Some(value) = value {
                settings.insert(name.to_owned(), value.trim_matches(['\'', '"']).to_owned());
            }
        }
        SessionFacts::from_settings(&settings)
    }

    /// Label of an earlier statement of the upgrade that changed what the forecast of this one goes by: the same column
    /// or index, or the whole table.
    fn altered_before(&self, table: &TableName) -> Option<String> {
        use AlterClass::*;
        let past = self.history.table(table)?;
        let clauses = &self.statement.reading.effect.clauses;
        let whole = |class: AlterClass| {
            matches!(
                class,
                Engine | ConvertCharset | RowFormat | AddFulltext | Partition | AddForeignKey | DropForeignKey
            )
        };
        let same = |name: &str| {
            let named = clauses.iter().filter_map(|clause| clause.object.as_deref());
            let parts = clauses.iter().flat_map(|clause| &clause.parts).filter_map(|part| part.column.as_deref());
            named.chain(parts).any(|own| own.eq_ignore_ascii_case(name))
        };
        let touches = |clause: &crate::sql::record::AlterClause| {
            whole(clause.class)
                || clause.object.as_deref().is_some_and(same)
                || clause.columns.iter().any(|column| same(&column.name))
        };
        let earlier = past.alters().iter().rev().find(|alter| alter.clauses.iter().any(touches))?;
        Some(earlier.label.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::advise::births::Births;
    use crate::advise::evidence::{Evidence, Subject};
    use crate::advise::history::History;
    use crate::advise::specimen::{flavor, mariadb, statement, survey};
    use crate::forecast::record::DdlForecast;
    use crate::replay::record::{Algorithm, DdlLock};
    use crate::server::flavor::Flavor;

    fn after(before: &[&str], text: &str, flavor: Flavor) -> Result<DdlForecast, String> {
        let survey = survey();
        let evidence = Evidence { survey: Some(&survey), flavor: Some(flavor), ..Evidence::default() };
        let (mut births, mut history) = (Births::default(), History::new(Some(&survey)));
        for (place, text) in before.iter().enumerate() {
            let statement = statement(place + 1, text);
            history.apply(&statement, None, |_| false);
            births.apply(&statement, None, Some(&survey));
        }
        let statement = statement(before.len() + 1, text);
        let subject = Subject {
            evidence: &evidence,
            births: &births,
            history: &history,
            statement: &statement,
            loud: None,
            quiet: None,
            alike: 1,
        };
        subject.forecast().expect("a DDL")
    }

    #[test]
    fn without_a_run_the_manual_has_the_word() {
        let add = after(&[], "ALTER TABLE page_views ADD COLUMN seen INT", flavor()).expect("a forecast");
        assert_eq!((add.algorithm, add.explicit.as_str()), (Algorithm::Instant, "ALGORITHM=INSTANT"));
        let modify =
            after(&[], "ALTER TABLE page_views MODIFY user_id BIGINT NOT NULL", mariadb()).expect("a forecast");
        assert_eq!((modify.algorithm, modify.lock), (Algorithm::Copy, DdlLock::Shared));
    }

    #[test]
    fn the_sessions_state_and_the_statements_before_count() {
        let text = "ALTER TABLE page_views ADD COLUMN seen INT";
        let copied = after(&["SET old_alter_table = 1"], text, flavor()).expect("a forecast");
        assert_eq!(copied.algorithm, Algorithm::Copy);
        let renamed = ["RENAME TABLE page_views TO views"];
        assert!(after(&renamed, "ALTER TABLE views ADD COLUMN seen INT", flavor()).is_ok());
        let twice = "ALTER TABLE page_views MODIFY user_id BIGINT NOT NULL";
        assert!(after(&[twice], twice, flavor()).expect_err("unknown").starts_with("s1 has changed"));
    }

    #[test]
    fn a_table_that_nobody_knows_has_no_good_forecast() {
        assert!(after(&[], "ALTER TABLE strangers ADD COLUMN seen INT", flavor()).is_err());
        assert!(after(&[], "ALTER TABLE strangers FORCE", flavor()).expect("a forecast").rebuilds);
    }
}
