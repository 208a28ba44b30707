//! A small rehearsal by hand, for the tests of this folder and of the plan.

#[cfg(test)]
pub(crate) use tests::*;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::advise::record::{Allowance, Budget, Finding, Findings, Severity, Trial};
    use crate::advise::{Case, alternatives, judge};
    use crate::replay::record::{
        Drill, ExperimentKind, Happened, Observation, Outcome, Proof, ProofBasis, Rehearsal, RowCounts, TableChange,
        TableChanges,
    };
    use crate::server::flavor::Flavor;
    use crate::sql::read::read;
    use crate::sql::record::{Origin, Statement, TableName};
    use crate::survey::record::{ForeignKeyFacts, Survey, TableFacts, TriggerFacts};
    use crate::watch::record::{Blocked, Coverage, Failed, Footprint, ProbeKind};

    pub fn flavor() -> Flavor {
        "mysql:9.7".parse().expect("a flavor")
    }

    pub fn mariadb() -> Flavor {
        "mariadb:10.11".parse().expect("a flavor")
    }

    pub fn shop(table: &str) -> TableName {
        TableName::new("shop", table)
    }

    /// From JSON, so that a new optional fact changes no test.
    pub fn table(rows: u64, columns: &[(&str, &str)]) -> TableFacts {
        let column = |(name, data_type): &(&str, &str)| {
            json!({"name": name, "data_type": data_type, "column_type": data_type, "nullable": false,
                   "auto_increment": *name == "id"})
        };
        let key: Vec<_> = columns.first().map(|(name, _)| json!({"name": name})).into_iter().collect();
        let facts = json!({
            "create": "CREATE TABLE …", "rows": rows, "rows_basis": "stated", "data_bytes": rows * 100,
            "engine": "InnoDB", "auto_increment": rows + 1,
            "columns": columns.iter().map(column).collect::<Vec<_>>(),
            "indexes": [{"name": "PRIMARY", "unique": true, "kind": "BTREE", "columns": key}],
        });
        serde_json::from_value(facts).expect("facts of a table")
    }

    /// The tables of the rules' own schema, with 9,000,000 page views.
    pub fn survey() -> Survey {
        let mut orders = table(2_000_000, &[("id", "bigint"), ("customer_id", "bigint"), ("status", "varchar")]);
        orders.foreign_keys.push(ForeignKeyFacts {
            name: "orders_customer".to_owned(),
            columns: vec!["customer_id".to_owned()],
            parent: shop("customers"),
            parent_columns: vec!["id".to_owned()],
            on_delete: "RESTRICT".to_owned(),
            on_update: "RESTRICT".to_owned(),
        });
        let views = [("id", "bigint"), ("user_id", "int"), ("url", "varchar"), ("created_at", "datetime")];
        let customers = [("id", "bigint"), ("email", "varchar"), ("country", "char"), ("note", "varchar")];
        let server = json!({"flavor": "mysql:9.7", "version": "9.7.4"});
        let survey = json!({"format": "rehearse/survey@1", "server": server, "databases": {}, "tables": {}});
        let mut survey: Survey = serde_json::from_value(survey).expect("a survey");
        survey.tables.extend([
            (shop("customers"), table(500_000, &customers)),
            (shop("orders"), orders),
            (shop("page_views"), table(9_000_000, &views)),
        ]);
        survey
    }

    pub fn trigger(event: &str) -> TriggerFacts {
        TriggerFacts {
            table: shop("page_views"),
            timing: "AFTER".to_owned(),
            event: event.to_owned(),
            create: String::new(),
            sql_mode: String::new(),
            touches: Vec::new(),
        }
    }

    /// Gives a surveyed table one more index.
    pub fn add_index(survey: &mut Survey, table: &str, name: &str, columns: &[&str]) {
        let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
        let index = json!({"name": name, "unique": false, "kind": "BTREE", "columns": columns});
        let facts = survey.tables.get_mut(&shop(table)).expect("a table of the survey");
        facts.indexes.push(serde_json::from_value(index).expect("facts of an index"));
    }

    /// Changes facts of a surveyed column.
    pub fn set_column(survey: &mut Survey, table: &str, column: &str, facts: &serde_json::Value) {
        let table = survey.tables.get_mut(&shop(table)).expect("a table of the survey");
        let known = table.columns.iter_mut().find(|known| known.name == column).expect("a column of the table");
        let mut whole = serde_json::to_value(&*known).expect("facts as JSON");
        for (name, value) in facts.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        *known = serde_json::from_value(whole).expect("facts of a column");
    }

    pub fn statement(place: usize, text: &str) -> Statement {
        Statement {
            id: format!("s{place}"),
            name: None,
            text: text.to_owned(),
            origin: Origin { file: "upgrade.sql".to_owned(), line: place as u64, column: 1 },
            session: 1,
            digest: format!("{place:016}"),
            reading: read(text, "shop", flavor()),
            ignores: Vec::new(),
        }
    }

    pub fn observation(statement: Statement, affected: u64, seconds: f64) -> Observation {
        Observation {
            last_id: statement.id.clone(),
            statement,
            count: 1,
            outcome: Outcome::Done,
            at_seconds: 0.0,
            seconds,
            longest_seconds: seconds,
            commit_seconds: None,
            transaction: None,
            warning_count: 0,
            warnings: Vec::new(),
            rows: RowCounts { affected, ..RowCounts::default() },
            ddl: None,
            twin: None,
            locks: Vec::new(),
            locks_until: None,
            blocked: Vec::new(),
            failed: Vec::new(),
            footprint: Footprint::default(),
        }
    }

    pub fn blocked(table: &str, probe: ProbeKind, longest_seconds: f64) -> Blocked {
        Blocked {
            table: shop(table),
            probe,
            longest_seconds,
            total_seconds: longest_seconds,
            share: 0.9,
            from_seconds: 0.0,
            waits: 1,
            by_key: Vec::new(),
            asked: 100,
        }
    }

    pub fn failed(table: &str, probe: ProbeKind, error: u16) -> Failed {
        Failed { table: shop(table), probe, error, message: "as the server says".to_owned(), count: 3 }
    }

    pub fn same() -> Proof {
        Proof { same_result: true, basis: ProofBasis::Checksum, ..Proof::default() }
    }

    /// A trial of one of the statement's own alternatives, which took and blocked writes for so long.
    pub fn trial(original: &Observation, id: &str, seconds: f64, blocked_seconds: f64) -> Trial {
        let alternatives = alternatives::of(&original.statement, Some(original), &survey(), flavor());
        let alternative = alternatives.into_iter().find(|own| own.id == id).expect("an alternative");
        let statement = alternative.actions.first().expect("an eligible one").statement().clone();
        let mut loud = observation(statement, 0, seconds);
        loud.blocked.push(blocked("page_views", ProbeKind::Update, blocked_seconds));
        Trial {
            alternative,
            seconds,
            quiet: Vec::new(),
            loud: vec![loud],
            completed: true,
            proof: same(),
            chosen: false,
        }
    }

    /// An upgrade as it was rehearsed.
    pub struct Specimen {
        pub survey: Survey,
        pub changes: TableChanges,
        pub loud: Rehearsal,
        pub trials: Vec<Trial>,
        pub drills: Vec<Drill>,
        pub budget: Budget,
        pub allow: Vec<Allowance>,
        pub severity: BTreeMap<String, Severity>,
        pub today: &'static str,
    }

    impl Specimen {
        /// Each statement ran at once, changed nothing and blocked nobody; every table was probed.
        pub fn of(sql: &str) -> Self {
            let texts = sql.split(';').map(str::trim).filter(|text| !text.is_empty());
            let observations =
                texts.enumerate().map(|(place, text)| observation(statement(place + 1, text), 0, 0.01)).collect();
            let survey = survey();
            let quiet = |table: &TableName| {
                [ProbeKind::Read, ProbeKind::Update].map(|probe| blocked(&table.table, probe, 0.01))
            };
            let steady = survey.tables.keys().flat_map(quiet).collect();
            Self {
                changes: survey.tables.iter().map(|(name, facts)| (name.clone(), change(facts.rows))).collect(),
                survey,
                loud: Rehearsal {
                    id: "upgrade-loud".to_owned(),
                    kind: ExperimentKind::Upgrade,
                    statement: None,
                    loud: true,
                    seconds: 1.0,
                    completed: true,
                    phases: Vec::new(),
                    observations,
                    coverage: Coverage::default(),
                    server_cpu_seconds: None,
                    steady,
                    unchecked: Vec::new(),
                    happened: Happened::default(),
                },
                trials: Vec::new(),
                drills: Vec::new(),
                budget: Budget::default(),
                allow: Vec::new(),
                severity: BTreeMap::new(),
                today: "2026-11-20",
            }
        }

        /// Changes what the statement at a place (from 1) did.
        pub fn with(mut self, place: usize, change: impl FnOnce(&mut Observation)) -> Self {
            change(&mut self.loud.observations[place - 1]);
            self
        }

        /// The statement at a place changed so many rows.
        pub fn changes(self, place: usize, affected: u64, seconds: f64) -> Self {
            self.with(place, |observation| {
                observation.rows.affected = affected;
                observation.seconds = seconds;
            })
        }

        /// A probe waited behind the statement at a place.
        pub fn blocks(self, place: usize, table: &str, probe: ProbeKind, seconds: f64) -> Self {
            self.with(place, |observation| observation.blocked.push(blocked(table, probe, seconds)))
        }

        pub fn judge(&self) -> Findings {
            judge(&Case {
                survey: &self.survey,
                changes: &self.changes,
                loud: &self.loud,
                quiet: &[],
                trials: &self.trials,
                drills: &self.drills,
                budget: &self.budget,
                allow: &self.allow,
                today: self.today,
                flavor: flavor(),
                severity: &self.severity,
            })
        }

        /// What one rule found.
        pub fn found(&self, rule: &str) -> Vec<Finding> {
            self.judge().findings.into_iter().filter(|finding| finding.rule == rule).collect()
        }

        /// The messages of one rule.
        pub fn messages(&self, rule: &str) -> Vec<String> {
            self.found(rule).into_iter().map(|finding| finding.message).collect()
        }
    }

    fn change(rows: u64) -> TableChange {
        TableChange { rows_before: Some(rows), ..TableChange::default() }
    }
}
