//! The stock client and dump program of a server's own kit, run against a sandbox.

use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::client::{Call, Ended, Program};
use mysql_rehearsal::sandbox::{Kind, Sandbox};
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;

use super::servers::{MARIADB, MYSQL, Servers, request};

/// The trials of this module.
pub fn trials(_servers: &Arc<Servers>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (vendor, flavor, kind) in [("mysql", MYSQL, Kind::Container), ("mariadb", MARIADB, Kind::Process)] {
        trials.push(Trial::test(
            format!("client::scripts_and_dumps_go_through_the_stock_programs_on_{vendor}"),
            move || stock_programs(flavor, kind),
        ));
    }
    trials
}

fn call(
    sandbox: &mut Sandbox,
    program: Program,
    arguments: &[&str],
    files: (Option<&str>, Option<&str>),
) -> Result<Ended, Failed> {
    let name = program.name(sandbox.facts().flavor);
    let call = Call {
        program,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        input: files.0.map(str::to_owned),
        output: files.1.map(str::to_owned),
    };
    let ended = sandbox.call(&call, &Silent)?;
    Ok(ended.ok_or(format!("no {name}: fixtures/servers/get gets it"))?)
}

fn script(sandbox: &mut Sandbox, sql: &str) -> Result<Ended, Failed> {
    fs::write(sandbox.desk()?.join("in.sql"), sql)?;
    call(sandbox, Program::Client, &[], (Some("in.sql"), Some("out.txt")))
}

fn stock_programs(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let mut wanted = request(flavor, kind)?;
    wanted.settings.insert("log_bin".to_owned(), "ON".to_owned());
    let mut sandbox = Sandbox::prepare(&wanted, &mut |_| Ok(Vec::new()), &Silent)?;
    let ended = script(
        &mut sandbox,
        "SET NAMES utf8mb4; CREATE DATABASE d; USE d;\nCREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v varchar(20), \
         hidden int DEFAULT 7 INVISIBLE) CHARSET=utf8mb4;\nSET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n\
         INSERT INTO t (id, v, hidden) VALUES (0, 'née', 42);\nSELECT HEX(v) FROM t;\nDO SLEEP(0.2);\n",
    )?;
    assert_eq!((ended.code, ended.errors.as_str()), (0, ""));
    assert!(ended.seconds >= 0.15, "{}", ended.seconds);
    assert!(
        ended.program.starts_with(if flavor == MYSQL { "mysql Ver 9.7" } else { "mariadb Ver" }),
        "{}",
        ended.program
    );
    // The server's user has another locale; the text is UTF-8 all the same.
    assert_eq!(fs::read_to_string(sandbox.desk()?.join("out.txt"))?, "HEX(v)\n6EC3A965\n");
    // The client stops at the first error, with the server's words and its line.
    let failed = script(&mut sandbox, "USE d;\nSELECT nothing FROM t;\nDELETE FROM t;\n")?;
    assert_eq!(failed.code, 1);
    assert!(failed.errors.contains("ERROR 1054 (42S22) at line 2"), "{}", failed.errors);
    let mut session = sandbox.instance().writer(Role::Keeper)?;
    assert_eq!(session.first::<u64>("SELECT COUNT(*) FROM d.t")?, Some(1));

    let mut arguments = vec!["--single-transaction", "--skip-lock-tables", "--hex-blob", "--complete-insert"];
    arguments.extend((flavor == MYSQL).then_some("--set-gtid-purged=OFF"));
    arguments.extend(["d", "t"]);
    let dumped = call(&mut sandbox, Program::Dump, &arguments, (None, Some("dump.sql")))?;
    assert_eq!((dumped.code, dumped.errors.as_str()), (0, ""));
    let text = fs::read_to_string(sandbox.desk()?.join("dump.sql"))?;
    assert!(!text.contains("SQL_LOG_BIN") && !text.contains("GTID_PURGED"), "{text}");
    session.execute("UPDATE d.t SET v = 'lost', hidden = 1; INSERT INTO d.t (v) VALUES ('since')")?;
    let logged = logged(&mut session)?;
    let restored = call(&mut sandbox, Program::Client, &["d"], (Some("dump.sql"), None))?;
    assert_eq!(restored.code, 0, "{}", restored.errors);
    let rows: Vec<(u32, String, u32)> = session.rows("SELECT id, v, hidden FROM d.t")?;
    assert_eq!(rows, [(0, "née".to_owned(), 42)]);
    // Replicas get the restore: its statements stand in the binary log.
    let (file, position) = logged;
    let events: Vec<String> = session
        .rows::<mysql::Row>(&format!("SHOW BINLOG EVENTS IN '{file}' FROM {position}"))?
        .iter()
        .map(|row| row.get::<String, _>(5).unwrap_or_default())
        .collect();
    assert!(events.iter().any(|event| event.contains("CREATE TABLE `t`")), "{events:?}");
    Ok(())
}

/// The newest binary log and its size.
fn logged(session: &mut Writer) -> Result<(String, u64), Failed> {
    let rows: Vec<mysql::Row> = session.rows("SHOW BINARY LOGS")?;
    let last = rows.last().ok_or("no binary log")?;
    Ok((last.get(0).ok_or("no name")?, last.get(1).ok_or("no size")?))
}
