//! The plan on a primary with a real replica: what stands in the way there is seen before, `apply` rests while the replica is
//! behind, and in the end both hold the same.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use mysql::Conn;
use mysql::prelude::Queryable as _;
use mysql_rehearsal::apply::record::JOURNAL_DATABASE;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::desk::{MARIADB, On};
use super::carried::{Running, same};
use super::scene::Scene;
use super::stand_in::{DATABASE, StandIn};

/// Small batches: it takes long enough to fall behind in.
const GENTLY: [&str; 2] = ["--batch-time", "5ms"];

/// A primary and what replicates from it.
struct Pair {
    scene: Scene,
    replica: StandIn,
    is_mariadb: bool,
}

impl Pair {
    fn start(on: On) -> Result<Self, Failed> {
        let scene = Scene::make_with(on, &[("log_bin", "ON")])?;
        // The same rows by themselves: only what comes from now on is replicated.
        let replica = StandIn::start_with(on, &[("log_bin", "ON")])?;
        let pair = Self { scene, replica, is_mariadb: on == MARIADB };
        let net = pair.replica.instance().pid().map(|pid| PathBuf::from(format!("/proc/{pid}/ns/net")));
        let port = relay(net.as_deref().ok_or("no process")?, pair.primary().socket()?)?;
        pair.primary().session()?.query_drop(pair.word("RESET MASTER", "RESET BINARY LOGS AND GTIDS"))?;
        let mut session = pair.replica.session()?;
        session.query_drop(pair.word("RESET MASTER", "RESET BINARY LOGS AND GTIDS"))?;
        if pair.is_mariadb {
            session.query_drop("SET GLOBAL gtid_slave_pos = ''")?;
        }
        let change = pair.word(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'root', MASTER_USE_GTID = slave_pos, MASTER_PORT = ",
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_USER = 'root', SOURCE_AUTO_POSITION = 1, \
             GET_SOURCE_PUBLIC_KEY = 1, SOURCE_PORT = ",
        );
        session.query_drop(format!("{change}{port}"))?;
        session.query_drop(pair.word("START SLAVE", "START REPLICA"))?;
        pair.primary().session()?.query_drop("CREATE DATABASE beats")?;
        pair.catches_up()?;
        Ok(pair)
    }

    fn primary(&self) -> &StandIn {
        &self.scene.stand_in
    }

    fn word<'a>(&self, mariadb: &'a str, mysql: &'a str) -> &'a str {
        if self.is_mariadb { mariadb } else { mysql }
    }

    /// Waits until the replica has all that the primary has.
    fn catches_up(&self) -> Result<(), Failed> {
        let position: Option<String> =
            self.primary().session()?.query_first(self.word("SELECT @@gtid_binlog_pos", "SELECT @@gtid_executed"))?;
        let wait = self.word("MASTER_GTID_WAIT", "WAIT_FOR_EXECUTED_GTID_SET");
        let mut session = self.replica.session()?;
        let waited: Option<i64> =
            session.query_first(format!("SELECT {wait}('{}', 60)", position.unwrap_or_default()))?;
        if waited == Some(0) {
            return Ok(());
        }
        let status: Vec<mysql::Row> = session.query(self.word("SHOW SLAVE STATUS", "SHOW REPLICA STATUS"))?;
        Err(format!("the replica does not catch up ({waited:?}): {status:?}").into())
    }

    /// Stops or starts the thread that carries out what comes from the primary.
    fn sql_thread(&self, verb: &str) -> Result<(), Failed> {
        let name = self.word("SLAVE", "REPLICA");
        Ok(self.replica.session()?.query_drop(format!("{verb} {name} SQL_THREAD"))?)
    }

    /// Holds `verify`, with the replica named or not, to an exit code and to what it says.
    fn verifies(&self, named: bool, code: i32, words: &[&str]) -> Result<(), Failed> {
        let (dsn, replica) = (self.primary().dsn()?, self.replica.dsn()?);
        let more: &[&str] = if named { &["--replica", &replica] } else { &[] };
        let said = self.scene.desk.rehearse(&[&["verify", "rehearsal", "--dsn", &dsn], more].concat())?;
        said.exits(code)?;
        match words.iter().find(|word| !said.out().contains(**word)) {
            Some(missing) => Err(format!("no '{missing}' in:\n{}", said.out()).into()),
            None => Ok(()),
        }
    }

    /// Units and batches that the primary's journal knows.
    fn journal(&self) -> Result<String, Failed> {
        let sql = format!("SELECT unit, state, rows_changed, details FROM {JOURNAL_DATABASE}.steps ORDER BY unit");
        let rows: Vec<mysql::Row> = self.primary().session()?.query(sql)?;
        Ok(format!("{rows:?}"))
    }
}

/// Seen before, rested for, and the same in the end.
pub fn a_real_replica(on: On) -> Result<(), Failed> {
    let pair = Pair::start(on)?;
    pair.verifies(false, 0, &["1 connected, 0 of them named with --replica"])?;
    pair.verifies(true, 0, &["is not behind, and nobody reads there for long"])?;
    pair.sql_thread("STOP")?;
    pair.verifies(true, 1, &["replication is stopped"])?;
    pair.sql_thread("START")?;
    is_behind(&pair)?;

    let pause = pair.scene.desk.path().join("pause");
    fs::write(&pause, "")?;
    let replica = pair.replica.dsn()?;
    let more = ["--pause-file", "pause", "--replica", &replica, "--max-lag", "1s", GENTLY[0], GENTLY[1]];
    let running = pair.scene.apply(&more)?;
    let running = hears(running, "resting: pause is there")?;
    pair.sql_thread("STOP")?;
    fs::remove_file(&pause)?;
    let running = hears(running, "is not known: its replication does not run")?;
    rests(&pair)?;
    pair.sql_thread("START")?;
    // As long as somebody holds the replica's tables, its lag grows: both threads run.
    let mut holder = pair.replica.session()?;
    holder.query_drop("FLUSH TABLES WITH READ LOCK")?;
    let running = hears(running, "behind (more than 1 s)")?;
    rests(&pair)?;
    holder.query_drop("UNLOCK TABLES")?;
    let ended = running.end()?;
    ended.exits(0)?;
    let all = ended.all();
    assert!(all.contains("going on") && all.contains(", rested "), "{all}");
    pair.catches_up()?;
    both_hold_the_same(&pair)
}

/// One who reads on the replica for long, and one who holds it up, are in the way.
fn is_behind(pair: &Pair) -> Result<(), Failed> {
    let mut reader = pair.replica.session()?;
    reader.query_drop("BEGIN")?;
    reader.query_drop("SELECT id FROM events LIMIT 1")?;
    let mut holder = pair.replica.session()?;
    holder.query_drop("FLUSH TABLES WITH READ LOCK")?;
    pair.primary().session()?.query_drop("CREATE TABLE beats.one (id int PRIMARY KEY)")?;
    // Longer than `verify` lets pass.
    thread::sleep(Duration::from_secs(12));
    pair.verifies(true, 1, &[" s behind", "has a transaction open for"])?;
    holder.query_drop("UNLOCK TABLES")?;
    reader.query_drop("ROLLBACK")?;
    pair.catches_up()?;
    // MySQL goes on to tell the lag of the last transaction until its workers' next checkpoint.
    let begun = Instant::now();
    loop {
        let said = pair.verifies(true, 0, &[]);
        if said.is_ok() || begun.elapsed() > Duration::from_secs(30) {
            return said;
        }
        thread::sleep(Duration::from_millis(300));
    }
}

/// Nothing is written meanwhile.
fn rests(pair: &Pair) -> Result<(), Failed> {
    // What was on its way when it began to rest.
    thread::sleep(Duration::from_millis(500));
    let before = pair.journal()?;
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(before, pair.journal()?, "it went on");
    Ok(())
}

/// Waits until it says this.
fn hears(mut running: Running, words: &str) -> Result<Running, Failed> {
    let begun = Instant::now();
    while !running.has_told(words) {
        if running.is_over()? || begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("it never said '{words}', but: {}", running.kill()?.all()).into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// Tables, copies and the journal by checksums; and no transaction of another origin on either.
fn both_hold_the_same(pair: &Pair) -> Result<(), Failed> {
    let databases = [DATABASE, JOURNAL_DATABASE];
    let (ours, theirs) = (pair.primary().print_of(&databases)?, pair.replica.print_of(&databases)?);
    assert!(
        ours.tables.keys().any(|table| table.table.starts_with("rehearse_")),
        "the copies: {:?}",
        ours.tables.keys()
    );
    assert!(ours.tables.keys().any(|table| table.database == JOURNAL_DATABASE), "the journal");
    same(&ours, &theirs, "the replica")?;
    let ask = |session: &mut Conn, sql: &str| -> Result<String, Failed> {
        Ok(session.query_first::<String, _>(sql)?.unwrap_or_default())
    };
    let (mut primary, mut replica) = (pair.primary().session()?, pair.replica.session()?);
    if pair.is_mariadb {
        let written = ask(&mut primary, "SELECT @@gtid_binlog_pos")?;
        assert_eq!(written, ask(&mut replica, "SELECT @@gtid_slave_pos")?);
        assert_eq!(written.split(',').count(), 1, "one origin: {written}");
        assert_eq!(ask(&mut replica, "SELECT @@gtid_binlog_pos")?, "", "nothing was written on the replica itself");
    } else {
        let written = ask(&mut primary, "SELECT @@gtid_executed")?;
        let origin = ask(&mut primary, "SELECT @@server_uuid")?;
        assert!(
            written.starts_with(&format!("{origin}:1-")) && !written.contains(','),
            "no gap, one origin: {written}"
        );
        assert_eq!(written, ask(&mut replica, "SELECT @@gtid_executed")?);
        assert_eq!(ask(&mut primary, "SELECT @@gtid_purged")?, "");
    }
    Ok(())
}

/// Listens where the replica is (a container has a network of its own) and leads to the primary's socket: sandboxes have no
/// network, and replication goes by TCP alone. The port.
fn relay(net: &Path, socket: &Path) -> Result<u16, Failed> {
    let (net, socket) = (net.to_owned(), socket.to_owned());
    let listening = thread::spawn(move || -> io::Result<TcpListener> {
        if fs::read_link(&net)? != fs::read_link("/proc/self/ns/net")? {
            // Only this thread goes there, and it ends; the listener stays.
            move_into_link_name_space(fs::File::open(&net)?.as_fd(), Some(LinkNameSpaceType::Network))?;
        }
        TcpListener::bind(("127.0.0.1", 0))
    });
    let listener = listening.join().map_err(|_| "the listener panicked")??;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let socket = socket.clone();
            thread::spawn(move || pass(stream, &socket));
        }
    });
    Ok(port)
}

/// Passes bytes both ways until one side ends.
fn pass(replica: TcpStream, socket: &Path) -> io::Result<()> {
    let primary = UnixStream::connect(socket)?;
    let (mut up, mut down) = ((replica.try_clone()?, primary.try_clone()?), (primary, replica));
    let upwards = thread::spawn(move || {
        let _ended = copy(&mut up.0, &mut up.1);
        let _gone = up.1.shutdown(Shutdown::Both);
    });
    let _ended = copy(&mut down.0, &mut down.1);
    let _gone = down.1.shutdown(Shutdown::Both);
    let _joined = upwards.join();
    Ok(())
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    io::copy(from, to)
}
