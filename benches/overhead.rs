//! What rehearsing costs, as ratios against a named peer in one run (`make bench`):
//!
//! 1. the quiet run against the stock client, and the loud run against the quiet one, in CPU seconds of the server,
//!    purge included; pairs in turn from the same bytes, medians;
//! 2. filling a table against the plain way: two streams of `LOAD DATA` into the table with its indexes.
//!
//! `REHEARSE_BENCH_ROWS` (1,000,000), `REHEARSE_BENCH_PAIRS` (5) and `REHEARSE_SERVERS` (`mysql:9.7`) may be set.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::replay::{self, experiment::Experiment, record::ExperimentKind};
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::seed;
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::flavor::Flavor;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::{self, record::Survey};

const SCHEMA: &str = "CREATE TABLE tracking (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL, \
     url varchar(255) NOT NULL, created_at datetime NOT NULL, hits int NOT NULL DEFAULT 0, \
     KEY user_id (user_id), KEY created_at (created_at))";
const UPGRADE: &str = "UPDATE tracking SET hits = hits + 1;\nALTER TABLE tracking ADD INDEX hits (hits);\n\
     DELETE FROM tracking WHERE id % 3 = 0;\n";

fn main() -> Result<()> {
    let rows = number("REHEARSE_BENCH_ROWS", 1_000_000)?;
    let pairs = number("REHEARSE_BENCH_PAIRS", 5)?;
    let flavor: Flavor = std::env::var("REHEARSE_SERVERS").unwrap_or_else(|_| "mysql:9.7".into()).parse()?;
    let mut filled = 0.0;
    let mut sandbox = prepare(flavor, &mut |instance| {
        let begun = Instant::now();
        seed::fill(instance, &shape(instance)?, &rows_of(rows), &Silent)?;
        filled = begun.elapsed().as_secs_f64();
        Ok(())
    })?;
    let shape = shape(sandbox.instance())?;
    let options = Options { variables: BTreeMap::new(), database: "app".into(), flavor: shape.server.flavor };
    let script = Script::from_text("bench", UPGRADE, options);

    println!("{}, {rows} rows, {pairs} pairs; CPU seconds of the server", shape.server.flavor);
    let stock = |sandbox: &mut Sandbox, _: &Survey| stock_client(sandbox.instance(), UPGRADE);
    let quiet = |sandbox: &mut Sandbox, shape: &Survey| rehearse(sandbox, shape, &script, false);
    let loud = |sandbox: &mut Sandbox, shape: &Survey| rehearse(sandbox, shape, &script, true);
    compare("quiet run / stock client", pairs, &mut sandbox, &shape, &quiet, &stock)?;
    compare("loud run / quiet run", pairs, &mut sandbox, &shape, &loud, &quiet)?;

    let plain = plain_fill(&mut sandbox)?;
    let (ours, theirs) = (rows as f64 / filled, rows as f64 / plain);
    let ratio = ours / theirs;
    println!(
        "filling: {ours:.0} rows/s; two streams of LOAD DATA into the indexed table: {theirs:.0}; ratio {ratio:.2}"
    );
    Ok(())
}

fn number(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| format!("{name}={text} is no number")))
}

fn rows_of(rows: u64) -> BTreeMap<TableName, u64> {
    BTreeMap::from([(TableName::new("app", "tracking"), rows)])
}

fn prepare(flavor: Flavor, fill: &mut dyn FnMut(&Instance) -> Result<()>) -> Result<Sandbox> {
    let request = Request {
        flavor: Some(flavor),
        kind: Kind::Auto,
        image: None,
        settings: BTreeMap::new(),
        cache: None,
        key: String::new(),
        keep_cache: false,
    };
    let options = Options { variables: BTreeMap::new(), database: "app".into(), flavor };
    let schema = Script::from_text("schema", SCHEMA, options);
    Sandbox::prepare(
        &request,
        &mut |instance| {
            seed::schema::run_file(instance, &schema, "app")?;
            fill(instance)?;
            Ok(Vec::new())
        },
        &Silent,
    )
}

fn shape(instance: &Instance) -> Result<Survey> {
    survey::read::survey(&mut instance.reader(Role::Surveyor)?, &survey::read::Options::default(), &Silent)
}

type Way<'a> = dyn Fn(&mut Sandbox, &Survey) -> Result<()> + 'a;

/// Pairs in turn, A B A B, each from the same bytes; prints the median of the ratios and both ends.
fn compare(name: &str, pairs: u64, sandbox: &mut Sandbox, shape: &Survey, a: &Way<'_>, b: &Way<'_>) -> Result<()> {
    let mut ratios = Vec::new();
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for pair in 0..=pairs {
        let (one, other) = (cpu_of(sandbox, shape, a)?, cpu_of(sandbox, shape, b)?);
        // The first pair warms the machine up and does not count.
        if pair > 0 {
            ratios.push(one / other);
            of_a.push(one);
            of_b.push(other);
        }
    }
    let (low, middle, high) = spread(&mut ratios);
    let (one, other) = (spread(&mut of_a).1, spread(&mut of_b).1);
    println!("{name}: median {middle:.3} (from {low:.3} to {high:.3}); medians {one:.2} s / {other:.2} s");
    Ok(())
}

fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}

/// CPU that the server used for it, until it is at rest again.
fn cpu_of(sandbox: &mut Sandbox, shape: &Survey, way: &Way<'_>) -> Result<f64> {
    sandbox.rewind(&Silent)?;
    rest(sandbox.instance())?;
    let before = cpu(sandbox.instance())?;
    way(sandbox, shape)?;
    rest(sandbox.instance())?;
    Ok(cpu(sandbox.instance())? - before)
}

fn cpu(instance: &Instance) -> Result<f64> {
    instance.cpu_seconds().context("the server's CPU time cannot be read")
}

/// Waits until the server uses less than 5 % of a processor for two seconds.
fn rest(instance: &Instance) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let before = cpu(instance)?;
        thread::sleep(Duration::from_secs(2));
        if cpu(instance)? - before < 0.1 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the server does not come to rest");
    }
}

fn rehearse(sandbox: &mut Sandbox, shape: &Survey, script: &Script, loud: bool) -> Result<()> {
    let experiment = Experiment { loud, ..Experiment::quiet("bench", ExperimentKind::Upgrade, script, "app") };
    let rehearsal = replay::run(&experiment, sandbox.instance(), shape, &Silent)?;
    ensure!(rehearsal.completed, "the upgrade failed");
    Ok(())
}

/// A vendor's own client on the same socket.
fn stock_client(instance: &Instance, sql: &str) -> Result<()> {
    let mut command = client(instance)?;
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot run `mariadb`")?;
    running.stdin.take().context("no way in")?.write_all(sql.as_bytes())?;
    ensure!(running.wait()?.success(), "the stock client failed");
    Ok(())
}

fn client(instance: &Instance) -> Result<Command> {
    let Endpoint::Socket(socket) = &instance.address().endpoint else { anyhow::bail!("the server has no socket") };
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--user=root", "--local-infile=1", "--database=app"]);
    command.arg(format!("--socket={}", socket.display()));
    Ok(command)
}

/// The peer of filling: the same rows, from two files, by two clients, into the table with its indexes.
fn plain_fill(sandbox: &mut Sandbox) -> Result<f64> {
    sandbox.rewind(&Silent)?;
    let directory = tempfile::tempdir()?;
    let file = |half: u64| directory.path().join(format!("rows-{half}.tsv"));
    for half in 0..2 {
        let side = if half == 0 { "<=" } else { ">" };
        let query = format!("SELECT * FROM tracking WHERE id {side} (SELECT MAX(id) DIV 2 FROM tracking)");
        let out = std::fs::File::create(file(half))?;
        let mut dump = client(sandbox.instance())?;
        ensure!(dump.args(["--batch", "--skip-column-names", "--quick", "-e", &query]).stdout(out).status()?.success());
    }
    let mut writer = sandbox.instance().writer(Role::Seeder)?;
    writer.execute("DROP TABLE app.tracking")?;
    writer.execute(&SCHEMA.replace("CREATE TABLE tracking", "CREATE TABLE app.tracking"))?;
    let begun = Instant::now();
    let mut loads = Vec::new();
    for half in 0..2 {
        let load = format!("LOAD DATA LOCAL INFILE '{}' INTO TABLE tracking", file(half).display());
        loads.push(client(sandbox.instance())?.args(["-e", &load]).spawn()?);
    }
    for mut load in loads {
        ensure!(load.wait()?.success(), "LOAD DATA failed");
    }
    Ok(begun.elapsed().as_secs_f64())
}
