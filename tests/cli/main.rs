//! The binary as people meet it: what it says and how it exits when what they gave cannot be used. No server is needed.

mod capture;
mod check;
mod ci;
mod compare;
mod formats;
mod lint;
mod printed;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A directory with a schema, an upgrade and a scenario that could run, for each test to spoil.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary directory"));
        desk.write("schema.sql", "CREATE TABLE orders (id int PRIMARY KEY);\n");
        desk.write("upgrade.sql", "DELETE FROM orders;\n");
        desk.write("scenario.yaml", scenario("", "rows: {app.orders: 5}"));
        desk
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).expect("a file in a temporary directory");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn rehearse(&self, args: &[&str]) -> Said {
        self.rehearse_with(args, &[])
    }

    /// Runs in an environment of its own: nothing of the person's who runs the tests.
    fn rehearse_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
        command.args(args).current_dir(self.path()).env_clear().env("HOME", self.path()).env("PATH", "/nonexistent");
        command.env("DOCKER_HOST", "unix:///nonexistent").env("REHEARSE_CACHE", self.path().join("cache"));
        command.envs(environment.iter().copied());
        Said(command.output().expect("the binary starts"))
    }
}

fn scenario(more: &str, production: &str) -> String {
    format!(
        "format: rehearse/scenario@1\nname: x\nproduction: {{schema: schema.sql, {production}}}\nupgrade: {{sql: [upgrade.sql]}}\n{more}"
    )
}

#[must_use = "hold it to something"]
struct Said(Output);

impl Said {
    fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// One error, shown once, with this exit code and these words.
    fn refuses(&self, words: &[&str]) {
        let err = self.err();
        assert_eq!(self.0.status.code(), Some(2), "exit code; it said:\n{err}");
        assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "one error:\n{err}");
        for word in words {
            assert!(err.contains(word), "'{word}' is not in:\n{err}");
        }
        assert!(!err.contains("panicked"), "{err}");
        assert_eq!(self.out(), "", "nothing on the standard output");
    }

    fn is_fine(&self, words: &[&str]) {
        assert_eq!(self.0.status.code(), Some(0), "exit code; it said:\n{}", self.err());
        for word in words {
            assert!(self.out().contains(word), "'{word}' is not in:\n{}", self.out());
        }
    }
}

#[test]
fn a_misspelt_option_runs_nothing() {
    let desk = Desk::new();
    desk.rehearse(&["run", "--shema", "schema.sql", "upgrade.sql"]).refuses(&["--shema", "--schema"]);
    desk.rehearse(&["run", "-dryRun", "upgrade.sql"]).refuses(&["-d"]);
    desk.rehearse(&["survy"]).refuses(&["survy", "survey"]);
    assert!(!desk.path().join("rehearsal").exists(), "nothing was written");
}

#[test]
fn a_run_without_upgrade_or_production_says_what_to_name() {
    let desk = Desk::new();
    desk.rehearse(&["run"]).refuses(&["nothing to rehearse", "hint: Name the upgrade's SQL files"]);
    desk.rehearse(&["run", "upgrade.sql"]).refuses(&["what production holds", "--schema"]);
}

#[test]
fn a_missing_file_is_named_with_its_neighbour() {
    let desk = Desk::new();
    desk.rehearse(&["run", "--schema", "shema.sql", "upgrade.sql"])
        .refuses(&["cannot read the schema shema.sql", "hint: There is schema.sql."]);
    desk.rehearse(&["run", "--schema", "schema.sql", "nowhere/u.sql"])
        .refuses(&["cannot read the upgrade nowhere/u.sql"]);
    desk.rehearse(&["run", "--survey", "none.yaml", "upgrade.sql"]).refuses(&["the survey none.yaml"]);
    desk.rehearse(&["run", "--scenario", "none/scenario.yaml"]).refuses(&["none/scenario.yaml"]);
    desk.rehearse(&["test", "none"]).refuses(&["none"]);
}

#[test]
fn a_wrong_schema_is_named() {
    let desk = Desk::new();
    desk.write("empty.sql", "-- nothing\n");
    desk.rehearse(&["run", "--schema", "empty.sql", "upgrade.sql"])
        .refuses(&["empty.sql holds no CREATE statement", "hint: `mysqldump --no-data"]);
    fs::create_dir(desk.path().join("dir")).expect("a directory");
    desk.rehearse(&["run", "--schema", "dir", "upgrade.sql"]).refuses(&["dir is a directory without a .sql file"]);
}

#[test]
fn text_that_is_not_utf8_is_named_with_its_line() {
    let desk = Desk::new();
    desk.write("latin.sql", b"CREATE TABLE a (id int);\nCREATE TABLE caf\xe9 (id int);\n");
    desk.rehearse(&["run", "--schema", "latin.sql", "upgrade.sql"]).refuses(&["latin.sql:2", "UTF-8"]);
    desk.rehearse(&["run", "--schema", "schema.sql", "latin.sql"]).refuses(&["latin.sql", "UTF-8"]);
    desk.write("scenario.yaml", b"format: rehearse/scenario@1\nname: caf\xe9\n");
    desk.rehearse(&["run", "--scenario", "scenario.yaml"]).refuses(&["scenario.yaml:2", "UTF-8"]);
}

#[test]
fn an_unknown_key_of_a_scenario_is_named_with_the_nearest_right_one() {
    let desk = Desk::new();
    for (spoilt, key, nearest) in [
        (scenario("budgets: {}\n", "scale: 1"), "budgets", "budget"),
        (
            scenario("budget: {longest_blocked_writes: 1s}\n", "scale: 1"),
            "longest_blocked_writes",
            "longest_blocked_write",
        ),
        (scenario("", "row: {app.orders: 5}"), "row", "rows"),
        (scenario("expect: {per_flavor: {mariadb: {choosen: {}}}}\n", "scale: 1"), "choosen", "chosen"),
    ] {
        desk.write("scenario.yaml", spoilt);
        let said = desk.rehearse(&["run", "--scenario", "scenario.yaml"]);
        said.refuses(&["scenario.yaml", &format!("`{key}`"), nearest, "line"]);
    }
}

#[test]
fn wrong_values_of_a_scenario_are_named() {
    let desk = Desk::new();
    for (spoilt, words) in [
        ("name: x\n".to_owned(), ["format:", "rehearse/scenario@1"]),
        (scenario("server: {flavor: oracle:9}\n", "scale: 1"), ["oracle:9", "mysql:9.7"]),
        (scenario("budget: {longest_blocked_read: 5}\n", "scale: 1"), ["longest_blocked_read", "duration"]),
        (scenario("allow: [{rule: table-rebild, reason: x}]\n", "scale: 1"), ["table-rebild", "table-rebuild"]),
        (scenario("allow: [{rule: table-rebuild, reason: x, until: soon}]\n", "scale: 1"), ["soon", "date"]),
        (scenario("", "scale: 0"), ["scale", "above 0"]),
        (scenario("topology: {replicas: 2}\n", "scale: 1"), ["topology.replicas", "not in this version"]),
        (scenario("workload: {}\n", "scale: 1"), ["workload", "not in this version"]),
    ] {
        desk.write("scenario.yaml", &spoilt);
        desk.rehearse(&["run", "--scenario", "scenario.yaml"]).refuses(&words);
    }
}

#[test]
fn an_upgrade_command_that_cannot_be_kept_from_production_is_refused() {
    let desk = Desk::new();
    let run = |more: &[&str]| desk.rehearse(&[&["run", "--schema", "schema.sql"], more].concat());
    run(&["--", "/usr/bin/docker", "exec", "app", "migrate"])
        .refuses(&["docker has its work done elsewhere", "hint: "]);
    run(&["upgrade.sql", "--", "php", "upgrade.php"]).refuses(&["both SQL files and a command"]);
    run(&["--visit", "http://localhost/", "--", "php"]).refuses(&["--serve"]);
    run(&["--serve", "--visit", "https://localhost/", "--", "php"]).refuses(&["http://localhost:8080/"]);
    run(&["--host-name", "http://db", "--", "php"]).refuses(&["db.internal"]);
    desk.rehearse(&["capture", "-o", "-", "--schema", "schema.sql", "--", "php"]).refuses(&["-o"]);
    desk.rehearse(&["capture", "--rows", "t=5", "--from", "upgrade.sql"]).refuses(&["--rows", "--from"]);
}

#[test]
fn passwords_are_not_taken_from_the_command_line_nor_shown() {
    let desk = Desk::new();
    let said = desk.rehearse(&["survey", "--dsn", "mysql://app:hunter2@127.0.0.1:1/shop"]);
    said.refuses(&["MYSQL_PWD"]);
    assert!(!said.err().contains("hunter2"));
    let shown = desk.rehearse_with(
        &["run", "--scenario", "scenario.yaml", "--sandbox", "mysql://root@127.0.0.1:1/", "--show-config"],
        &[("MYSQL_PWD", "hunter2")],
    );
    shown.is_fine(&["mysql://root@127.0.0.1:1/"]);
    assert!(!shown.out().contains("hunter2"));
}

#[test]
fn a_flag_wins_over_a_scenario_over_the_configuration_over_the_environment() {
    let desk = Desk::new();
    let show = |args: &[&str], environment: &[(&str, &str)]| {
        let said =
            desk.rehearse_with(&[&["run", "--scenario", "scenario.yaml", "--show-config"], args].concat(), environment);
        said.is_fine(&[]);
        said.out()
    };
    let server = [("REHEARSE_SERVER", "mysql:8.0")];
    assert!(show(&[], &server).contains("mysql:8.0"), "the environment");
    desk.write("rehearse.yaml", "format: rehearse/scenario@1\nserver: {flavor: mysql:8.4}\nproduction: {scale: 0.5}\n");
    assert!(show(&[], &server).contains("mysql:8.4"), "the configuration file");
    desk.write("scenario.yaml", scenario("server: {flavor: mariadb:10.11, settings: {a: 10.10, b: on}}\n", "rows: {}"));
    let shown = show(&[], &server);
    assert!(shown.contains("mariadb:10.11") && shown.contains("scale: 0.5"), "the scenario:\n{shown}");
    assert!(shown.contains("10.10"), "settings stay as they were typed:\n{shown}");
    assert!(show(&["--server", "mysql:9.7"], &server).contains("mysql:9.7"), "the flag");
}

#[test]
fn a_scenario_without_expectations_cannot_be_tested() {
    Desk::new().rehearse(&["test", "scenario.yaml"]).refuses(&["scenario.yaml", "expect:"]);
}

#[test]
fn without_a_server_both_ways_to_get_one_are_named() {
    let desk = Desk::new();
    let said = desk.rehearse(&["run", "--scenario", "scenario.yaml", "--server", "mysql:5.1"]);
    let err = said.err();
    assert_eq!(said.0.status.code(), Some(3), "{err}");
    assert!(
        err.contains("mysql:5.1")
            && err.contains("as a container")
            && err.contains("as a process")
            && err.contains("hint: "),
        "{err}"
    );
    assert!(!desk.path().join("rehearsal").exists(), "nothing was written");
}

#[test]
fn a_report_that_is_not_there_is_named() {
    let desk = Desk::new();
    desk.rehearse(&["report", "nowhere"]).refuses(&["nowhere", "report.json"]);
    desk.write("report.json", "{}");
    desk.rehearse(&["report", "."]).refuses(&["report.json"]);
}

#[test]
fn rules_are_explained_and_a_misspelt_one_is_answered_with_the_nearest() {
    let desk = Desk::new();
    desk.rehearse(&["explain"]).is_fine(&["delete-all-rows", "blocked-writes"]);
    desk.rehearse(&["explain", "delete-all-rows"]).is_fine(&["Why: ", "Instead: ", "Risky:", "Safer:"]);
    desk.rehearse(&["explain", "delete-all-row"]).refuses(&["delete-all-row", "hint: Did you mean delete-all-rows?"]);
}

#[test]
fn completions_and_help_go_to_the_standard_output() {
    let desk = Desk::new();
    desk.rehearse(&["completions", "bash"]).is_fine(&["rehearse"]);
    desk.rehearse(&["run", "--help"]).is_fine(&["--schema", "--sandbox"]);
    desk.rehearse(&["--version"]).is_fine(&[env!("CARGO_PKG_VERSION")]);
}
