//! `rehearse lint`: what it finds, where, how fast and in how much memory.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Instant;

use super::*;

const SCHEMA: &str = "CREATE TABLE page_views (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id int, url varchar(200));\n\
                      CREATE TABLE orders (id bigint NOT NULL, customer_id bigint, status varchar(20), PRIMARY KEY (id));\n";

impl Said {
    fn exits(&self, code: i32) -> String {
        assert_eq!(self.0.status.code(), Some(code), "it said:\n{}{}", self.out(), self.err());
        self.out()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out()).expect("JSON on the standard output")
    }
}

fn places(value: &serde_json::Value) -> Vec<(String, String, u64, u64)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = value["findings"].as_array().expect("findings");
    let place = |one: &serde_json::Value| {
        let number = |key: &str| one[key].as_u64().expect("a number");
        (text(&one["rule"]), text(&one["file"]), number("line"), number("column"))
    };
    findings.iter().map(place).collect()
}

#[test]
fn findings_stand_at_their_file_line_and_column() {
    let desk = Desk::new();
    desk.write("schema.sql", SCHEMA);
    desk.write("up.sql", "SELECT 1; DELETE FROM page_views;\n\nALTER TABLE orders\n  DROP COLUMN status;\n");
    let said = desk.rehearse(&["lint", "--schema", "schema.sql", "--rows", "page_views=9M", "up.sql"]);
    let out = said.exits(0);
    for words in [
        "warning[delete-all-rows]: one DELETE removes all 9,000,000 rows (stated, not measured) of",
        "--> up.sql:1:11",
        "1 |           DELETE FROM page_views\n  |           ^^^^^^^^^^^^^^^^^^^^^^",
        "--> up.sql:4:3",
        "4 |   DROP COLUMN status\n  |   ^^^^^^^^^^^^^^^^^^",
        "= help: ",
        "in 3 statements of 1 file, read as mysql:8.4; ",
        "could not be judged without a rehearsal\n",
    ] {
        assert!(out.contains(words), "'{words}' is not in:\n{out}");
    }
    assert!(!out.contains('\x1b'), "no colours where no terminal is");
    assert!(!out.contains("without a survey"), "a schema is one:\n{out}");
    desk.rehearse(&["lint", "--fail-on", "warning", "up.sql"]).exits(1);
    desk.rehearse(&["lint", "--fail-on", "never", "up.sql"]).exits(0);
    desk.rehearse_with(&["lint", "up.sql"], &[("REHEARSE_FAIL_ON", "warning")]).exits(1);
}

#[test]
fn as_json_each_finding_has_its_place_and_what_was_not_judged_is_listed() {
    let desk = Desk::new();
    desk.write("up.sql", "-- rehearse: name gone\nDROP TABLE orders;\nUPDATE orders SET a = 1 WHERE b = 2;\n");
    let value = desk.rehearse(&["lint", "--format", "json", "--server", "mariadb:10.11", "up.sql"]).json();
    assert_eq!((value["schema_version"].as_u64(), value["server"].as_str()), (Some(1), Some("mariadb:10.11")));
    let found = value["findings"].as_array().expect("findings");
    let gone = found.iter().find(|one| one["rule"] == "drop-table").expect("drop-table");
    for (key, expected) in [("file", "up.sql"), ("severity", "warning"), ("statement", "s1"), ("label", "gone")] {
        assert_eq!(gone[key], expected, "{key}");
    }
    for (key, expected) in [("line", 2), ("column", 1), ("end_line", 2), ("end_column", 18), ("count", 1)] {
        assert_eq!(gone[key], expected, "{key}");
    }
    assert_eq!(gone["evidence"]["table"], "app.orders");
    let unchecked = value["unchecked"].as_array().expect("unchecked");
    let hidden = unchecked.iter().find(|one| one["rule"] == "unbatched-update").expect("unbatched-update");
    assert_eq!((hidden["line"].as_u64(), hidden["count"].as_u64()), (Some(3), Some(1)));
    assert!(unchecked.iter().any(|one| one["rule"] == "blocked-writes" && one["file"].is_null()));
    assert_eq!(value["summary"]["statements"], 2);
    let none = desk.rehearse(&["lint", "--format", "json", "schema.sql"]).json();
    assert_eq!(none["summary"]["files"], 1, "a document without findings is one, too");
}

#[test]
fn an_ignore_with_a_reason_is_accepted_and_shown() {
    let desk = Desk::new();
    let drop = "DROP TABLE orders;\n";
    desk.write("up.sql", format!("-- rehearse: ignore drop-table reason=\"kept as orders_old\"\n{drop}"));
    let out = desk.rehearse(&["lint", "--fail-on", "warning", "up.sql"]).exits(0);
    assert!(out.contains("info[drop-table]") && out.contains("accepted: kept as orders_old"), "{out}");
    desk.write("up.sql", format!("/* rehearse: ignore drop-table until=2020-01-31 reason='old' */\n{drop}"));
    let out = desk.rehearse(&["lint", "--fail-on", "warning", "up.sql"]).exits(1);
    assert!(out.contains("allowance-expired") && out.contains("ran out on 2020-01-31"), "{out}");
}

#[test]
fn an_ignore_without_reason_an_unknown_one_and_an_unused_one_are_told_at_their_lines() {
    let desk = Desk::new();
    desk.write(
        "up.sql",
        "-- rehearse: ignore drop-table\nDROP TABLE a;\n-- rehearse: ignore drop-tabel reason=\"x\"\nDROP TABLE b;\n\
         -- rehearse: ignore drop-column reason=\"x\"\nSELECT 1;\n\
         -- rehearse: ignore blocked-writes reason=\"at night\"\nSELECT 2;\n",
    );
    let said = desk.rehearse(&["lint", "--format", "json", "up.sql"]);
    said.exits(1);
    let value = said.json();
    let at = |rule: &str| {
        let found = places(&value).into_iter().filter(|one| one.0 == rule);
        found.map(|(_, file, line, _)| format!("{file}:{line}")).collect::<Vec<_>>()
    };
    assert_eq!(at("ignore-invalid"), ["up.sql:1", "up.sql:3"]);
    assert_eq!(at("drop-table"), ["up.sql:2", "up.sql:4"], "what an invalid ignore is about counts");
    assert_eq!(at("allowance-unused"), ["up.sql:5"], "what lint cannot judge is not called unused");
    let out = desk.rehearse(&["lint", "up.sql"]).exits(1);
    assert!(out.contains("did you mean drop-table?") && out.contains("gives no reason"), "{out}");
    // A rehearsal would take minutes before it came to that.
    desk.rehearse(&["run", "--schema", "schema.sql", "up.sql"]).refuses(&["up.sql:1", "gives no reason"]);
    desk.write("up.sql", "SELECT 1;\n-- rehearse: ignore drop-table reason=\"x\"\n");
    desk.rehearse(&["lint", "up.sql"]).refuses(&["up.sql:2: no statement follows"]);
    desk.write("up.sql", "-- rehearse: ignroe drop-table reason=\"x\"\nSELECT 1;\n");
    desk.rehearse(&["lint", "up.sql"]).refuses(&["up.sql:1", "Did you mean `rehearse: ignore`?"]);
}

#[test]
fn the_configuration_s_allowances_hold() {
    let desk = Desk::new();
    desk.write("up.sql", "DROP TABLE orders;\n");
    desk.write("rehearse.yaml", "format: rehearse/scenario@1\nallow: [{rule: drop-table, reason: agreed}]\n");
    let out = desk.rehearse(&["lint", "--fail-on", "warning", "up.sql"]).exits(0);
    assert!(out.contains("(accepted: agreed)"), "{out}");
    let out = desk.rehearse(&["lint", "--show-config", "--server", "mysql:9.7", "up.sql"]).exits(0);
    assert!(out.contains("rule: drop-table") && out.contains("mysql:9.7") && out.contains("# fail-on: error"), "{out}");
}

#[test]
fn the_standard_input_is_a_script() {
    let desk = Desk::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rehearse"))
        .args(["lint", "-", "--format", "json"])
        .current_dir(desk.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("its input").write_all(b"SELECT 1;\nDROP TABLE a;\n").expect("written");
    let said = Said(child.wait_with_output().expect("it ends"));
    assert!(places(&said.json()).contains(&("drop-table".to_owned(), "<stdin>".to_owned(), 2, 1)));
    desk.rehearse(&["lint", "-", "-"]).refuses(&["can be read only once"]);
}

#[test]
fn a_folder_is_read_in_natural_order_as_one_upgrade() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("migrations")).expect("a directory");
    for (name, text) in [
        ("2.sql", "CREATE TABLE fresh (id int PRIMARY KEY);"),
        ("10.sql", "DROP TABLE fresh;"),
        ("9.sql", "DROP TABLE a;"),
        ("notes.txt", "DROP TABLE b;"),
        ("11.SQL", "DROP TABLE c;"),
    ] {
        desk.write(&format!("migrations/{name}"), text);
    }
    let value = desk.rehearse(&["lint", "--format", "json", "migrations"]).json();
    let found: Vec<_> =
        places(&value).into_iter().filter(|one| one.0 == "drop-table").map(|(_, file, ..)| file).collect();
    assert_eq!(found, ["migrations/9.sql", "migrations/11.SQL"], "what the upgrade made itself may go");
    assert_eq!(value["summary"]["files"], 4);
}

#[test]
fn what_cannot_be_read_is_one_error_with_its_place() {
    let desk = Desk::new();
    desk.write("up.sql", "SELECT 1;\nSELECT 2,\n 'open;\nDROP TABLE a;\n");
    desk.rehearse(&["lint", "up.sql"]).refuses(&["up.sql:3: the string that begins here is not closed"]);
    desk.write("up.sql", "SELECT 1 /* open\n;");
    desk.rehearse(&["lint", "up.sql"]).refuses(&["up.sql:1: the comment that begins here"]);
    desk.write("up.sql", b"SELECT 1;\nSELECT '\xff';\n");
    desk.rehearse(&["lint", "up.sql"]).refuses(&["up.sql:2", "UTF-8", "hint: "]);
    desk.rehearse(&["lint", "nowhere.sql"]).refuses(&["nowhere.sql"]);
    desk.rehearse(&["lint"]).refuses(&["nothing to lint", "hint: "]);
    desk.rehearse(&["lint", "--fromat", "json", "upgrade.sql"]).refuses(&["--fromat", "--format"]);
    desk.rehearse(&["lint", "--rows", "orders=5", "upgrade.sql"]).refuses(&["--rows", "--schema FILE"]);
    desk.rehearse(&["lint", "--schema", "schema.sql", "--rows", "order=5", "upgrade.sql"])
        .refuses(&["app.order", "Did you mean app.orders?"]);
}

#[test]
fn a_schema_is_read_without_a_server_and_what_it_hides_is_said() {
    let desk = Desk::new();
    desk.write("schema.sql", format!("{SCHEMA}CREATE TABLE made AS SELECT 1 AS a;\n"));
    desk.write("up.sql", "DROP TABLE IF EXISTS nowhere;\nDELETE FROM page_views;\n");
    let out = desk.rehearse(&["lint", "--schema", "schema.sql", "up.sql"]).exits(0);
    assert!(out.contains("nobody knows how many"), "rows that nobody stated are unknown, not none:\n{out}");
    assert!(!out.contains("drop-table"), "what the schema does not have cannot be lost:\n{out}");
    assert!(out.contains("the schema, schema.sql:3: the columns of app.made are not all told"), "{out}");
}

#[test]
fn what_a_key_a_limit_or_a_small_table_bounds_is_not_called_unknown() {
    let desk = Desk::new();
    desk.write("schema.sql", format!("{SCHEMA}CREATE TABLE few (id int PRIMARY KEY, a int);\n"));
    let args =
        ["lint", "--format", "json", "--schema", "schema.sql", "--rows", "orders=9M", "--rows", "few=10", "up.sql"];
    let untold = |text: &str| {
        desk.write("up.sql", text);
        let value = desk.rehearse(&args).json();
        let all = value["unchecked"].as_array().expect("unchecked").clone();
        let mut told =
            all.into_iter().filter(|one| one["rule"] == "unbatched-update" || one["rule"] == "unbatched-delete");
        told.next().map(|one| one["why"].as_str().unwrap_or_default().to_owned())
    };
    for text in [
        "UPDATE orders SET status = 'x' WHERE id = 5;",
        "DELETE FROM orders WHERE status = 'x' ORDER BY id LIMIT 1000;",
        "UPDATE few SET a = 1 WHERE a > 2;",
    ] {
        assert_eq!(untold(text), None, "{text}");
    }
    for text in [
        "UPDATE orders SET status = 'x' WHERE id > 5;",
        "DELETE FROM orders WHERE status = 'x' LIMIT 1000000;",
        "DELETE FROM orders WHERE customer_id = 5;",
    ] {
        let why = untold(text).expect(text);
        assert!(why.contains("9,000,000 rows (stated, not measured) of app.orders"), "{why}");
    }
}

/// `count` statements of many kinds, a line each.
fn mixed(count: usize) -> String {
    let mut script = String::new();
    for i in 0..count {
        let (j, k, m) = (i + 1000, i % 97, i % 31);
        let _ = match i % 13 {
            0 => writeln!(script, "INSERT INTO orders (id, customer_id, status) VALUES ({i}, {j}, 'new');"),
            1 => writeln!(script, "UPDATE orders SET status = 'done' WHERE id = {i};"),
            2 => writeln!(script, "DELETE FROM page_views WHERE url < '2026-01-01' AND id > {i};"),
            3 => writeln!(script, "ALTER TABLE t{k} ADD COLUMN c{m} INT NOT NULL DEFAULT 0, ADD INDEX i{m} (c{m});"),
            4 => writeln!(script, "CREATE TABLE n{k} (id BIGINT PRIMARY KEY, a VARCHAR(200) NOT NULL, KEY (a(20)));"),
            5 => writeln!(script, "DROP TABLE IF EXISTS n{k};"),
            6 => {
                writeln!(script, "SELECT o.id FROM orders o JOIN page_views p ON p.id = o.id WHERE o.id = {i} LIMIT 9;")
            }
            7 => writeln!(script, "SET @last := {i};"),
            8 => writeln!(script, "CREATE INDEX by_c{m} ON t{k} (c{m});"),
            9 => writeln!(script, "INSERT INTO archive SELECT * FROM orders WHERE id BETWEEN {i} AND {j};"),
            10 => writeln!(script, "UPDATE t{k} SET b = CONCAT(b, 'x{i}') WHERE c{m} IN (1, 2, {i});"),
            11 => writeln!(script, "START TRANSACTION;"),
            _ => writeln!(script, "COMMIT;"),
        };
    }
    script
}

/// Lints a script in a process of its own; gives its peak memory in KiB (`VmHWM`).
fn weigh(desk: &Desk, name: &str) -> u64 {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rehearse"))
        .args(["lint", "--fail-on", "never", "--format", "json", name, "-"])
        .current_dir(desk.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::from(fs::File::create(desk.path().join("out.json")).expect("a file")))
        .spawn()
        .expect("the binary starts");
    // It reads the script, then waits for its standard input: all that it ever held is in the peak by then.
    let status = format!("/proc/{}/status", child.id());
    let waits = format!("/proc/{}/wchan", child.id());
    let mut peak = 0;
    let mut idle = 0;
    let mut used = 0;
    while idle < 5 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(peak);
        let ticks = cpu_ticks(child.id());
        idle = if ticks == used && ticks > 0 { idle + 1 } else { 0 };
        used = ticks;
        assert!(
            began.elapsed().as_secs() < 300,
            "it does not come to its end: {}",
            fs::read_to_string(&waits).unwrap_or_default()
        );
    }
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    peak
}

/// Clock ticks (100 a second on Linux) that a process has used.
fn cpu_ticks(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or("");
    // The state is the third field of all, the times (user, system) are the 14th and 15th.
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

#[test]
fn memory_stays_flat_however_long_the_script() {
    let desk = Desk::new();
    desk.write("small.sql", mixed(10_000));
    desk.write("large.sql", mixed(100_000));
    let (small, large) = (weigh(&desk, "small.sql"), weigh(&desk, "large.sql"));
    assert!(small > 0 && large < 2 * small, "peak memory grew from {small} KiB to {large} KiB");
}
