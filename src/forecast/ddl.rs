//! A statement's forecast: the ways of its clauses together, and what it asks for itself.

use super::clause;
use super::record::{DdlForecast, ForecastBasis};
use super::scene::Scene;
use super::way::{Stop, Way, Work};
use crate::replay::record::{Algorithm, DdlLock};
use crate::server::ability::Ability as _;
use crate::sql::record::{AlterClass, AlterClause, Effect, Kind};

/// What the server will do with a DDL, by its manual. None for statements that use no algorithm; `Err` says why it
/// cannot be told.
pub fn forecast(kind: Kind, effect: &Effect, scene: &Scene<'_>) -> Option<Result<DdlForecast, String>> {
    let asked = matches!(kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex | Kind::Optimize);
    if !asked || effect.temporary {
        return None;
    }
    Some(match way(kind, effect, scene) {
        Ok(way) => known(way, &Asked::of(&effect.clauses), scene),
        Err(Stop::Refused(why)) => Ok(refused_outright(why)),
        Err(Stop::Unknown(why)) => Err(why),
    })
}

/// The way of all clauses together.
fn way(kind: Kind, effect: &Effect, scene: &Scene<'_>) -> Result<Way, Stop> {
    if kind == Kind::Optimize {
        return Ok(match scene.is_innodb() {
            true => scene.rebuild(&[], "OPTIMIZE of an InnoDB table is ALTER TABLE … FORCE."),
            false => Way {
                lock: DdlLock::Exclusive,
                ..Way::copy("OPTIMIZE writes the table's files anew while it holds the table.")
            },
        });
    }
    let clauses: Vec<&AlterClause> = effect
        .clauses
        .iter()
        .filter(|clause| !matches!(clause.class, AlterClass::Algorithm | AlterClass::Lock))
        .collect();
    if clauses.is_empty() {
        return Err(Stop::Unknown("No clause of it was understood.".to_owned()));
    }
    let mut together: Option<Way> = None;
    for clause in &clauses {
        let next = clause::way(clause, &clauses, scene)?;
        together = Some(match together {
            None => next,
            Some(way) => way.with(next, scene.is_mariadb()),
        });
    }
    together.ok_or_else(|| Stop::Unknown("No clause of it was understood.".to_owned()))
}

/// The ALGORITHM and LOCK that the statement asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    algorithm: Option<String>,
    lock: Option<DdlLock>,
}

impl Asked {
    fn of(clauses: &[AlterClause]) -> Self {
        let mut asked = Self::default();
        for clause in clauses {
            let word = clause.text.rsplit(['=', ' ']).next().unwrap_or_default().trim().to_ascii_uppercase();
            match (clause.class, word.as_str()) {
                (_, "DEFAULT") => {}
                (AlterClass::Algorithm, _) => asked.algorithm = Some(word),
                (AlterClass::Lock, "NONE") => asked.lock = Some(DdlLock::None),
                (AlterClass::Lock, "SHARED") => asked.lock = Some(DdlLock::Shared),
                (AlterClass::Lock, "EXCLUSIVE") => asked.lock = Some(DdlLock::Exclusive),
                _ => {}
            }
        }
        asked
    }
}

/// What becomes of a way under what the statement, or else its session, asks for.
fn known(way: Way, asked: &Asked, scene: &Scene<'_>) -> Result<DdlForecast, String> {
    let natural = outcome(&way, scene);
    // Without the table's definition, only what is bad for any table is sure.
    if scene.table.is_none() && matches!(way.work, Work::Metadata | Work::Index) || scene.table.is_none() && way.instant
    {
        return Err(format!(
            "The table's definition is not known, and the server's choice depends on it. On a plain InnoDB table: {}",
            lower(&way.why)
        ));
    }
    let session = scene.session.algorithm.clone().filter(|_| !scene.flavor.ignores_alter_algorithm());
    let by_session = asked.algorithm.is_none() && session.is_some();
    let algorithm = asked.algorithm.clone().or(session);
    let copy = || {
        let lock = copy_lock(&way, scene);
        DdlForecast {
            algorithm: Algorithm::Copy,
            rebuilds: true,
            lock,
            explicit: format!("ALGORITHM=COPY, LOCK={}", word(lock)),
            why: format!("It asks for a copy{}.", if by_session { " by its session's alter_algorithm" } else { "" }),
            ..natural.clone()
        }
    };
    let refuse = |what: &str| DdlForecast {
        refused: Some(format!("{what} cannot serve it: {}", lower(&way.why))),
        ..natural.clone()
    };
    let mut chosen = match algorithm.as_deref() {
        None => natural.clone(),
        Some("COPY") => copy(),
        Some("INSTANT") if !way.instant => return Ok(refuse("ALGORITHM=INSTANT")),
        Some("NOCOPY") if !way.instant && way.work >= Work::Rebuild => return Ok(refuse("ALGORITHM=NOCOPY")),
        Some("INPLACE") if !way.instant && way.work == Work::Copy => return Ok(refuse("ALGORITHM=INPLACE")),
        // MySQL takes INPLACE by its word and rebuilds for what could be instant; MariaDB takes the best that is no copy.
        Some("INPLACE") if way.instant && !scene.is_mariadb() => {
            if way.work == Work::Copy {
                return Ok(refuse("ALGORITHM=INPLACE"));
            }
            outcome(&Way { instant: false, ..way.clone() }, scene)
        }
        Some(_) => natural.clone(),
    };
    if let Some(lock) = asked.lock
        && chosen.algorithm != Algorithm::Instant
    {
        if lock < chosen.lock {
            // MariaDB 11.2 and later then copies, beside writers.
            let online = scene.copies_online() && algorithm.is_none() && way.work != Work::Copy;
            if !online || copy().lock > lock {
                return Ok(refuse(&format!("LOCK={}", word(lock))));
            }
            chosen = copy();
        }
        chosen.lock = chosen.lock.max(lock);
    }
    Ok(chosen)
}

/// What the server does by itself.
fn outcome(way: &Way, scene: &Scene<'_>) -> DdlForecast {
    let (algorithm, rebuilds, lock, explicit) = match (way.instant, way.work) {
        (true, _) => (Algorithm::Instant, false, DdlLock::None, "ALGORITHM=INSTANT".to_owned()),
        (false, Work::Metadata) => {
            (Algorithm::Instant, false, DdlLock::None, "ALGORITHM=INPLACE, LOCK=NONE".to_owned())
        }
        (false, Work::Copy) => {
            let lock = copy_lock(way, scene);
            (Algorithm::Copy, true, lock, format!("ALGORITHM=COPY, LOCK={}", word(lock)))
        }
        (false, work) => {
            let explicit = format!("ALGORITHM=INPLACE, LOCK={}", word(way.lock));
            (Algorithm::Inplace, work == Work::Rebuild, way.lock, explicit)
        }
    };
    let why = way.why.clone();
    DdlForecast { algorithm, rebuilds, lock, explicit, basis: ForecastBasis::Manual, refused: None, why }
}

/// What a copy leaves to others.
fn copy_lock(way: &Way, scene: &Scene<'_>) -> DdlLock {
    let demanded = if way.work == Work::Copy { way.lock } else { DdlLock::None };
    let online = scene.copies_online() && !way.offline;
    demanded.max(if online { DdlLock::None } else { DdlLock::Shared })
}

fn refused_outright(why: String) -> DdlForecast {
    DdlForecast {
        algorithm: Algorithm::Instant,
        rebuilds: false,
        lock: DdlLock::None,
        explicit: String::new(),
        basis: ForecastBasis::Manual,
        refused: Some(why.clone()),
        why,
    }
}

fn word(lock: DdlLock) -> &'static str {
    match lock {
        DdlLock::None => "NONE",
        DdlLock::Shared => "SHARED",
        DdlLock::Exclusive => "EXCLUSIVE",
    }
}

/// A sentence within a sentence.
fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    let second_is_lower = sentence.chars().nth(1).is_some_and(|c| c.is_lowercase() || c == ' ');
    if second_is_lower { first.into_iter().chain(chars).collect() } else { sentence.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forecast::scene::SessionFacts;
    use crate::survey::record::TableFacts;

    fn table(row_versions: u64) -> TableFacts {
        let facts = json!({
            "create": "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `n` int NOT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            "rows": 9_000_000, "rows_basis": "stated", "engine": "InnoDB", "row_versions": row_versions,
            "columns": [
                {"name": "id", "data_type": "int", "column_type": "int", "nullable": false},
                {"name": "n", "data_type": "int", "column_type": "int", "nullable": false},
            ],
            "indexes": [{"name": "PRIMARY", "unique": true, "kind": "BTREE", "columns": [{"name": "id"}]}],
        });
        serde_json::from_value(facts).expect("facts of a table")
    }

    fn told(flavor: &str, table: Option<&TableFacts>, text: &str) -> Result<DdlForecast, String> {
        let flavor = flavor.parse().expect("a flavor");
        // The parser of statements is another folder's: its reading is taken as a record.
        let clause = |class, text: &str, object: Option<&str>| AlterClause::new(class, text, object.map(str::to_owned));
        let column = |name: &str, first: bool| crate::sql::record::ColumnDefinition {
            name: name.to_owned(),
            data_type: "int".to_owned(),
            place: first.then_some(crate::sql::record::Place::First),
            ..Default::default()
        };
        let clauses = match text {
            "ADD" => vec![AlterClause {
                columns: vec![column("z", false)],
                ..clause(AlterClass::AddColumn, text, Some("z"))
            }],
            "ADD FIRST" => {
                vec![AlterClause { columns: vec![column("z", true)], ..clause(AlterClass::AddColumn, text, Some("z")) }]
            }
            "DROP" => vec![clause(AlterClass::DropColumn, text, Some("n"))],
            "RENAME" => vec![clause(AlterClass::RenameColumn, text, Some("n"))],
            _ => {
                vec![clause(AlterClass::Force, text, None), clause(AlterClass::Algorithm, "ALGORITHM = INSTANT", None)]
            }
        };
        let scene = Scene { flavor, session: SessionFacts::default(), table, children: Vec::new() };
        let effect = Effect { clauses, ..Effect::default() };
        forecast(Kind::AlterTable, &effect, &scene).expect("an algorithm")
    }

    /// MySQL 8.0's manual, "Online DDL Operations", and MariaDB's, "Instant ADD COLUMN for InnoDB"; none of these versions
    /// runs in the tests.
    #[test]
    fn versions_differ_as_their_manuals_say() {
        let cases = [
            ("mysql:5.7.40", "ADD", true),
            ("mysql:8.0.12", "ADD", false),
            ("mysql:8.0.28", "ADD FIRST", true),
            ("mysql:8.0.29", "ADD FIRST", false),
            ("mysql:8.0.28", "DROP", true),
            ("mysql:8.0.29", "DROP", false),
            ("mysql:5.7.40", "RENAME", false),
            ("mariadb:10.3.2", "ADD", false),
            ("mariadb:10.3.2", "ADD FIRST", true),
            ("mariadb:10.3.2", "DROP", true),
            ("mariadb:10.4.0", "DROP", false),
        ];
        for (flavor, text, rebuilds) in cases {
            let seen = told(flavor, Some(&table(0)), text).expect(text);
            assert_eq!(seen.rebuilds, rebuilds, "{flavor} {text}: {seen:?}");
        }
        assert_eq!(
            told("mysql:5.7.40", Some(&table(0)), "RENAME").expect("known").explicit,
            "ALGORITHM=INPLACE, LOCK=NONE"
        );
    }

    #[test]
    fn row_versions_run_out() {
        for (flavor, used, rebuilds) in [
            ("mysql:8.0.36", 63, false),
            ("mysql:8.0.36", 64, true),
            ("mysql:9.7.4", 64, false),
            ("mysql:9.7.4", 255, true),
        ] {
            assert_eq!(told(flavor, Some(&table(used)), "ADD").expect("known").rebuilds, rebuilds, "{flavor} {used}");
        }
    }

    #[test]
    fn what_the_statement_asks_may_be_refused() {
        let seen = told("mysql:9.7.4", Some(&table(0)), "FORCE").expect("known");
        assert!(seen.refused.expect("refused").starts_with("ALGORITHM=INSTANT cannot serve it: "));
        assert!(seen.rebuilds, "what it would do unasked");
    }

    #[test]
    fn without_a_definition_only_what_is_bad_for_any_table_is_said() {
        assert!(
            told("mysql:9.7.4", None, "ADD").expect_err("unknown").contains("On a plain InnoDB table: the new column")
        );
        assert!(told("mysql:5.7.40", None, "ADD").expect("known").rebuilds);
    }
}
