//! What the capture proxy costs, as ratios against the same server without it, in turn (`make bench`): sysbench's
//! `oltp_read_write` (transactions/s), one query's latency, and a `LOAD DATA LOCAL`. Beside it MySQL Router, which passes the
//! same packets and keeps nothing, where its image is here (`fixtures/servers/get mysql-router:9.7`).
//!
//! `REHEARSE_BENCH_PAIRS` (3), `REHEARSE_BENCH_SECONDS` (10) and `REHEARSE_SERVERS` (`mysql:9.7`) may be set.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mysql::prelude::Queryable;
use mysql::{Conn, LocalInfileHandler, OptsBuilder};
use mysql_rehearsal::capture::proxy::{Listen, Options, Proxy};
use mysql_rehearsal::capture::record::{Event, Listener};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::{Kind, Request, Sandbox};
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;

/// Counts what it hears.
#[derive(Debug, Default)]
struct Counts(AtomicU64);

impl Listener for Counts {
    fn hear(&self, _: Event) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn main() -> Result<()> {
    let pairs = number("REHEARSE_BENCH_PAIRS", 3)?;
    let seconds = number("REHEARSE_BENCH_SECONDS", 10)?.to_string();
    let flavor = std::env::var("REHEARSE_SERVERS").unwrap_or_else(|_| "mysql:9.7".into()).parse()?;
    let request = Request {
        flavor: Some(flavor),
        kind: Kind::Auto,
        image: None,
        settings: Default::default(),
        cache: None,
        key: String::new(),
        keep_cache: false,
    };
    let sandbox = Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)?;
    let instance = sandbox.instance();
    let Endpoint::Socket(direct) = instance.address().endpoint.clone() else { anyhow::bail!("no socket") };
    let mut keeper = instance.writer(Role::Keeper)?;
    keeper.execute("CREATE DATABASE bench")?;
    keeper.execute("SET GLOBAL local_infile = 1")?;
    let directory = tempfile::tempdir()?;
    let through = directory.path().join("proxy.sock");
    let mut options = Options::new(instance.address().clone());
    options.files = Some(directory.path().join("files"));
    let counts = Arc::new(Counts::default());
    let proxy = Proxy::start(vec![Listen::Unix(through.clone())], options, Arc::<Counts>::clone(&counts))?;
    let router = Router::start(&direct, directory.path())?;
    let beside = router.as_ref().map_or("MySQL Router is not here", |_| "beside MySQL Router");
    println!("{}, {pairs} rounds of {seconds} s, {beside}", instance.version());
    let mut ways = vec![("direct", direct.as_path()), ("the proxy", through.as_path())];
    ways.extend(router.as_ref().map(|router| ("MySQL Router", router.socket.as_path())));

    sysbench(&direct, &["prepare"])?;
    compare("transactions/s, oltp_read_write, 4 threads", pairs, &ways, |socket| {
        let printed = sysbench(socket, &["--threads=4", &format!("--time={seconds}"), "run"])?;
        let rate = printed.split_once("transactions:").and_then(|(_, rest)| rest.split_once('(')).map(|(_, rest)| rest);
        let rate = rate.and_then(|rest| rest.split_whitespace().next()).context("sysbench tells no rate")?;
        rate.parse().context("sysbench's rate is no number")
    })?;
    compare("microseconds a query, SELECT 1, median of 5,000", pairs, &ways, |socket| {
        let mut conn = connect(socket, 0)?;
        let mut times = Vec::new();
        for _ in 0..5_000 {
            let begun = Instant::now();
            conn.query_drop("SELECT 1")?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(times))
    })?;
    compare("rows/s, LOAD DATA LOCAL of 500,000 rows", pairs, &ways, |socket| {
        let mut conn = connect(socket, 500_000)?;
        conn.query_drop("DROP TABLE IF EXISTS loaded")?;
        conn.query_drop("CREATE TABLE loaded (id INT PRIMARY KEY, v VARCHAR(100))")?;
        let begun = Instant::now();
        conn.query_drop("LOAD DATA LOCAL INFILE 'rows' INTO TABLE loaded")?;
        Ok(500_000.0 / begun.elapsed().as_secs_f64())
    })?;
    println!("{} events were told", counts.0.load(Ordering::Relaxed));
    proxy.stop()
}

fn number(name: &str, default: usize) -> Result<usize> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| format!("{name} is no number")))
}

fn connect(socket: &Path, rows: usize) -> Result<Conn> {
    let sends = LocalInfileHandler::new(move |_, writer| {
        (0..rows)
            .try_for_each(|id| writeln!(writer, "{id}\tsome text that is of about the length of a line in a table"))
    });
    let options = OptsBuilder::new().user(Some("root")).db_name(Some("bench")).local_infile_handler(Some(sends));
    Ok(Conn::new(options.prefer_socket(false).socket(Some(socket.to_string_lossy())))?)
}

fn sysbench(socket: &Path, words: &[&str]) -> Result<String> {
    let ran = Command::new("sysbench")
        .arg("oltp_read_write")
        .args(["--db-driver=mysql", "--mysql-user=root", "--mysql-db=bench", "--tables=4", "--table-size=20000"])
        .arg(format!("--mysql-socket={}", socket.display()))
        .args(words)
        .output()
        .context("cannot run sysbench (fixtures/servers/get sysbench)")?;
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    ensure!(ran.status.success(), "sysbench failed: {printed}{}", String::from_utf8_lossy(&ran.stderr));
    Ok(printed)
}

/// Measures all ways in turn, and prints their medians and the ratios to the first.
fn compare(what: &str, rounds: usize, ways: &[(&str, &Path)], measure: impl Fn(&Path) -> Result<f64>) -> Result<()> {
    let mut figures = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for ((name, socket), figures) in ways.iter().zip(&mut figures) {
            figures.push(measure(socket).with_context(|| format!("{what}, {name}"))?);
        }
    }
    let medians: Vec<f64> = figures.into_iter().map(median).collect();
    println!("{what}:");
    for ((name, _), median) in ways.iter().zip(&medians) {
        println!("  {name} {median:.0}, ratio {:.2}", median / medians[0]);
    }
    Ok(())
}

/// MySQL Router before the same server, in a container.
struct Router {
    socket: PathBuf,
    container: String,
}

impl Router {
    /// None where its image is not here.
    fn start(server: &Path, directory: &Path) -> Result<Option<Self>> {
        const IMAGE: &str = "rehearse/mysql-router:9.7";
        let there = Command::new("docker").args(["image", "inspect", IMAGE]).output();
        if !there.is_ok_and(|there| there.status.success()) {
            return Ok(None);
        }
        let (home, name) =
            (server.parent().context("a socket in no directory")?, server.file_name().unwrap_or_default());
        let own = directory.join("router");
        fs::create_dir(&own)?;
        let config = format!(
            "[DEFAULT]\nlogging_folder=\nplugin_folder=/usr/lib/mysqlrouter/plugin\nruntime_folder=/router\ndata_folder=/router\n\
             [logger]\nlevel=warning\n[routing:bench]\nsocket=/router/router.sock\ndestinations=local:/server/{}\n\
             routing_strategy=first-available\nprotocol=classic\nclient_ssl_mode=DISABLED\nserver_ssl_mode=DISABLED\n",
            name.to_string_lossy()
        );
        fs::write(own.join("router.conf"), config)?;
        let mut command = Command::new("docker");
        command.args(["run", "--detach", "--rm", "--network", "none"]);
        command
            .arg("-v")
            .arg(format!("{}:/server", home.display()))
            .arg("-v")
            .arg(format!("{}:/router", own.display()));
        command.args(["--entrypoint", "mysqlrouter", IMAGE, "--user", "root", "-c", "/router/router.conf"]);
        let started = command.output().context("cannot run docker")?;
        ensure!(started.status.success(), "MySQL Router: {}", String::from_utf8_lossy(&started.stderr));
        let container = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        let router = Self { socket: own.join("router.sock"), container };
        for _ in 0..200 {
            if connect(&router.socket, 0).is_ok() {
                return Ok(Some(router));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let said = Command::new("docker").args(["logs", &router.container]).output()?;
        bail!("MySQL Router does not answer: {}", String::from_utf8_lossy(&said.stderr))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _gone = Command::new("docker").args(["rm", "--force", &self.container]).output();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
