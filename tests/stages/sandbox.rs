//! Sandboxes on real servers: started, filled, checkpointed, rewound, cached, ended and swept.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::{Progress, Silent, Unit};
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox, existing, lease};
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::survey::catalog;

use super::servers::{MARIADB, MYSQL, Servers, request};

/// Names the cache directory to this program when it is started again as the victim of a `kill -9`.
const VICTIM: &str = "REHEARSE_TEST_VICTIM";

/// This program again, as the victim of a `kill -9`; none when it was started as the tests.
pub fn child() -> Option<ExitCode> {
    let cache = PathBuf::from(std::env::var_os(VICTIM)?);
    let kind = if std::env::args().any(|argument| argument == "container") { Kind::Container } else { Kind::Process };
    let flavor = if kind == Kind::Container { MYSQL } else { MARIADB };
    let sandbox = request(flavor, kind).and_then(|mut request| {
        request.cache = Some(cache);
        Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)
    });
    println!(
        "{}",
        sandbox.as_ref().map_or_else(|error| format!("{error:#}"), |one| one.instance().pid().unwrap_or(0).to_string())
    );
    std::thread::sleep(Duration::from_secs(120));
    Some(ExitCode::FAILURE)
}

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (vendor, flavor, kind) in [("mysql", MYSQL, Kind::Container), ("mariadb", MARIADB, Kind::Process)] {
        let shared = Arc::clone(servers);
        let name = |what: &str| format!("sandbox::{what}_on_{vendor}");
        trials.push(Trial::test(name("forced_settings_hold"), move || {
            forced_settings_hold(&if vendor == "mysql" { shared.mysql()? } else { shared.mariadb()? })
        }));
        let one = kind.clone();
        trials.push(Trial::test(name("a_store_is_filled_once_and_rewound_to_the_same_rows"), move || {
            filled_once(flavor, one)
        }));
        let one = kind.clone();
        trials.push(Trial::test(name("a_sweep_ends_what_kill_9_left"), move || swept_after_kill(&one)));
        let one = kind.clone();
        trials.push(Trial::test(name("a_dead_server_is_told_with_its_log"), move || dead_is_told(flavor, one)));
        trials.push(Trial::test(name("an_existing_server_must_prove_that_it_is_disposable"), move || {
            existing_must_prove(flavor, kind)
        }));
    }
    for (vendor, flavor, kind) in [("mysql", MYSQL, Kind::Container), ("mariadb", MARIADB, Kind::Process)] {
        let name = format!("sandbox::rewinding_1_5_gb_takes_under_10_seconds_on_{vendor}");
        // Half a minute of filling: on demand (`-- --ignored`), alone, with its figures on standard output.
        trials.push(Trial::test(name, move || large(flavor, kind)).with_ignored_flag(true));
    }
    trials
}

/// Tells each stage on standard output, with the time since the last.
struct Told(std::sync::Mutex<Instant>);

impl Progress for Told {
    fn stage(&self, what: &str, _unit: Unit, _total: Option<u64>) {
        let mut since = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        println!("  +{:.1?}, {what}", since.elapsed());
        *since = Instant::now();
    }
    fn at(&self, _done: u64) {}
    fn note(&self, line: &str) {
        println!("  {line}");
    }
    fn interrupted(&self) -> bool {
        false
    }
}

fn large(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let cache = cache()?;
    let mut request = request(flavor, kind)?;
    request.cache = Some(cache.path().to_owned());
    request.keep_cache = true;
    let started = Instant::now();
    let mut filling = Duration::ZERO;
    let mut fill = |instance: &Instance| {
        let since = Instant::now();
        let mut session = instance.writer(Role::Seeder)?;
        session.execute("CREATE DATABASE app")?;
        session.execute(
            "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT, pad VARCHAR(1000) CHARSET latin1, KEY (n))",
        )?;
        session.execute("INSERT INTO app.t (n, pad) VALUES (1, REPEAT('x', 1000)), (2, REPEAT('y', 1000))")?;
        for _ in 0..16 {
            session.execute("INSERT INTO app.t (n, pad) SELECT n + id, pad FROM app.t")?;
        }
        for _ in 0..9 {
            session.execute("INSERT INTO app.t (n, pad) SELECT n + id, pad FROM app.t LIMIT 131072")?;
        }
        filling = since.elapsed();
        Ok(Vec::new())
    };
    let mut sandbox = Sandbox::prepare(&request, &mut fill, &Silent)?;
    println!("{flavor}: prepared in {:.1?}, {filling:.1?} of them filling", started.elapsed());
    for _ in 0..3 {
        sandbox.instance().writer(Role::Seeder)?.execute("DELETE FROM app.t WHERE id < 20000")?;
        let since = Instant::now();
        sandbox.rewind(&Told(since.into()))?;
        let processor = sandbox.instance().cpu_seconds().unwrap_or_default();
        println!("{flavor}: rewound in {:.1?}, the server used {processor:.1} s of processor time", since.elapsed());
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    }
    let since = Instant::now();
    let checkpoint = sandbox.checkpoint(&Silent)?;
    println!("{flavor}: checkpoint and restart in {:.1?}", since.elapsed());
    drop(checkpoint);
    drop(sandbox);
    let since = Instant::now();
    let sandbox = Sandbox::prepare(&request, &mut |_| Err(anyhow::anyhow!("filled again")), &Silent)?;
    println!("{flavor}: prepared from the cache in {:.1?}", since.elapsed());
    drop(sandbox);
    Ok(())
}

fn forced_settings_hold(instance: &Instance) -> Result<(), Failed> {
    let mut session = instance.reader(Role::Keeper)?;
    for (name, value) in [
        ("event_scheduler", "OFF"),
        ("skip_networking", "ON"),
        ("performance_schema", "ON"),
        ("local_infile", "ON"),
        ("innodb_buffer_pool_dump_pct", "100"),
    ] {
        assert_eq!(variable(instance, name)?.as_deref(), Some(value), "{name}");
    }
    let on: Vec<String> = session.rows(
        "SELECT name FROM performance_schema.setup_instruments WHERE enabled = 'YES' AND name IN \
         ('wait/lock/metadata/sql/mdl', 'stage/sql/copy to tmp table') UNION ALL \
         SELECT name FROM performance_schema.setup_consumers WHERE enabled = 'YES' AND name = 'events_stages_history_long'",
    )?;
    assert_eq!(on.len(), 3, "{on:?}");
    assert!(instance.is_alive() && instance.cpu_seconds().is_some());
    Ok(())
}

fn filled_once(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let cache = cache()?;
    let mut request = request(flavor, kind.clone())?;
    request.cache = Some(cache.path().to_owned());
    request.keep_cache = true;
    request.key = "two tables".into();
    request.settings = [
        ("sql_mode", "ANSI_QUOTES"),
        ("innodb_lock_wait_timeout", "7"),
        ("innodb_page_size", "8192"),
        ("innodb_io_capacity", "321"),
        ("innodb_buffer_pool_size", "1T"),
        ("binlog_format", "NO_SUCH_FORMAT"),
        ("innodb_strict_mode", "NO_SUCH_VALUE"),
        ("init_connect", "SELECT 1"),
        ("innodb_native_foreign_keys_of_tomorrow", "ON"),
        ("innodb_snapshot_isolation", "ON"),
        ("innodb_instant_alter_column_allowed", "never"),
        ("max_prepared_stmt_count", "17"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut fills = 0;
    let mut prepare = || Sandbox::prepare(&request, &mut |instance| fill(instance, &mut fills), &Silent);
    let mut sandbox = prepare()?;

    let left_out: BTreeMap<&str, &str> =
        sandbox.facts().not_carried.iter().map(|one| (one.name.as_str(), one.why.as_str())).collect();
    for name in [
        "binlog_format",
        "innodb_strict_mode",
        "init_connect",
        "innodb_native_foreign_keys_of_tomorrow",
        "max_prepared_stmt_count",
    ] {
        assert!(left_out.contains_key(name), "{name} is not told: {left_out:?}");
    }
    for name in ["sql_mode", "innodb_lock_wait_timeout", "innodb_page_size"] {
        assert!(!left_out.contains_key(name), "{name}: {left_out:?}");
    }
    assert_eq!(sandbox.facts().clamped.len(), 1);
    assert_eq!(variable(sandbox.instance(), "innodb_lock_wait_timeout")?.as_deref(), Some("7"));
    assert_eq!(variable(sandbox.instance(), "innodb_page_size")?.as_deref(), Some("8192"));

    let before = rows(sandbox.instance())?;
    assert_eq!(before.len(), 1000);
    let mut session = sandbox.instance().writer(Role::Seeder)?;
    session.execute("INSERT INTO app.t (n) VALUES (4711)")?;
    let checkpoint = sandbox.checkpoint(&Silent)?;
    let mut session = sandbox.instance().writer(Role::Seeder)?;
    session.execute("DELETE FROM app.t")?;
    sandbox.rewind_to(&checkpoint, &Silent)?;
    assert_eq!(rows(sandbox.instance())?.len(), 1001);
    sandbox.rewind(&Silent)?;
    assert_eq!(rows(sandbox.instance())?, before);
    assert_eq!(variable(sandbox.instance(), "innodb_lock_wait_timeout")?.as_deref(), Some("7"));
    // Lifted while the buffer pool warms, and put back.
    assert_eq!(variable(sandbox.instance(), "innodb_io_capacity")?.as_deref(), Some("321"));
    let status: Option<(String, String)> =
        sandbox.instance().reader(Role::Keeper)?.first("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_load_status'")?;
    assert!(status.is_some_and(|(_, status)| status.contains("completed")));

    drop(checkpoint);
    let pid = sandbox.instance().pid();
    drop(sandbox);
    nothing_is_left(cache.path(), pid)?;

    let sandbox = prepare()?;
    assert!(sandbox.facts().seeded_from_cache);
    assert_eq!(sandbox.facts().notes, ["one table is not two"], "what its filling said is kept with it");
    assert_eq!(rows(sandbox.instance())?, before);
    drop(sandbox);
    assert_eq!(fills, 1);
    Ok(())
}

fn fill(instance: &Instance, fills: &mut u32) -> anyhow::Result<Vec<String>> {
    *fills += 1;
    let mut session = instance.writer(Role::Seeder)?;
    session.execute("CREATE DATABASE app")?;
    session.execute("CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT, KEY (n))")?;
    let values: Vec<String> = (0..1000).map(|number| format!("({})", number * 7 % 1000)).collect();
    session.execute(&format!("INSERT INTO app.t (n) VALUES {}", values.join(",")))?;
    Ok(vec!["one table is not two".to_owned()])
}

fn swept_after_kill(kind: &Kind) -> Result<(), Failed> {
    let cache = cache()?;
    let mut victim = Command::new(std::env::current_exe()?)
        .arg(if *kind == Kind::Container { "container" } else { "process" })
        .env(VICTIM, cache.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(victim.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let pid: u32 = line.trim().parse().map_err(|_| format!("the victim has no server: {line}"))?;
    let live = lease::sweep_below(cache.path(), &Silent)?;
    assert_eq!(live.processes + live.directories, 0, "a live run's own was swept");
    assert!(runs(pid));
    victim.kill()?;
    victim.wait()?;
    assert!(runs(pid), "the server should have outlived its owner");
    let swept = lease::sweep_below(cache.path(), &Silent)?;
    assert_eq!(swept.directories, 1);
    assert!(swept.processes + swept.containers >= 1, "{swept:?}");
    nothing_is_left(cache.path(), Some(pid))
}

fn dead_is_told(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let cache = cache()?;
    let mut request = request(flavor, kind)?;
    request.cache = Some(cache.path().to_owned());
    let mut die = |instance: &Instance| {
        let pid = instance.pid().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        rustix::process::kill_process(pid.ok_or_else(|| anyhow::anyhow!("no pid"))?, rustix::process::Signal::KILL)?;
        while instance.is_alive() {
            std::thread::sleep(Duration::from_millis(10));
        }
        instance.writer(Role::Seeder)?;
        Ok(Vec::new())
    };
    let Err(error) = Sandbox::prepare(&request, &mut die, &Silent) else {
        return Err("a dead server was filled".into());
    };
    let text = format!("{error:#}");
    assert!(text.contains("the server ended by itself") && text.contains("ready for connections"), "{text}");
    nothing_is_left(cache.path(), None)
}

fn existing_must_prove(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let cache = cache()?;
    let mut own = request(flavor, kind)?;
    own.cache = Some(cache.path().to_owned());
    let server = Sandbox::prepare(&own, &mut |instance| fill(instance, &mut 0), &Silent)?;
    let mut wanted = request(flavor, Kind::Existing(server.instance().address().clone()))?;
    let refused =
        |wanted: &Request| match Sandbox::prepare(wanted, &mut |_| Err(anyhow::anyhow!("it was filled")), &Silent) {
            Err(error) => Ok(error.downcast::<existing::NotDisposable>()?.reasons),
            Ok(_) => Err(Failed::from("it was accepted")),
        };
    let mut session = server.instance().writer(Role::Keeper)?;
    let reasons = refused(&wanted)?;
    for part in ["no marker", "not ours: app", "others are connected"] {
        assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:?}");
    }
    session.execute("DROP DATABASE app")?;
    session.execute("CREATE DATABASE rehearse_disposable")?;
    session.execute("CREATE TABLE rehearse_disposable.nonce (nonce VARCHAR(64))")?;
    session.execute("INSERT INTO rehearse_disposable.nonce VALUES (UUID())")?;
    let name =
        if server.facts().flavor.is_mariadb() { vec!["hostname", "port", "datadir"] } else { vec!["server_uuid"] };
    for name in name {
        wanted.settings.insert(name.into(), variable(server.instance(), name)?.unwrap_or_default());
    }
    drop(session);
    // Whose session has just ended is not counted, though the server takes a moment to notice.
    let reasons = refused(&wanted)?;
    assert!(reasons.len() == 1 && reasons[0].contains("the surveyed server itself"), "{reasons:?}");
    wanted.settings.clear();
    for _ in 0..2 {
        // What the first run made is gone before the second fills it.
        let mut fill_again = |instance: &Instance| fill(instance, &mut 0);
        let mut sandbox = Sandbox::prepare(&wanted, &mut fill_again, &Silent)?;
        assert!(!sandbox.can_rewind() && sandbox.rewind(&Silent).is_err());
        assert_eq!(rows(sandbox.instance())?.len(), 1000);
        let read = catalog::databases(&mut sandbox.instance().reader(Role::Surveyor)?, &[])?;
        assert_eq!(read, ["app"], "the mark is nothing of production's: it would be filled like the rest");
    }
    assert!(server.instance().is_alive());
    Ok(())
}

fn cache() -> Result<tempfile::TempDir, Failed> {
    Ok(tempfile::Builder::new().prefix("rehearse-cache-").tempdir()?)
}

fn variable(instance: &Instance, name: &str) -> Result<Option<String>, Failed> {
    let row: Option<(String, String)> =
        instance.reader(Role::Keeper)?.first(&format!("SHOW GLOBAL VARIABLES LIKE '{name}'"))?;
    Ok(row.map(|(_, value)| value))
}

fn rows(instance: &Instance) -> Result<Vec<(u32, u32)>, Failed> {
    Ok(instance.reader(Role::Surveyor)?.rows("SELECT id, n FROM app.t ORDER BY id")?)
}

/// No process, no run's directory, and no container of this cache directory.
fn nothing_is_left(cache: &Path, pid: Option<u32>) -> Result<(), Failed> {
    if let Some(pid) = pid {
        assert!(!runs(pid), "the server {pid} still runs");
    }
    let runs: Vec<_> = std::fs::read_dir(cache.join("runs"))?.collect();
    assert!(runs.is_empty(), "{runs:?}");
    let output = Command::new("docker").args(["ps", "-a", "--format", "{{.Labels}}"]).output()?;
    let labels = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!labels.contains(&format!("rehearse.lease={}", cache.display())), "{labels}");
    Ok(())
}

/// True while the process runs; a zombie that nobody has waited for yet does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
