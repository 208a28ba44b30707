//! What sessions do besides queries, and how they end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use libtest_mimic::Failed;
use mysql::prelude::Queryable;
use mysql::{ChangeUserOpts, Conn, OptsBuilder};
use mysql_rehearsal::capture::file::{self, CaptureFile, Header};
use mysql_rehearsal::capture::proxy::{Accept, Listen, Options, Proxy};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::{Kind, Sandbox};
use mysql_rehearsal::server::address::Address;
use mysql_rehearsal::server::role::Role;
use rustix::process::{Pid, Signal, kill_process};

use super::{Behind, Named, PASSWORD, Servers, Tape, USER};
use crate::servers::{MARIADB, MYSQL, request};

pub(super) const TRIALS: &[Named] = &[
    ("packets_of_several_statements_and_of_many_frames_are_told_one_by_one", packets),
    ("files_and_new_beginnings_are_told", files_and_beginnings),
    ("a_session_ends_alone_whatever_ends_it", ends),
    ("a_server_that_is_killed_ends_its_sessions_and_neither_proxy_nor_capture", killed),
];

fn packets(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let behind = Behind::start(servers, vendor, Accept::Anyone)?;
    let mut through = behind.client()?;
    through.query_drop("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB, at DATETIME)")?;
    let several = "INSERT INTO t (v) VALUES (';'), ('b'); SELECT ';', id FROM t; UPDATE t SET v = 'c' WHERE id = 2; \
                   SELECT nonsense; DELETE FROM t";
    let results: Vec<bool> = {
        let mut result = through.query_iter(several)?;
        let mut seen = Vec::new();
        while let Some(set) = result.iter() {
            seen.push(set.map(|row| row.map(drop)).collect::<Result<Vec<_>, _>>().is_ok());
        }
        seen
    };
    assert!(!results.is_empty());
    through.query_drop(
        "CREATE PROCEDURE p() BEGIN SELECT 1; INSERT INTO t (v) VALUES ('p'); SELECT 2 UNION SELECT 3; END",
    )?;
    through.query_drop("CALL p(); SELECT 9; DROP PROCEDURE p")?;
    // More than one frame, as text and bound; a multiple of a frame would end with an empty one.
    let long = vec![b'x'; 17 << 20];
    through.exec_drop("INSERT INTO t (v) VALUES (?)", (&long,))?;
    let text = [b"INSERT INTO t (v, at) VALUES ('", &long[..(16 << 20) - 1 - 1 - 45], b"', NOW())"].concat();
    through.query_drop(String::from_utf8(text)?)?;
    let back: Option<Vec<u8>> = through.query_first("SELECT v FROM t ORDER BY LENGTH(v) DESC LIMIT 1")?;
    assert!(back.is_some_and(|back| back == long));
    drop(through);
    behind.wait_until_quiet()?;
    let heard = behind.heard();
    let of = |text: &str| {
        let found: Vec<_> = heard.iter().filter(|heard| heard.text == text.as_bytes()).collect();
        assert_eq!(found.len(), 1, "{text}");
        found[0].clone()
    };
    assert_eq!(of("INSERT INTO t (v) VALUES (';'), ('b')").rows_affected, Some(2));
    assert_eq!(of("SELECT ';', id FROM t").rows_sent, Some(2));
    assert_eq!(of("SELECT nonsense").error.map(|(number, _)| number), Some(1054));
    assert_eq!(of("CALL p()").rows_sent, Some(3));
    assert_eq!(of("SELECT 9").rows_sent, Some(1));
    assert!(!heard.iter().any(|heard| heard.text.starts_with(b"DELETE")));
    assert_eq!(behind.dropped().len(), 1, "{:?}", behind.dropped());
    behind.replay()
}

fn files_and_beginnings(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let behind = Behind::start(servers, vendor, Accept::Only { user: USER.to_owned(), password: PASSWORD.to_owned() })?;
    let mut through = behind.client()?;
    through.query_drop("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100))")?;
    let file = behind.files.path().join("it's.csv");
    let lines: String = (0..30_000).map(|n| format!("row {n}\n")).collect();
    std::fs::write(&file, lines)?;
    let name = file.to_string_lossy().replace('\'', "''");
    through.query_drop(format!("LOAD DATA LOCAL INFILE '{name}' INTO TABLE t (v)"))?;
    std::fs::remove_file(&file)?;
    through.query_drop("SET @kept = 1")?;
    through.reset()?;
    let kept: Option<Option<i64>> = through.query_first("SELECT @kept")?;
    assert_eq!(kept, Some(None));
    through.query_drop("SET @kept = 1")?;
    through.change_user(ChangeUserOpts::DEFAULT)?;
    through.select_db(&behind.database)?;
    through.query_drop("INSERT INTO t (v) VALUES (IFNULL(@kept, 'anew'))")?;
    drop(through);
    let wrong = behind.options().pass(Some("wrong")).ip_or_hostname(Some("127.0.0.1")).tcp_port(behind.port()?);
    let refused = Conn::new(wrong).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("1045"), "{refused}");
    behind.wait_until_quiet()?;
    let (load, used) = (behind.heard(), format!("USE `{}`", behind.database));
    let load = load.iter().find(|heard| heard.text.starts_with(b"LOAD")).ok_or("no LOAD was told")?;
    assert_eq!(load.rows_affected, Some(30_000));
    assert!(behind.heard().iter().any(|heard| heard.text == used.as_bytes()));
    assert_eq!(behind.dropped().len(), 1, "{:?}", behind.dropped());
    behind.replay()
}

fn ends(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let behind = Behind::start(servers, vendor, Accept::Anyone)?;
    let mut through = behind.client()?;
    through.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT)")?;
    through.query_drop("INSERT INTO t VALUES (1, 1)")?;

    // A client that is killed: what its statement still does is told.
    let mut holder = behind.direct()?;
    holder.query_drop("BEGIN")?;
    holder.query_drop("UPDATE t SET v = 2")?;
    let port = behind.port()?.to_string();
    let mut client = Command::new("mariadb")
        .args(["--no-defaults", "-h127.0.0.1", "-P", &port, "-uany", &behind.database, "-e", "UPDATE t SET v = v + 10"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE t SET v = v +%'";
    for _ in 0..400 {
        if behind.direct()?.query_first::<u64, _>(waiting)? == Some(1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    client.kill()?;
    client.wait()?;
    holder.query_drop("COMMIT")?;

    // Bytes that are no login, and a hello that ends.
    let noise: Vec<u8> = (0..200u32).map(|n| (n * 37 % 256) as u8).collect();
    for bytes in [&noise[..], &[32, 0, 0, 1, 0xff], b"\x05\x00\x00\x01hello"] {
        let mut stream = TcpStream::connect(("127.0.0.1", behind.port()?))?;
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        assert_eq!(head[4], 10);
        stream.write_all(bytes)?;
    }

    // A server that ends the session in the middle of a statement.
    let id = through.connection_id();
    let mut keeper = behind.instance.writer(Role::Keeper)?;
    let killed = std::thread::spawn(move || through.query_drop("SELECT SLEEP(60)"));
    for _ in 0..400 {
        let asleep =
            format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE 'SELECT SL%'");
        if keeper.first::<u64>(&asleep)? == Some(1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    keeper.execute(&format!("KILL {id}"))?;
    assert!(killed.join().map_err(|_| "the client panicked")?.is_err());
    behind.wait_until_quiet()?;
    let after = behind.client()?.query_first::<i64, _>("SELECT v FROM t")?;
    assert_eq!(after, Some(12));
    let heard = behind.heard();
    let lost = heard.iter().find(|heard| heard.text.starts_with(b"SELECT SLEEP")).ok_or("the sleep was not told")?;
    assert!(lost.error.is_some());
    let done = heard.iter().find(|heard| heard.text.starts_with(b"UPDATE t SET v = v")).ok_or("no UPDATE was told")?;
    assert_eq!((done.rows_affected, &done.error), (Some(1), &None));

    // No server at all: the client is told, and the proxy lives.
    let nowhere = Address::socket(behind.files.path().join("no.sock"));
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let alone = Proxy::start(vec![Listen::Tcp(any)], Options::new(nowhere), Arc::new(Tape::default()))?;
    for _ in 0..2 {
        let Some(mysql_rehearsal::server::address::Endpoint::Tcp { port, .. }) = alone.addresses().first() else {
            return Err("the proxy listens nowhere".into());
        };
        let refused = Conn::new(behind.options().ip_or_hostname(Some("127.0.0.1")).tcp_port(*port)).err();
        let refused = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("does not answer"), "{refused}");
    }
    alone.stop()?;
    Ok(())
}

/// The server process dies in the middle of a statement, with another session idle; then it comes up again.
fn killed(_: &Servers, vendor: &str) -> Result<(), Failed> {
    let request = if vendor == "mysql" { request(MYSQL, Kind::Container)? } else { request(MARIADB, Kind::Process)? };
    let mut sandbox = Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)?;
    let directory = tempfile::tempdir()?;
    let (path, socket) = (directory.path().join("capture.sql"), directory.path().join("proxy.sock"));
    let capture = Arc::new(CaptureFile::create(&path, &Header::default(), file::Options::default())?);
    let options = Options::new(sandbox.instance().address().clone());
    let listen = vec![Listen::Unix(socket.clone())];
    let proxy = Proxy::start(listen, options, Arc::<CaptureFile>::clone(&capture))?;
    let connect = || {
        let options = OptsBuilder::new().user(Some("root")).prefer_socket(false);
        Conn::new(options.socket(Some(socket.to_string_lossy())))
    };
    let (mut busy, mut idle) = (connect()?, connect()?);
    idle.query_drop("CREATE DATABASE killed")?;
    idle.query_drop("CREATE TABLE killed.t (id INT PRIMARY KEY)")?;
    idle.query_drop("INSERT INTO killed.t VALUES (1)")?;
    let busy = std::thread::spawn(move || busy.query_drop("DELETE FROM killed.t WHERE SLEEP(60)"));
    let mut keeper = sandbox.instance().writer(Role::Keeper)?;
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DELETE FROM killed%'";
    for _ in 0..400 {
        if keeper.first::<u64>(running)? == Some(1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    let pid = sandbox.instance().pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).ok_or("no pid")?;
    kill_process(pid, Signal::KILL)?;
    assert!(busy.join().map_err(|_| "the client panicked")?.is_err());
    assert!(idle.query_drop("SELECT 1").is_err());
    for _ in 0..600 {
        if proxy.sessions().open == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(proxy.sessions().open, 0);
    let refused = connect().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("does not answer"), "{refused}");
    sandbox.restart(&Silent)?;
    connect()?.query_drop("INSERT INTO killed.t VALUES (7)")?;
    proxy.stop()?;
    let summary = Arc::into_inner(capture).ok_or("the proxy listens on")?.finish()?;
    assert_eq!(summary.failed, 1, "{summary:?}");
    let text = std::fs::read_to_string(&path)?;
    let places: Vec<_> = ["CREATE TABLE killed.t", "--   DELETE FROM killed.t", "INSERT INTO killed.t VALUES (7)"]
        .iter()
        .map(|what| text.find(what))
        .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    Ok(())
}
