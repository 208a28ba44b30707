//! Forecasts of DDL held against what the servers really do: the manual's, and the empty twin's, over every alteration of
//! `fixtures/forecast/alters.txt`. Each disagreement is listed in `fixtures/forecast/disagreements.txt`; none counts as
//! right. `UPDATE_GOLDEN=1` rewrites that list.

mod bench;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::execute::record::{Algorithm, DdlLock};
use mysql_rehearsal::execute::{self, ask, twin};
use mysql_rehearsal::forecast::ddl;
use mysql_rehearsal::forecast::record::DdlForecast;
use mysql_rehearsal::forecast::scene::{Scene, SessionFacts};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::replay;
use mysql_rehearsal::replay::experiment::Experiment;
use mysql_rehearsal::replay::record::ExperimentKind;
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::ability::Ability as _;
use mysql_rehearsal::server::fault::Fault;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::{ReadOnly, Writer};
use mysql_rehearsal::sql::record::{Action, Statement, TableName};
use mysql_rehearsal::sql::retarget::{self, Retargeted};
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::read;
use mysql_rehearsal::survey::record::Survey;

use self::bench::Bench;
use super::servers::Servers;

/// Forecasts that must be right, in percent.
const LEAST: f64 = 95.0;

/// Rows of every shape: values that every alteration can take, so that nothing but the algorithm decides.
const ROWS: &str = "INSERT INTO t (id, n, u, v, w, c, d, e, s, x, dt, ts) VALUES \
    (1, 1, 1, 'a', 'a', 'a', 1.5, 'a', 'x', 'a', '2020-01-01 00:00:00', '2020-01-01 00:00:00'), \
    (2, 2, 2, 'b', 'b', 'b', 2.5, 'a', 'x', 'b', '2020-01-02 00:00:00', '2020-01-02 00:00:00'), \
    (3, 3, 3, 'c', 'c', 'c', 3.5, 'a', 'x', 'c', '2020-01-03 00:00:00', '2020-01-03 00:00:00')";

pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let trial = |name: &str, server: fn(&Servers) -> Result<Instance, Failed>| {
        let servers = Arc::clone(servers);
        Trial::test(format!("forecasts_agree_with_{name}"), move || agree(&servers, &server(&servers)?))
    };
    let quiet = |name: &str, server: fn(&Servers) -> Result<Instance, Failed>| {
        let servers = Arc::clone(servers);
        Trial::test(format!("forecasts_are_asked_of_an_empty_twin_on_{name}"), move || {
            asked(&servers, &server(&servers)?)
        })
    };
    let limit = {
        let servers = Arc::clone(servers);
        Trial::test("forecasts_know_of_row_versions_that_are_used_up", move || used_up(&servers, &servers.mysql()?))
    };
    vec![
        limit,
        quiet("mysql_9_7", Servers::mysql),
        quiet("mariadb_10_11", Servers::mariadb),
        trial("mysql_9_7", Servers::mysql),
        trial("mariadb_10_11", Servers::mariadb),
        trial("mariadb_11_8", Servers::mariadb_11),
    ]
}

/// The quiet run of an upgrade asks a twin before each DDL, in the session's state, and leaves nothing of it behind.
fn asked(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Seeder)?;
    writer.use_database(&database)?;
    writer
        .execute("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NULL, v VARCHAR(20) NOT NULL) ENGINE = InnoDB")?;
    writer.execute("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")?;
    let mut reader = instance.reader(Role::Surveyor)?;
    let options = read::Options { databases: vec![database.clone()], ..read::Options::default() };
    let survey = read::survey(&mut reader, &options, &Silent)?;
    let options = Options { variables: BTreeMap::new(), database: database.clone(), flavor: instance.flavor() };
    let text = "ALTER TABLE t ADD COLUMN z INT;\nALTER TABLE t MODIFY n BIGINT NULL;\nSET old_alter_table = 1;\n\
                ALTER TABLE t ADD INDEX n_key (n);\nALTER TABLE nothing ADD COLUMN z INT;\n";
    let script = Script::from_text("upgrade.sql", text, options);
    let experiment = Experiment::quiet("twins", ExperimentKind::Upgrade, &script, &database);
    let rehearsal = replay::run(&experiment, instance, &survey, &Silent).map_err(|error| format!("{error:#}"))?;
    let twins: Vec<Option<(Algorithm, DdlLock)>> =
        rehearsal.observations.iter().map(|seen| seen.twin.as_ref().map(|twin| (twin.algorithm, twin.lock))).collect();
    let copied = Some((Algorithm::Copy, DdlLock::Shared));
    assert_eq!(twins, [Some((Algorithm::Instant, DdlLock::None)), copied, None, copied, None]);
    for seen in rehearsal.observations.iter().filter(|seen| seen.twin.is_some()) {
        let facts = seen.ddl.ok_or("no facts")?;
        assert_eq!(facts.lock, seen.twin.as_ref().map(|twin| twin.lock), "{}", seen.statement.text);
    }
    // Other trials may be asking at this moment: theirs belong to sessions that are there.
    let left = reader.rows::<(String,)>(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'rehearse\\_twin%' AND NOT EXISTS \
         (SELECT * FROM information_schema.PROCESSLIST WHERE ID = SUBSTRING_INDEX(SCHEMA_NAME, '_', -1))",
    )?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

/// MySQL counts INSTANT row versions; with the last one gone it rebuilds without a word, which an empty table does not show.
fn used_up(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Keeper)?;
    writer.execute("SET SESSION sql_log_bin = 0")?;
    writer.use_database(&database)?;
    writer.execute("CREATE TABLE t (id INT NOT NULL PRIMARY KEY) ENGINE = InnoDB")?;
    writer.execute("INSERT INTO t VALUES (1), (2)")?;
    let most = instance.flavor().most_row_versions().ok_or("no limit")?;
    for number in 0..most {
        writer.execute(&format!("ALTER TABLE t ADD COLUMN c{number} TINYINT NULL, ALGORITHM = INSTANT"))?;
    }
    let mut bench = Bench::new(servers, instance, BTreeMap::new())?;
    bench.database = database;
    bench.writer.use_database(&bench.database)?;
    let survey = bench.survey()?;
    let case = Case { shape: String::new(), state: Vec::new(), text: "ADD COLUMN z INT".to_owned() };
    let statement = bench.statement(&case)?;
    let (table, _) = ask::altered(&statement).ok_or("no table")?;
    let scene = Scene::of(instance.flavor(), SessionFacts::default(), Some(&survey), &table);
    let manual = ddl::forecast(statement.reading.kind, &statement.reading.effect, &scene).ok_or("no forecast")??;
    let state = twin::state(&mut bench.writer)?;
    let answer = twin::ask(instance, &mut bench.reader, &statement, &bench.database, &state)?.ok_or("no twin")??;
    let twin = DdlForecast::from_twin(&answer);
    let before = ask::look(&mut bench.reader, instance.flavor(), bench.thread, &table, &table, true)?;
    let done = bench.writer.execute(&statement.text)?;
    let real = ask::after(&mut bench.reader, instance.flavor(), &before, statement.reading.kind, done.affected)?;
    let real = real.ok_or("nothing was seen")?;
    assert_eq!((real.algorithm, real.rebuilds), (Algorithm::Inplace, true));
    for forecast in [manual, twin] {
        assert_eq!((forecast.algorithm, forecast.rebuilds), (real.algorithm, real.rebuilds), "{forecast:?}");
        assert!(forecast.why.contains("used up"), "{}", forecast.why);
    }
    Ok(())
}

/// One alteration of one shape.
#[derive(Clone, Debug)]
struct Case {
    shape: String,
    state: Vec<(String, String)>,
    text: String,
}

impl Case {
    fn name(&self) -> String {
        let state: Vec<String> = self.state.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
        let state = if state.is_empty() { String::new() } else { format!("{{{}}} ", state.join(", ")) };
        format!("{} | {state}{}", self.shape, self.text)
    }

    fn statement(&self) -> String {
        let whole = ["CREATE ", "DROP INDEX ", "OPTIMIZE TABLE "].iter().any(|verb| self.text.starts_with(verb));
        // `DROP INDEX i` without a table is a clause.
        let whole = whole && (!self.text.starts_with("DROP INDEX") || self.text.contains(" ON t"));
        if whole { self.text.clone() } else { format!("ALTER TABLE t {}", self.text) }
    }
}

/// The statements that make each shape of table, by its name.
type Shapes = BTreeMap<String, Vec<String>>;

/// The fixture: shapes and, in order, their alterations.
fn fixture(vendor: &str) -> Result<(Shapes, Vec<Case>), Failed> {
    let text = fs::read_to_string(directory().join("alters.txt"))?;
    let (mut shapes, mut cases): (BTreeMap<String, Vec<String>>, Vec<Case>) = Default::default();
    let (mut shape, mut targets) = (None, Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= shape ") {
            shape = Some(name.to_owned());
            shapes.insert(name.to_owned(), vec![String::new()]);
        } else if let Some(names) = line.strip_prefix("= alter ") {
            shape = None;
            targets = names.split_whitespace().map(str::to_owned).collect();
        } else if let Some(texts) = shape.as_ref().and_then(|name| shapes.get_mut(name)) {
            if let Some(text) = texts.last_mut() {
                text.push_str(line);
                text.push('\n');
            }
            if line.ends_with(';') {
                texts.push(String::new());
            }
        } else if !line.trim().is_empty() {
            let line = match line.split_once(": ").filter(|(word, _)| matches!(*word, "mysql" | "mariadb")) {
                Some((word, rest)) if word == vendor => rest,
                Some(_) => continue,
                None => line,
            };
            let (state, text) = match line.strip_prefix('{').and_then(|rest| rest.split_once("} ")) {
                Some((state, text)) => (pairs(state), text),
                None => (Vec::new(), line),
            };
            for shape in &targets {
                cases.push(Case { shape: shape.clone(), state: state.clone(), text: text.to_owned() });
            }
        }
    }
    for texts in shapes.values_mut() {
        texts.retain(|text| !text.trim().is_empty());
    }
    Ok((shapes, cases))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair =
        |text: &str| text.split_once(" = ").map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
    text.split(", ").filter_map(pair).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/forecast")
}

fn outcome(algorithm: Algorithm, rebuilds: bool, lock: DdlLock) -> String {
    let lock = match lock {
        DdlLock::None => "none",
        DdlLock::Shared => "shared",
        DdlLock::Exclusive => "exclusive",
    };
    match (algorithm, rebuilds) {
        (Algorithm::Instant, _) => "instant".to_owned(),
        (Algorithm::Inplace, false) => format!("inplace, lock {lock}"),
        (Algorithm::Inplace, true) => format!("inplace rebuild, lock {lock}"),
        (Algorithm::Copy, _) => format!("copy, lock {lock}"),
    }
}

fn agree(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let flavor = instance.flavor();
    let (shapes, cases) = fixture(flavor.vendor_name())?;
    let mut bench = Bench::new(servers, instance, shapes)?;
    let mut surveys: BTreeMap<String, Survey> = BTreeMap::new();
    let mut seen = Vec::new();
    let mut right = [0, 0];
    for case in &cases {
        bench.stand(&case.shape)?;
        if !surveys.contains_key(&case.shape) {
            surveys.insert(case.shape.clone(), bench.survey()?);
        }
        let statement = bench.statement(case)?;
        bench.set(&case.state)?;
        let state = twin::state(&mut bench.writer)?;
        let (table, _) = ask::altered(&statement).ok_or("no table")?;
        let session = SessionFacts::from_settings(&state.iter().cloned().collect());
        let scene = Scene::of(flavor, session, surveys.get(&case.shape), &table);
        let manual = ddl::forecast(statement.reading.kind, &statement.reading.effect, &scene).ok_or("no forecast")?;
        let database = bench.database.clone();
        let answer = twin::ask(&bench.instance, &mut bench.reader, &statement, &database, &state)?;
        let answer = answer.ok_or("no twin")?.map(|answer| DdlForecast::from_twin(&answer));
        let truth = bench.truth(case, &statement)?;
        for (place, (basis, forecast)) in [("manual", manual), ("twin", answer)].into_iter().enumerate() {
            let (said, why) = match forecast {
                Err(why) => ("unknown".to_owned(), why),
                Ok(forecast) => match forecast.refused {
                    Some(why) => ("refused".to_owned(), why),
                    None => (outcome(forecast.algorithm, forecast.rebuilds, forecast.lock), forecast.why),
                },
            };
            if said == truth.split(" (").next().unwrap_or_default() {
                right[place] += 1;
            } else {
                let key =
                    format!("{}:{}.{} | {basis} | {}", flavor.vendor_name(), flavor.major, flavor.minor, case.name());
                seen.push((key, format!("{said} | {truth}"), why));
            }
        }
    }
    let share = |right: usize| right as f64 * 100.0 / cases.len() as f64;
    println!(
        "{flavor}: of {} alterations the manual forecasts {} ({:.1} %), an empty twin {} ({:.1} %)",
        cases.len(),
        right[0],
        share(right[0]),
        right[1],
        share(right[1])
    );
    if right.iter().any(|right| share(*right) < LEAST) {
        return Err(format!("fewer than {LEAST} % of the forecasts are right").into());
    }
    listed(&format!("{}:{}.{} ", flavor.vendor_name(), flavor.major, flavor.minor), seen)
}

/// Holds what was seen of one server against the list: nothing missing, nothing that has gone.
fn listed(server: &str, seen: Vec<(String, String, String)>) -> Result<(), Failed> {
    static LIST: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LIST.lock().unwrap_or_else(PoisonError::into_inner);
    let path = directory().join("disagreements.txt");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let (head, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#') || line.is_empty());
    // A line: server | basis | shape | alteration | forecast | truth | why. The reason is a person's, and is kept.
    let known: BTreeMap<String, &str> = lines
        .iter()
        .filter(|line| line.starts_with(server))
        .filter_map(|line| line.rsplit_once(" | "))
        .map(|(key, why)| (key.to_owned(), why))
        .collect();
    let now: BTreeMap<String, String> =
        seen.into_iter().map(|(key, what, why)| (format!("{key} | {what}"), why.replace(" | ", ", "))).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        let mut all: Vec<String> =
            lines.iter().filter(|line| !line.starts_with(server)).map(|line| (*line).to_owned()).collect();
        all.extend(now.iter().map(|(key, why)| format!("{key} | {}", known.get(key).copied().unwrap_or(why.as_str()))));
        all.sort();
        fs::write(&path, format!("{}\n{}\n", head.join("\n"), all.join("\n")))?;
        return Ok(());
    }
    let new: Vec<String> =
        now.iter().filter(|(key, _)| !known.contains_key(*key)).map(|(key, why)| format!("  {key} | {why}")).collect();
    let gone: Vec<String> = known.keys().filter(|key| !now.contains_key(*key)).map(|key| format!("  {key}")).collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(());
    }
    Err(format!(
        "fixtures/forecast/disagreements.txt is not what was seen (UPDATE_GOLDEN=1 rewrites it).\nnot listed:\n{}\n\
         listed, but gone:\n{}",
        new.join("\n"),
        gone.join("\n")
    )
    .into())
}
