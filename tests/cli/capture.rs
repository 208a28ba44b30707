//! `rehearse capture --from`: logs that real servers wrote (`fixtures/capture`), files and folders of migration tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::Desk;

use mysql_rehearsal::sql::script::{Options, Script};

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/capture").join(name);
    path.display().to_string()
}

/// The statements of a capture, each on one line, with their sessions.
fn statements(desk: &Desk) -> Vec<(u32, String)> {
    let flavor = "mariadb:11.8".parse().expect("a flavor");
    let options = Options { variables: BTreeMap::new(), database: "app".into(), flavor };
    let script = Script::from_files(&[desk.path().join("out.sql")], options).expect("a script");
    let actions = script.actions().expect("actions");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    actions
        .map(|action| {
            let statement = action.expect("an action").into_statement();
            (statement.session, words(&statement.text))
        })
        .collect()
}

/// What the fixtures' session changes, as it was sent.
const DRIVE: [&str; 14] = [
    "CREATE DATABASE app CHARACTER SET utf8mb4",
    "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(50), b BLOB, ts TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE log (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(50))",
    "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW BEGIN DECLARE x INT DEFAULT 5; INSERT INTO log (what) VALUES (NEW.v); \
     INSERT INTO log (what) VALUES ('plain body'); INSERT INTO log (what) VALUES (CONCAT('x', x)); END",
    "CREATE PROCEDURE p(IN n INT) BEGIN INSERT INTO log (what) VALUES (CONCAT('p', n)); END",
    "INSERT INTO t (v, b) VALUES ('a b line two', x'00ff0a'), ('née', 'q')",
    "UPDATE t SET v = 'z;y' WHERE id <= 2",
    "CALL p(7)",
    "INSERT INTO t (v) VALUES ('it\\'s')",
    "DELETE FROM t WHERE id = 2",
    "INSERT INTO t (v, ts) SELECT UUID(), NOW()",
    "ALTER TABLE t ADD COLUMN c INT",
    "INSERT INTO app.t (v) VALUES (_latin1 x'636166E9')",
    "INSERT INTO app.t (b) VALUES (_binary x'61FF0062')",
];

/// The statements that change something, without the session's own.
fn changes(desk: &Desk) -> Vec<String> {
    let verbs = ["CREATE", "INSERT", "UPDATE", "DELETE", "CALL", "ALTER"];
    let all = statements(desk).into_iter().map(|(_, text)| text);
    all.filter(|text| verbs.iter().any(|verb| text.starts_with(verb))).collect()
}

#[test]
fn general_logs_give_each_statement_once() {
    for name in ["general-mysql-9.7.log", "general-mariadb-10.11.log", "general-mariadb-11.8.log"] {
        let desk = Desk::new();
        let said = desk.rehearse(&["capture", "-o", "out.sql", "--from", &fixture(name)]);
        said.is_fine(&["not told by this source: durations", "run by a trigger or routine", "prepared (counted when"]);
        assert_eq!(changes(&desk), DRIVE, "{name}");
        let all = statements(&desk);
        assert!(all.contains(&(1, "BEGIN".into())) && all.contains(&(1, "COMMIT".into())), "{name}: {all:?}");
        assert!(
            !all.iter().any(|(_, text)| text.contains("SHOW") || text.contains("version_comment")),
            "{name}: {all:?}"
        );
    }
}

#[test]
fn slow_logs_give_times_and_rows() {
    for name in ["slow-mysql-9.7.log", "slow-mariadb-10.11.log", "slow-mariadb-11.8.log"] {
        let desk = Desk::new();
        desk.rehearse(&["capture", "-o", "out.sql", "--from", &fixture(name)])
            .is_fine(&["slow log", "statements quicker than"]);
        let found = changes(&desk);
        // Of MySQL's the server writes no ALTER without `log_slow_admin_statements`.
        let expected: Vec<_> =
            DRIVE.into_iter().filter(|text| !(name.contains("mysql") && text.starts_with("ALTER"))).collect();
        assert_eq!(found, expected, "{name}");
        let text = fs::read_to_string(desk.path().join("out.sql")).expect("a capture");
        assert!(text.contains("rows examined") && text.contains("SET SESSION timestamp = "), "{name}: {text}");
    }
}

#[test]
fn binary_logs_give_statements_and_name_rows() {
    for name in ["binlog-mixed-mysql-9.7.txt", "binlog-mixed-mariadb-10.11.txt"] {
        let desk = Desk::new();
        desk.rehearse(&["capture", "-o", "out.sql", "--from", &fixture(name)])
            .is_fine(&["binary log", "statements that only read"]);
        let all = statements(&desk);
        for expected in ["DELETE FROM t WHERE id = 2", "ALTER TABLE t ADD COLUMN c INT", "BEGIN", "COMMIT", "USE `app`"]
        {
            assert!(all.iter().any(|(_, text)| text == expected), "{name} lacks {expected}: {all:?}");
        }
        assert!(all.iter().any(|(_, text)| text.starts_with("SET SESSION insert_id = ")), "{name}: {all:?}");
    }
    let desk = Desk::new();
    let rows = fixture("binlog-rows-mysql-9.7.txt");
    desk.rehearse(&["capture", "-o", "out.sql", "--from", &rows])
        .is_fine(&["changed rows of app.t without their statement"]);
    assert!(!changes(&desk).iter().any(|text| text.starts_with("INSERT") || text.starts_with("UPDATE")));
    // MariaDB's log holds the statements beside the rows.
    let rows = fixture("binlog-rows-mariadb-11.8.txt");
    desk.rehearse(&["capture", "-o", "out.sql", "--from", &rows])
        .is_fine(&["row changes (their statement is in the log)"]);
    let found = changes(&desk);
    assert!(found.iter().any(|text| text == "INSERT INTO t (v, ts) SELECT UUID(), NOW()"), "{found:?}");
    assert!(!found.iter().any(|text| text.contains("(NEW.v)") && text.starts_with("INSERT")), "{found:?}");
}

#[test]
fn logs_as_tables_are_read() {
    for name in ["general_log-mysql-9.7.csv", "general_log-mariadb-10.11.csv"] {
        let desk = Desk::new();
        desk.rehearse(&["capture", "-o", "out.sql", "--from", &fixture(name)]).is_fine(&["general log table"]);
        let found = changes(&desk);
        assert!(
            found.iter().any(|text| text == "update app.t set v='tab\\n\"le' where id=1")
                || statements(&desk).iter().any(|(_, text)| text == "update app.t set v='tab\\n\"le' where id=1"),
            "{name}: {:?}",
            statements(&desk)
        );
    }
    let desk = Desk::new();
    desk.rehearse(&["capture", "-o", "out.sql", "--from", &fixture("slow_log-mariadb-10.11.csv")])
        .is_fine(&["slow log table"]);
    let text = fs::read_to_string(desk.path().join("out.sql")).expect("a capture");
    assert!(text.contains("0.008615 s, 1 rows changed, 0 rows sent, 1 rows examined"), "{text}");
}

#[test]
fn a_log_that_is_torn_or_cut_says_what_is_lost() {
    let whole = fs::read(fixture("general-mariadb-10.11.log")).expect("a fixture");
    let find = |what: &[u8]| whole.windows(what.len()).position(|bytes| bytes == what).expect("a part of the fixture");
    let (begin, end) = (find(b"LARE x INT"), find(b"WHERE id = 2"));
    let desk = Desk::new();
    desk.write("torn.log", &whole[begin..end]);
    let said = desk.rehearse(&["capture", "-o", "out.sql", "--from", "torn.log"]);
    said.is_fine(&["5 × a torn line: no entry before it (first: torn.log:1)", "1 × cut off in mid-statement"]);
    assert!(!changes(&desk).iter().any(|text| text.starts_with("DELETE")));
}

#[test]
fn values_are_masked() {
    let desk = Desk::new();
    let said = desk.rehearse(&["capture", "--mask", "-o", "out.sql", "--from", &fixture("general-mysql-9.7.log")]);
    said.is_fine(&["DELETE FROM t WHERE id = ?"]);
    let text = fs::read_to_string(desk.path().join("out.sql")).expect("a capture");
    assert!(!text.contains("'z;y'") && !text.contains("line two") && text.contains("VARCHAR(50)"), "{text}");
}

#[test]
fn folders_are_read_as_their_tools_read_them() {
    let desk = Desk::new();
    let folder = |name: &str, files: &[(&str, &str)]| {
        for (file, text) in files {
            let path = desk.path().join(name).join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
    };
    let up = "CREATE TABLE a (i INT)";
    let down = "DROP TABLE a";
    folder(
        "flyway",
        &[
            ("V2__b.sql", "SELECT * FROM b"),
            ("V10__c.sql", "SELECT * FROM c"),
            ("V1__a.sql", up),
            ("U1__a.sql", down),
            ("R__v.sql", "SELECT * FROM v"),
        ],
    );
    folder("golang", &[("1_a.up.sql", up), ("1_a.down.sql", down), ("2_b.up.sql", "SELECT * FROM b")]);
    folder(
        "dbmate",
        &[
            ("1.sql", &format!("-- migrate:up\n{up};\n\n-- migrate:down\n{down};\n")),
            ("2.sql", "-- migrate:up\nSELECT * FROM b\n;\n-- migrate:down\nDROP TABLE b;"),
        ],
    );
    folder(
        "goose",
        &[(
            "1.sql",
            &format!(
                "-- +goose Up\n-- +goose StatementBegin\n{up};\n-- +goose StatementEnd\nSELECT * FROM b;\n-- +goose Down\n{down};\n"
            ),
        )],
    );
    folder(
        "diesel",
        &[("2026-01-01_a/up.sql", up), ("2026-01-01_a/down.sql", down), ("2026-01-02_b/up.sql", "SELECT * FROM b")],
    );
    folder(
        "prisma",
        &[
            ("20260101_a/migration.sql", up),
            ("20260102_b/migration.sql", "SELECT * FROM b"),
            ("migration_lock.toml", ""),
        ],
    );
    folder(
        "liquibase",
        &[(
            "a.sql",
            &format!(
                "--liquibase formatted sql\n--changeset x:1\n{up};\n--rollback {down};\n--changeset x:2 dbms:oracle\nSELECT 1 FROM dual;\n\
                 --changeset x:3 endDelimiter:/\nSELECT * FROM b\n/\n"
            ),
        )],
    );
    for (name, count) in
        [("flyway", 4), ("golang", 2), ("dbmate", 2), ("goose", 2), ("diesel", 2), ("prisma", 2), ("liquibase", 2)]
    {
        desk.rehearse(&["capture", "-o", "out.sql", "--from", name]).is_fine(&["SQL", name]);
        let found: Vec<_> = statements(&desk).into_iter().map(|(_, text)| text).collect();
        assert_eq!((found[0].as_str(), found.len()), (up, count), "{name}: {found:?}");
        assert!(!found.iter().any(|text| text.starts_with("DROP")), "{name}: {found:?}");
        // The same holds for lint: what takes back is no finding.
        let linted = desk.rehearse(&["lint", name]);
        assert!(!linted.out().contains("drop-table"), "{name}: {}", linted.out());
    }
    let out = desk.rehearse(&["lint", "golang"]);
    assert!(out.err().contains("1_a.down.sql is left out: a migration that takes back"), "{}", out.err());
    folder("skeema", &[(".skeema", ""), ("t.sql", up)]);
    desk.rehearse(&["capture", "-o", "out.sql", "--from", "skeema"]).refuses(&["folder of Skeema", "skeema diff"]);
}

#[test]
fn what_tools_print_is_read() {
    let desk = Desk::new();
    desk.write("old.txt", "Migration table created successfully.\nCreateUsersTable: create table `users` (`id` bigint unsigned not null, `name` varchar(9) default 'a\nb')\nCreateUsersTable: alter table `users` add unique `u`(`name`)\n");
    desk.write("new.txt", "\n   INFO  Running migrations.  \n\n  2014_10_12_000000_create_users_table ........ \n  ⇂ create table `users` (`id` int)  \n  ⇂ insert into `users` (`id`) values (?)  \n");
    for (file, count) in [("old.txt", 2), ("new.txt", 1)] {
        desk.rehearse(&["capture", "-o", "out.sql", "--from", file]).is_fine(&["migrate --pretend"]);
        assert_eq!(statements(&desk).len(), count, "{file}");
    }
    desk.write("alembic.sql", "CREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL\n);\n\n-- Running upgrade  -> ae1027a6acf\n\nALTER TABLE a ADD COLUMN b INTEGER;\n\nUPDATE alembic_version SET version_num='ae1027a6acf';\n\n");
    desk.rehearse(&["capture", "-o", "out.sql", "--from", "alembic.sql"]).is_fine(&["3 statements"]);
    desk.write(
        "packets.txt",
        "2026-11-21 18:20:46.249468 IP 127.0.0.1.50000 > 127.0.0.1.3306: tcp 20\n\t0x0000:  4500\n",
    );
    desk.rehearse(&["capture", "-o", "out.sql", "--from", "packets.txt"]).refuses(&["tcpdump", "hint: --source KIND"]);
    desk.rehearse(&["capture", "-o", "out.sql", "--from", "none.log"]).refuses(&["cannot read none.log"]);
    desk.write("named.sql", "-- rehearse: name big\n-- rehearse: ignore no-where reason=\"small\"\nDELETE FROM t;\n");
    desk.rehearse(&["capture", "-o", "out.sql", "--from", "named.sql"]).is_fine(&["1 statement in 1 session"]);
    let text = fs::read_to_string(desk.path().join("out.sql")).expect("a capture");
    assert!(text.contains("-- rehearse: name big\n-- rehearse: ignore no-where reason=\"small\"\n"), "{text}");
}
