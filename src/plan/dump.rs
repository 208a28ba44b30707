//! Logical dumps with the stock program, for what rows cannot be copied of; and other kinds of backup, by name.

use super::protection::{Protection, Scene};
use super::record::{Backup, Shell, ShellProgram, Way};
use super::restored::Instead;
use crate::quantity;
use crate::sql::record::TableName;
use crate::survey::record::TableFacts;

/// From this size on other kinds of backup are named: a copy inside the server doubles it, a dump of it takes hours.
const LARGE: u64 = 10 << 30;

/// A dump of a table, a database (`of.table` is empty) or all of them. A restore of it goes through the binary log, and
/// leaves the GTID state alone: a plain `mysqldump` of a server with GTIDs does neither (measured on 9.7). Under the SQL mode
/// that it sets itself dates that no calendar has are lost (measured on both vendors).
pub fn dump(of: TableName, id: String, scene: &Scene<'_>) -> Protection {
    let file = format!("rehearse-{:03}.sql", scene.step);
    let dumped = dumped(&of, scene);
    let transactional = dumped.iter().all(|(_, facts)| facts.is_transactional());
    let bytes: u64 = dumped.iter().map(|(_, facts)| facts.data_bytes).sum();
    let databases: Vec<String> = match of.database.as_str() {
        "" => scene.survey.databases.keys().cloned().collect(),
        database => vec![database.to_owned()],
    };
    let mut arguments: Vec<String> = match (transactional, databases.len()) {
        (true, _) => vec!["--single-transaction", "--skip-lock-tables"],
        (false, 0 | 1) => vec!["--lock-tables"],
        (false, _) => vec!["--lock-all-tables"],
    }
    .into_iter()
    .map(str::to_owned)
    .collect();
    let is_mariadb = scene.flavor.is_mariadb();
    arguments.extend((!is_mariadb).then(|| "--set-gtid-purged=OFF".to_owned()));
    let common =
        ["--hex-blob", "--complete-insert", "--no-tablespaces", "--default-character-set=utf8mb4", "--triggers"];
    arguments.extend(common.map(str::to_owned));
    let mut restore = Vec::new();
    if of.table.is_empty() {
        arguments.extend(["--routines", "--events", "--add-drop-database"].map(str::to_owned));
        if databases.is_empty() {
            arguments.push("--all-databases".to_owned());
        } else {
            arguments.push("--databases".to_owned());
            arguments.extend(databases);
        }
    } else {
        arguments.extend([of.database.clone(), of.table.clone()]);
        restore.push(of.database.clone());
    }
    let (program, client) = if is_mariadb { ("mariadb-dump", "mariadb") } else { ("mysqldump", "mysql") };
    let make = Shell {
        text: format!("{program} {} > {file}", line(&arguments)),
        program: ShellProgram::Dump,
        arguments,
        input: None,
        output: Some(file.clone()),
    };
    let words = if restore.is_empty() { String::new() } else { format!(" {}", line(&restore)) };
    let back = Shell {
        text: format!("{client}{words} < {file}"),
        program: ShellProgram::Client,
        arguments: restore,
        input: Some(file.clone()),
        output: None,
    };
    let mut backup = Backup::new(id, of, Way::Dump { command: make.text.clone() }, String::new());
    let what = backup.what();
    backup.keeps = format!("a dump of {what} in {file}, made right before the step");
    backup.bytes = (bytes > 0).then_some(bytes);
    backup.alternatives = instead(&backup.of, bytes.max(LARGE), scene);
    backup.limits.push(if transactional {
        "rows that are written between the dump and the step are not in it: stop the writers".to_owned()
    } else {
        "the dump blocks every write to its tables while it runs, for not all of them are transactional".to_owned()
    });
    backup.limits.push("dates that no calendar has (2023-02-31) come back as 0000-00-00".to_owned());
    Protection {
        backup,
        before: Vec::new(),
        within: None,
        shells: Some((make, back)),
        undo: Vec::new(),
        merge: Vec::new(),
        limit: format!("restores {what} from {file}: everything that was written there since the dump is lost"),
        leaves: Vec::new(),
    }
}

/// The tables that a dump of `of` holds.
fn dumped<'a>(of: &TableName, scene: &Scene<'a>) -> Vec<(&'a TableName, &'a TableFacts)> {
    let holds = |name: &TableName| {
        of.database.is_empty() || of.database == name.database && (of.table.is_empty() || of.table == name.table)
    };
    scene.survey.tables.iter().filter(|(name, _)| holds(name)).collect()
}

/// Other kinds of backup that fit something of this size, each with its commands. None of them is rehearsed.
pub fn instead(of: &TableName, bytes: u64, scene: &Scene<'_>) -> Vec<Instead> {
    if bytes < LARGE {
        return Vec::new();
    }
    let is_mariadb = scene.flavor.is_mariadb();
    let client = if is_mariadb { "mariadb" } else { "mysql" };
    let part = match (of.database.as_str(), of.table.as_str()) {
        ("", _) => String::new(),
        (database, "") => format!(" --database {}", shell(database)),
        (database, table) => format!(" --tables-list {}", shell(&format!("{database}.{table}"))),
    };
    let mut ways = vec![Instead {
        title: "mydumper, in parallel".to_owned(),
        commands: vec![
            format!("mydumper{part} --threads 4 --triggers --routines --events --trx-tables --outputdir rehearse-dump"),
            "myloader --directory rehearse-dump --threads 4 --overwrite-tables --enable-binlog".to_owned(),
        ],
        why: "quicker than one stream where there are several tables or processors; not rehearsed".to_owned(),
    }];
    let whole = "the whole server goes back with it, so it is for what nothing smaller covers; not rehearsed";
    if is_mariadb {
        ways.push(Instead {
            title: "a physical copy of the whole server with mariadb-backup".to_owned(),
            commands: vec![
                "mariadb-backup --backup --target-dir=rehearse-copy && mariadb-backup --prepare --target-dir=rehearse-copy"
                    .to_owned(),
                "mariadb-backup --copy-back --target-dir=rehearse-copy (with the server stopped and its data directory empty)"
                    .to_owned(),
            ],
            why: format!("at {} the quickest way back; {whole}", quantity::bytes(bytes)),
        });
    } else {
        // XtraBackup follows a long-term release months later; the clone plugin is the server's own.
        ways.push(Instead {
            title: "a physical copy of the whole server with the clone plugin".to_owned(),
            commands: vec![
                format!("{client} -e \"INSTALL PLUGIN clone SONAME 'mysql_clone.so'; CLONE LOCAL DATA DIRECTORY = '/path/with/room/clone'\""),
                "start a server on that directory (mysqld --datadir=/path/with/room/clone), or put it in the place of the data directory".to_owned(),
            ],
            why: format!(
                "at {} the quickest way back, and a DDL waits while it runs; Percona XtraBackup, where it supports this version, does the same from outside; {whole}",
                quantity::bytes(bytes)
            ),
        });
    }
    ways
}

/// Words for a POSIX shell.
fn line(words: &[String]) -> String {
    words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell.
fn shell(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.=".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
