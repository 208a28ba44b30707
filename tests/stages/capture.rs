//! An upgrade that left only a server's log is captured from it; the capture, run by the stock client on a fresh database, leaves
//! the same schema and data.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::capture::file::{CaptureFile, Header, Options};
use mysql_rehearsal::capture::source::{self, Kind as SourceKind, Source};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::client::{Call, Ended, Program};
use mysql_rehearsal::sandbox::{Kind, Sandbox};
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;
use mysql_rehearsal::sql::script;

use super::servers::{MARIADB, MYSQL, Servers, request};

/// The trials of this module.
pub fn trials(_servers: &Arc<Servers>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (vendor, flavor, kind) in [("mysql", MYSQL, Kind::Container), ("mariadb", MARIADB, Kind::Process)] {
        trials.push(Trial::test(format!("capture::a_log_gives_the_upgrade_again_on_{vendor}"), move || {
            logs_replay(flavor, kind)
        }));
    }
    trials
}

/// Two sessions, one after the other: a trigger and a routine whose bodies the general log shows too, a prepared statement, text in
/// latin1, bytes that are none, a temporary table, a transaction taken back, quotes in an odd mode.
const UPGRADE: [&[u8]; 2] = [
    b"SET NAMES utf8mb4;\nCREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(50), b BLOB, n INT) CHARSET=utf8mb4;\n\
      CREATE TABLE log (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(50)) CHARSET=utf8mb4;\nDELIMITER //\n\
      CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW BEGIN\n  DECLARE x INT DEFAULT 5;\n  INSERT INTO log (what) VALUES (NEW.v);\n  \
      INSERT INTO log (what) VALUES ('plain; body');\n  INSERT INTO log (what) VALUES (CONCAT('x', x));\nEND//\n\
      CREATE PROCEDURE p(IN n INT) BEGIN\n  INSERT INTO log (what) VALUES (CONCAT('p', n));\nEND//\nDELIMITER ;\n\
      INSERT INTO t (v, b) VALUES ('a\n\tb', x'00ff0a'), ('n\xc3\xa9e', 'q'), ('x', NULL);\nUPDATE t SET v = 'z;y' WHERE id <= 2;\n\
      CALL p(7);\nSET @a = 'it''s';\nPREPARE s FROM 'INSERT INTO t (v) VALUES (?)';\nEXECUTE s USING @a;\nDEALLOCATE PREPARE s;\n\
      BEGIN;\nDELETE FROM t;\nROLLBACK;\nBEGIN;\nDELETE FROM t WHERE id = 3;\nCOMMIT;\nSHOW TABLES;\nSELECT COUNT(*) FROM t;\n",
    b"SET NAMES latin1;\nINSERT INTO t (v) VALUES ('caf\xe9');\nINSERT INTO t (b) VALUES (_binary 'a\xff\\\\b');\n\
      CREATE TEMPORARY TABLE tmp (a INT);\nINSERT INTO tmp VALUES (4), (5);\nINSERT INTO t (n) SELECT a FROM tmp;\n\
      SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES';\nINSERT INTO t (v) VALUES ('c:\\dir'), ('end\\');\n\
      UPDATE \"t\" SET \"n\" = 9 WHERE \"id\" = 1;\nALTER TABLE t ADD COLUMN c INT DEFAULT 3, ADD INDEX (n);\n",
];

fn client(sandbox: &mut Sandbox, database: &str, sql: &[u8]) -> Result<Ended, Failed> {
    fs::write(sandbox.desk()?.join("in.sql"), sql)?;
    let call = Call {
        program: Program::Client,
        arguments: vec!["--default-character-set=utf8mb4".to_owned(), database.to_owned()],
        input: Some("in.sql".to_owned()),
        output: None,
    };
    let ended = sandbox.call(&call, &Silent)?.ok_or("no stock client: fixtures/servers/get gets it")?;
    if ended.code != 0 {
        return Err(format!("{}\n{}", ended.errors, String::from_utf8_lossy(sql)).into());
    }
    Ok(ended)
}

/// All that the database holds, in words.
fn content(writer: &mut Writer) -> Result<Vec<String>, Failed> {
    let mut content = Vec::new();
    for table in ["t", "log"] {
        let created: Vec<(String, String)> = writer.rows(&format!("SHOW CREATE TABLE app.{table}"))?;
        content.extend(created.into_iter().map(|(_, text)| text));
    }
    content.extend(writer.rows::<String>("SELECT CONCAT_WS('|', id, HEX(v), HEX(b), n, c) FROM app.t ORDER BY id")?);
    content.extend(writer.rows::<String>("SELECT CONCAT_WS('|', id, HEX(what)) FROM app.log ORDER BY id")?);
    content.extend(writer.rows::<String>(
        "SELECT CONCAT(trigger_name, action_statement) FROM information_schema.triggers WHERE trigger_schema = 'app'",
    )?);
    Ok(content)
}

fn captured(log: &Path, kind: SourceKind, flavor: &str, into: &Path) -> Result<String, Failed> {
    let options = script::Options { variables: BTreeMap::new(), database: "app".to_owned(), flavor: flavor.parse()? };
    let opened = source::open(&Source { path: log.to_owned(), kind: None, options })?;
    assert_eq!(opened.kind(), kind);
    let file = CaptureFile::create(into, &Header::default(), Options::default())?;
    opened.read(&file, &Silent)?;
    file.finish()?;
    Ok(fs::read_to_string(into)?)
}

fn logs_replay(flavor: &str, kind: Kind) -> Result<(), Failed> {
    let mut wanted = request(flavor, kind)?;
    wanted.settings.insert("log_bin".to_owned(), "ON".to_owned());
    let mut sandbox = Sandbox::prepare(&wanted, &mut |_| Ok(Vec::new()), &Silent)?;
    let mut writer = sandbox.instance().writer(Role::Keeper)?;
    let data = writer.first::<String>("SELECT @@datadir")?.ok_or("no datadir")?;
    writer.execute("CREATE DATABASE app")?;
    writer.execute("SET GLOBAL log_output = 'FILE'")?;
    writer.execute("SET GLOBAL long_query_time = 0")?;
    writer.execute("SET GLOBAL log_slow_admin_statements = 1")?;
    writer.execute("SET GLOBAL general_log_file = 'upgrade-general.log'")?;
    writer.execute("SET GLOBAL slow_query_log_file = 'upgrade-slow.log'")?;
    let switch = |writer: &mut Writer, on: u8| -> Result<(), Failed> {
        writer.execute(&format!("SET GLOBAL slow_query_log = {on}"))?;
        writer.execute(&format!("SET GLOBAL general_log = {on}"))?;
        Ok(())
    };
    switch(&mut writer, 1)?;
    for session in UPGRADE {
        client(&mut sandbox, "app", session)?;
    }
    switch(&mut writer, 0)?;
    let expected = content(&mut writer)?;
    assert!(expected.len() > 12, "{expected:?}");
    let directory = tempfile::tempdir()?;
    for (name, log) in [("upgrade-general.log", SourceKind::General), ("upgrade-slow.log", SourceKind::Slow)] {
        let path = Path::new(&data).join(name);
        let text = captured(&path, log, flavor, &directory.path().join("capture.sql"))?;
        // The keeper's own statements on the log stand in it, too.
        let text: String =
            text.lines().filter(|line| !line.contains("SET GLOBAL")).map(|line| format!("{line}\n")).collect();
        writer.execute("DROP DATABASE app")?;
        writer.execute("CREATE DATABASE app")?;
        client(&mut sandbox, "app", text.as_bytes())?;
        assert_eq!(content(&mut writer)?, expected, "{name}:\n{text}");
    }
    Ok(())
}
