use super::*;
use crate::sql::record::{Confidence, TableName};

fn options(variables: &[(&str, &str)]) -> Options {
    let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Options { variables, database: "app".to_owned(), flavor: "mysql:9.7".parse().expect("a flavor") }
}

fn statements(script: &Script) -> Vec<Statement> {
    script.actions().expect("actions").map(|action| action.expect("an action").statement().clone()).collect()
}

fn of_text(text: &str) -> Vec<Statement> {
    statements(&Script::from_text("x.sql", text, options(&[])))
}

fn refused(text: &str) -> String {
    let script = Script::from_text("x.sql", text, options(&[]));
    let error = script.actions().expect("actions").find_map(Result::err).expect("an error");
    format!("{error:#}")
}

#[test]
fn statements_have_ids_names_places_and_sessions() {
    let found = of_text(
        "SELECT 1;\n-- rehearse: name big\n# why\nDELETE FROM t;\n-- rehearse: session 2\nSELECT 2;\nSELECT 3;",
    );
    let seen: Vec<_> = found.iter().map(|s| (s.id.as_str(), s.label(), s.origin.line, s.session)).collect();
    assert_eq!(seen, [("s1", "s1", 1, 1), ("s2", "big", 4, 1), ("s3", "s3", 6, 2), ("s4", "s4", 7, 2)]);
    assert_eq!(found[1].text, "DELETE FROM t");
    assert_eq!(found[1].origin.to_string(), "x.sql:4");
    assert!(refused("-- rehearse: session x\nSELECT 1").contains("x.sql:1: 'session x' names no session"));
}

#[test]
fn names_resolve_against_the_database_in_use_of_each_session() {
    let found = of_text(
        "DELETE FROM t;\nUSE `my db`;\nDELETE FROM t;\n-- rehearse: session 2\nDELETE FROM t;\nuse b\nDELETE FROM c.t;",
    );
    let written: Vec<_> = found.iter().filter_map(|s| s.reading.effect.writes.first()).cloned().collect();
    assert_eq!(
        written,
        [
            TableName::new("app", "t"),
            TableName::new("my db", "t"),
            TableName::new("app", "t"),
            TableName::new("c", "t")
        ]
    );
}

#[test]
fn a_temporary_table_is_known_until_it_is_dropped() {
    let found = of_text(
        "CREATE TEMPORARY TABLE x (a INT); INSERT INTO x VALUES (1); INSERT INTO t SELECT * FROM x; DROP TABLE x; DELETE FROM x",
    );
    let temporary: Vec<_> = found.iter().map(|s| s.reading.effect.temporary).collect();
    assert_eq!(temporary, [true, true, false, true, false]);
}

#[test]
fn placeholders_are_filled_in_or_named() {
    let script = Script::from_text(
        "x.sql",
        "DELETE FROM `#__users`; -- #__\nDROP TABLE {prefix}a;",
        options(&[("#__", "j_"), ("{prefix}", "")]),
    );
    let texts: Vec<_> = statements(&script).into_iter().map(|s| s.text).collect();
    assert_eq!(texts, ["DELETE FROM `j_users`", "DROP TABLE a"]);
    let error = refused("SELECT 1;\nDELETE\nFROM #__users;\nSELECT 2;");
    assert!(error.contains("x.sql:3: the placeholder '#__' has no value") && error.contains("--var"), "{error}");
}

#[test]
fn comments_for_other_servers_are_no_statements() {
    let found = of_text("/*M!100100 SELECT 1 */;\n/*!40101 SET NAMES utf8 */;\n/*!999999 SELECT 1 */;");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text, "/*!40101 SET NAMES utf8 */");
}

#[test]
fn odd_quotes_lower_the_confidence() {
    let found = of_text("SELECT 1; SET sql_mode = 'ANSI_QUOTES'; SELECT \"a\" FROM t; SET sql_mode = ''; SELECT 2");
    let seen: Vec<_> = found.iter().map(|s| s.reading.confidence).collect();
    use Confidence::*;
    assert_eq!(seen, [Parsed, Parsed, Scanned, Scanned, Parsed]);
}

#[test]
fn look_alikes_are_read_each_with_its_own_spans() {
    let found =
        of_text("DELETE FROM t WHERE a = 1; DELETE FROM t WHERE a = 100; DELETE FROM t WHERE a = 'long' LIMIT 1");
    let conditions: Vec<_> =
        found.iter().filter_map(|s| s.reading.effect.condition.map(|(first, last)| &s.text[first..last])).collect();
    assert_eq!(conditions, ["a = 1", "a = 100", "a = 'long'"]);
    assert_eq!(found[0].digest, found[1].digest);
    assert_ne!(found[0].digest, found[2].digest);
}

#[test]
fn count_and_digest_agree_with_the_actions() {
    let script = Script::from_text("x.sql", "SELECT 1; /*M! x */; SELECT 2;", options(&[]));
    assert_eq!(script.count().expect("a count"), 2);
    let actions: Vec<_> = statements(&script).into_iter().map(Action::Once).collect();
    let given = Script::from_actions(actions);
    assert_eq!(given.count().expect("a count"), 2);
    assert_eq!(given.digest().expect("a digest"), script.digest().expect("a digest"));
    let other = Script::from_text("x.sql", "SELECT 1; SELECT 3;", options(&[]));
    assert_ne!(other.digest().expect("a digest"), script.digest().expect("a digest"));
}

#[test]
fn files_directories_and_sourced_files_are_read_in_order() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
    write("02.sql", "SELECT 2;\nSOURCE part.inc\nSELECT 4;")?;
    write("01.sql", "SELECT 1")?;
    write("part.inc", "\nSELECT 3;")?;
    write("notes.txt", "none")?;
    let script = Script::from_files(&[directory.path().to_owned()], options(&[]))?;
    let found = statements(&script);
    let texts: Vec<_> = found.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts, ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4"]);
    assert!(found[2].origin.file.ends_with("part.inc") && found[2].origin.line == 2);
    let missing = Script::from_files(&[directory.path().join("no.sql")], options(&[]));
    assert!(format!("{:#}", missing.expect_err("an error")).contains("cannot open"));
    write("02.sql", "\nSOURCE gone.sql;")?;
    let error = script.actions()?.find_map(Result::err).map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("02.sql:2: cannot follow SOURCE") && error.contains("gone.sql"), "{error}");
    write("02.sql", "SOURCE 02.sql")?;
    let error = script.actions()?.find_map(Result::err).map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("nested more than"), "{error}");
    Ok(())
}
