//! What `apply` needs for a batched DELETE, against Percona's `pt-archiver --bulk-delete` on the same table in one run
//! (`make bench`): seconds, rows a second, and the longest wait of a probe that updates random rows meanwhile.
//!
//! Half of the rows go, by a condition without an index, scattered over the whole key. Two comparisons, in turn, from
//! the same bytes, medians: the deletion alone; and with a copy of every row that goes, as a plan has it (`pt-archiver`
//! then archives to the same table, which has the primary key alone). `apply` here is its executor without the checks before it.
//!
//! The machine is seldom alone: the two of a pair follow each other, and beside the medians stand those of their ratios, pair
//! by pair, with the load of the machine before each run.
//!
//! `REHEARSE_BENCH_ROWS` (1,000,000), `REHEARSE_BENCH_PAIRS` (3) and `REHEARSE_SERVERS` (`mysql:9.7`) may be set.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mysql::prelude::Queryable as _;
use mysql_rehearsal::apply::{self, record::Ending, record::Options, target::Target};
use mysql_rehearsal::plan::record::Plan;
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::flavor::Flavor;
use mysql_rehearsal::server::role::Role;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

const TABLE: &str = "(id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL, url varchar(255) NOT NULL, \
     created_at datetime NOT NULL, hits int NOT NULL DEFAULT 0, KEY user_id (user_id), KEY created_at (created_at)) \
     ENGINE=InnoDB";
const COLUMNS: [&str; 5] = ["id", "user_id", "url", "created_at", "hits"];
/// Half of them, in no order of the key.
const CONDITION: &str = "CRC32(id) % 2 = 0";

fn main() -> Result<()> {
    let rows = number("REHEARSE_BENCH_ROWS", 1_000_000)?;
    let pairs = number("REHEARSE_BENCH_PAIRS", 3)?;
    let flavor: Flavor = std::env::var("REHEARSE_SERVERS").unwrap_or_else(|_| "mysql:9.7".into()).parse()?;
    let version = Command::new("pt-archiver").arg("--version").output();
    let version = version.context("`pt-archiver` is missing: fixtures/servers/get pt-archiver")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let mut sandbox = prepare(flavor, rows)?;
    println!("{}, {rows} rows, half of them deleted, {pairs} pairs; {version}", sandbox.facts().version);
    for keeps in [false, true] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            // In turn, and the other first every other time.
            for own in [pair % 2 == 0, pair % 2 == 1] {
                sandbox.rewind(&Silent)?;
                rest(sandbox.instance())?;
                let load = load();
                let figures = measure(sandbox.instance(), rows, own, keeps)?;
                let name = if own { "apply" } else { "pt-archiver" };
                println!(
                    "    {name:<12} {:>6.1} s  longest wait {:.3} s  {}(load {load})",
                    figures.seconds, figures.longest, figures.batches
                );
                if own { ours.push(figures) } else { theirs.push(figures) }
            }
        }
        println!("{}:", if keeps { "with a copy of each row" } else { "the deletion alone" });
        for (name, figures) in [("apply", &ours), ("pt-archiver", &theirs)] {
            let median = |of: fn(&Figures) -> f64| middle(figures.iter().map(of).collect());
            println!(
                "  {name:<12} {:>6.1} s  {:>8.0} rows/s  longest wait {:.3} s, 99 % of {:.0} requests within {:.3} s",
                median(|one| one.seconds),
                median(|one| one.deleted / one.seconds),
                median(|one| one.longest),
                median(|one| one.requests),
                median(|one| one.most),
            );
        }
        let ratio = |of: fn(&Figures) -> f64| {
            middle(ours.iter().zip(&theirs).map(|(own, other)| of(own) / of(other)).collect())
        };
        println!(
            "  apply took {:.2} times pt-archiver's time, its longest wait was {:.2} times as long (medians of the pairs)",
            ratio(|one| one.seconds),
            ratio(|one| one.longest),
        );
    }
    Ok(())
}

/// The machine's load in the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn number(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| format!("{name}={text} is no number")))
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One run: how long, how many rows went, and what a probe met meanwhile (seconds).
struct Figures {
    seconds: f64,
    deleted: f64,
    longest: f64,
    most: f64,
    requests: f64,
    /// What `apply` tells of its batches.
    batches: String,
}

fn prepare(flavor: Flavor, rows: u64) -> Result<Sandbox> {
    let request = Request {
        flavor: Some(flavor),
        kind: Kind::Auto,
        image: None,
        settings: BTreeMap::new(),
        cache: None,
        key: String::new(),
        keep_cache: false,
    };
    let digits = "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    Sandbox::prepare(
        &request,
        &mut |instance| {
            let mut writer = instance.writer(Role::Seeder)?;
            writer.execute("CREATE DATABASE app")?;
            writer.execute(&format!("CREATE TABLE app.tracking {TABLE}"))?;
            // As a plan makes it.
            writer.execute("CREATE TABLE app.kept LIKE app.tracking")?;
            writer.execute("ALTER TABLE app.kept DROP INDEX user_id, DROP INDEX created_at")?;
            writer.execute(&format!("CREATE TABLE app.digits AS SELECT n FROM {digits} AS d"))?;
            let block = 10_000;
            for from in (0..rows).step_by(block) {
                writer.execute(&format!(
                    "INSERT INTO app.tracking (id, user_id, url, created_at) \
                     SELECT n, CRC32(n + 1) % 50000, CONCAT('/page/', CRC32(n + 2), '?from=', n), \
                     DATE_ADD('2024-01-01', INTERVAL CRC32(n + 3) % 30000000 SECOND) \
                     FROM (SELECT {from} + 1000 * d.n + 100 * c.n + 10 * b.n + a.n + 1 AS n \
                     FROM app.digits d, app.digits c, app.digits b, app.digits a) AS numbers WHERE n <= {rows} ORDER BY n"
                ))?;
            }
            writer.execute("DROP TABLE app.digits")?;
            Ok(Vec::new())
        },
        &Silent,
    )
}

/// Waits until the server uses less than 5 % of a processor for two seconds.
fn rest(instance: &Instance) -> Result<()> {
    let cpu = || instance.cpu_seconds().context("the server's CPU time cannot be read");
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let before = cpu()?;
        thread::sleep(Duration::from_secs(2));
        if cpu()? - before < 0.1 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the server does not come to rest");
    }
}

fn measure(instance: &Instance, rows: u64, own: bool, keeps: bool) -> Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let (session, flag) = (session(instance)?, Arc::clone(&stop));
    let probe = thread::spawn(move || probe(session, rows, &flag));
    let begun = Instant::now();
    let ran = if own { apply(instance, keeps) } else { archive(instance, keeps).map(|()| String::new()) };
    let seconds = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let mut waits = probe.join().map_err(|_| anyhow::anyhow!("the probe panicked"))??;
    let batches = ran?;
    let mut reader = instance.reader(Role::Keeper)?;
    let count = "SELECT COUNT(*) FROM app.tracking";
    let left: u64 = reader.first(&format!("{count} WHERE {CONDITION}"))?.unwrap_or(0);
    // The archiver leaves the greatest key to the table's AUTO_INCREMENT.
    ensure!(left <= 1, "{left} rows are left");
    let there: u64 = reader.first(count)?.unwrap_or(0);
    let kept: u64 = reader.first("SELECT COUNT(*) FROM app.kept")?.unwrap_or(0);
    ensure!(kept == if keeps { rows - there } else { 0 }, "{kept} rows are kept of {}", rows - there);
    waits.sort_by(f64::total_cmp);
    Ok(Figures {
        seconds,
        deleted: (rows - there) as f64,
        longest: waits.last().copied().unwrap_or(f64::NAN),
        most: waits.get(waits.len() * 99 / 100).copied().unwrap_or(f64::NAN),
        requests: waits.len() as f64,
        batches,
    })
}

fn session(instance: &Instance) -> Result<mysql::Conn> {
    let options = mysql::OptsBuilder::new().user(Some("root")).socket(Some(socket(instance)?)).prefer_socket(false);
    mysql::Conn::new(options).context("cannot open the probe's session")
}

fn socket(instance: &Instance) -> Result<String> {
    match &instance.address().endpoint {
        Endpoint::Socket(socket) => Ok(socket.display().to_string()),
        Endpoint::Tcp { .. } => anyhow::bail!("the server has no socket"),
    }
}

/// The application: one random row at a time, by key. Its waits, in seconds.
fn probe(mut session: mysql::Conn, rows: u64, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut random = Pcg64::seed_from_u64(7);
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let id = random.random_range(1..=rows);
        let begun = Instant::now();
        session.query_drop(format!("UPDATE app.tracking SET hits = hits + 1 WHERE id = {id}"))?;
        waits.push(begun.elapsed().as_secs_f64());
        thread::sleep(Duration::from_millis(2));
    }
    Ok(waits)
}

/// A plan of this one step, carried out.
fn apply(instance: &Instance, keeps: bool) -> Result<String> {
    let copy = serde_json::json!({"into": "app.kept", "columns": COLUMNS, "exact": true});
    let step = serde_json::json!({
        "id": "step-001", "statements": ["s1", "s1"], "count": 1, "title": "deletes half", "session": ["USE `app`"],
        "tasks": [{
            "kind": "batches", "table": "app.tracking", "key": ["id"], "head": "DELETE FROM `app`.`tracking`",
            "condition": CONDITION, "rows": 10_000, "pause_seconds": 0.0, "copy": if keeps { copy } else { ().into() },
        }],
        "guard": {"settings": [], "when_tripped": "", "watch": []}, "takes": null, "blocks": [], "verify": [],
        "undo": {"sql": [], "limit": ""},
    });
    let plan: Plan = serde_json::from_value(serde_json::json!({
        "format": mysql_rehearsal::plan::record::FORMAT, "name": "bench", "preflight": [], "backups": [], "steps": [step],
        "identity": {
            "upgrade_digest": "", "upgrade_statements": 1, "schema_digest": "", "flavor": instance.flavor(),
            "version": instance.version(), "rehearsed": "", "scale": 1.0, "rows": {},
        },
        "scripts": [{"path": "plan/20-001-step.sql", "phase": "step", "step": "step-001", "title": "", "when": "", "sql": ""}],
    }))?;
    let proven = plan.proven().map_err(|reasons| anyhow::anyhow!(reasons.join("; ")))?;
    let summary = apply::carry_out(proven, &Target::sandbox(instance), &Options::default(), &Silent)?;
    ensure!(summary.ending == Ending::Done, "apply ended with {:?}", summary.ending);
    Ok(format!("{} batches, the longest of {:.3} s  ", summary.batches, summary.longest_batch_seconds))
}

fn archive(instance: &Instance, keeps: bool) -> Result<()> {
    let place = format!("h=localhost,u=root,S={},D=app", socket(instance)?);
    let mut command = Command::new("pt-archiver");
    command.args(["--source", &format!("{place},t=tracking"), "--where", CONDITION, "--bulk-delete", "--commit-each"]);
    command.args(["--limit", "10000", "--no-check-charset"]);
    if keeps {
        command.args(["--dest", &format!("{place},t=kept,L=yes"), "--bulk-insert"]);
    } else {
        command.arg("--purge");
    }
    let said = command.stdin(Stdio::null()).output().context("cannot run pt-archiver")?;
    ensure!(said.status.success(), "pt-archiver failed:\n{}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}
