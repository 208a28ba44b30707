use std::fs;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::sql::record::{Origin, Statement};
use crate::sql::script::{self, Script};

/// A stream whose bytes can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn captured(events: Vec<Event>, options: Options) -> (String, Summary) {
    let shared = Shared::default();
    let file = CaptureFile::to_stream(Box::new(shared.clone()), &Header::default(), options).expect("a capture");
    for event in events {
        file.hear(event).expect("heard");
    }
    let summary = file.finish().expect("an end");
    let bytes = shared.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (String::from_utf8(bytes).expect("UTF-8"), summary)
}

fn script(text: &str) -> Script {
    let flavor = "mysql:9.7".parse().expect("a flavor");
    Script::from_text("c.sql", text, script::Options { variables: BTreeMap::new(), database: "app".into(), flavor })
}

fn read_back(text: &str) -> Vec<Statement> {
    script(text).actions().expect("actions").map(|action| action.expect("an action").into_statement()).collect()
}

fn texts(text: &str) -> Vec<(u32, String)> {
    read_back(text).into_iter().map(|statement| (statement.session, statement.text)).collect()
}

fn heard(session: u64, text: &str) -> Event {
    let origin = Origin { file: "general.log".into(), line: 7, column: 0 };
    Event::Heard(Heard { session, text: text.as_bytes().to_vec(), origin, ..Heard::default() })
}

fn failing(session: u64, text: &str, number: u16) -> Event {
    match heard(session, text) {
        Event::Heard(heard) => Event::Heard(Heard { error: Some((number, "why".into())), ..heard }),
        other => other,
    }
}

fn pairs(pairs: &[(u32, &str)]) -> Vec<(u32, String)> {
    pairs.iter().map(|(session, text)| (*session, (*text).to_owned())).collect()
}

#[test]
fn sessions_databases_and_bodies_read_back() {
    let trigger = "CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN\n SET @a = ';;';\nEND";
    let (text, summary) = captured(
        vec![
            Event::Began(Began {
                session: 40,
                database: "shop".into(),
                settings: vec!["NAMES utf8mb4".into()],
                ..Began::default()
            }),
            heard(40, "UPDATE t SET a = 'x;y'"),
            heard(41, "USE other"),
            heard(41, "SHOW TABLES"),
            heard(40, trigger),
            heard(41, "BEGIN"),
            Event::Ended { session: 41 },
            heard(42, "DELETE FROM t"),
        ],
        Options::default(),
    );
    assert_eq!(
        texts(&text),
        pairs(&[
            (1, "SET NAMES utf8mb4"),
            (1, "USE `shop`"),
            (1, "UPDATE t SET a = 'x;y'"),
            (2, "USE other"),
            (1, trigger),
            (2, "BEGIN"),
            (2, "ROLLBACK"),
            (2, "DELETE FROM t"),
        ]),
        "{text}"
    );
    assert!(text.contains(&format!("DELIMITER ;;\n{trigger};;\nDELIMITER ;\n")), "{text}");
    assert!(text.contains("-- heard general.log:7\n"), "{text}");
    assert_eq!((summary.sessions, summary.kept.statements), (2, 5));
    assert_eq!(summary.noise.values().sum::<u64>(), 1);
    assert_eq!(summary.digest, script(&text).digest().expect("a digest"));
}

#[test]
fn what_failed_and_was_tolerated_is_a_comment_and_what_ended_the_upgrade_a_statement() {
    let (text, summary) = captured(
        vec![
            failing(1, "ALTER TABLE t ADD a INT", 1060),
            heard(1, "SELECT * FROM t"),
            failing(1, "BOOM", 1064),
            heard(1, "ROLLBACK"),
        ],
        Options::default(),
    );
    assert_eq!(texts(&text), pairs(&[(1, "SELECT * FROM t"), (1, "BOOM"), (1, "ROLLBACK")]), "{text}");
    assert!(text.contains("error 1060: why\n--   ALTER TABLE t ADD a INT\n"), "{text}");
    assert_eq!(summary.failed, 1);
    let (text, _) = captured(
        vec![heard(1, "BEGIN"), failing(1, "DELETE FROM t", 1213), heard(1, "BEGIN"), heard(1, "DELETE FROM t")],
        Options::default(),
    );
    assert_eq!(texts(&text), pairs(&[(1, "BEGIN"), (1, "ROLLBACK"), (1, "BEGIN"), (1, "DELETE FROM t")]), "{text}");
}

#[test]
fn what_cannot_be_sent_again_is_counted() {
    let nested =
        Heard { session: 1, text: b"INSERT INTO log VALUES (NEW.a)".to_vec(), sent: Sent::Nested, ..Heard::default() };
    let (text, summary) = captured(vec![Event::Heard(nested), heard(1, "UPDATE t SET a = 'open")], Options::default());
    assert_eq!(texts(&text), []);
    assert_eq!(summary.dropped.len(), 2);
}

#[test]
fn a_database_is_named_as_a_script_can_hold_it_or_its_statements_are_left_out() {
    let began =
        |session, database: &str| Event::Began(Began { session, database: database.into(), ..Began::default() });
    let used = |session, database: &str, text: &str| match heard(session, text) {
        Event::Heard(heard) => {
            Event::Heard(Heard { state: BTreeMap::from([("database".into(), database.into())]).into(), ..heard })
        }
        other => other,
    };
    for name in ["a\nb", "a;b", "a``;\n\\gb", "a\rb", "\nUSE c", "a\n-- rehearse: session 9\n"] {
        let (text, _) = captured(vec![began(1, name), heard(1, "DELETE FROM t")], Options::default());
        let change = format!("USE `{}`", name.replace('`', "``"));
        assert_eq!(texts(&text), pairs(&[(1, &change), (1, "DELETE FROM t")]), "{text}");
        let read = read_back(&text);
        let database = read[1].reading.effect.writes.iter().next().map(|table| table.database.clone());
        assert_eq!(database.as_deref(), Some(name), "{text}");
    }
    let (text, summary) = captured(
        vec![
            heard(1, "UPDATE a SET b = 1"),
            used(1, "x\r\ny", "UPDATE a SET b = 2"),
            heard(1, "UPDATE a SET b = 3"),
            used(1, "x", "UPDATE a SET b = 4"),
            heard(1, "USE `y\r\nz`"),
            heard(1, "UPDATE a SET b = 5"),
            heard(1, "use\n/* it */ z"),
            heard(1, "UPDATE a SET b = 6"),
            began(2, "x\0"),
            heard(2, "UPDATE a SET b = 7"),
            began(2, ""),
            heard(2, "UPDATE a SET b = 8"),
        ],
        Options::default(),
    );
    assert_eq!(
        texts(&text),
        pairs(&[
            (1, "UPDATE a SET b = 1"),
            (1, "USE `x`"),
            (1, "UPDATE a SET b = 4"),
            (1, "USE `z`"),
            (1, "UPDATE a SET b = 6"),
            (2, "UPDATE a SET b = 8"),
        ]),
        "{text}"
    );
    assert_eq!(summary.dropped["in a database that no script can name"].0, 4);
    assert_eq!(summary.dropped["a name in it holds CR LF or NUL"].0, 1);
}

#[test]
fn a_file_is_there_when_it_is_whole() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("upgrade.sql");
    let header = Header { source: "a\nlog".into(), untold: vec!["rows".into()], ..Header::default() };
    let file = CaptureFile::create(&path, &header, Options::default())?;
    file.hear(heard(9, "DELETE FROM t"))?;
    assert!(!path.exists() && directory.path().join("upgrade.sql.part").exists());
    let summary = file.finish()?;
    let text = fs::read_to_string(&path)?;
    assert!(text.contains(&format!("-- digest: {}\n-- statements: 1 ", summary.digest)), "{text}");
    assert_eq!(texts(&text), pairs(&[(1, "DELETE FROM t")]));
    assert!(!directory.path().join("upgrade.sql.part").exists());
    Ok(())
}

#[test]
fn masked_captures_show_no_value() {
    let (text, _) = captured(
        vec![
            failing(1, "INSERT INTO t VALUES ('secret1')", 1062),
            heard(1, "UPDATE t SET a = 'secret2' WHERE b = 'secret2'"),
        ],
        Options { mask: true, ..Options::default() },
    );
    assert!(!text.contains("secret") && !text.contains("why"), "{text}");
    let found = texts(&text);
    let parts: Vec<_> = found[0].1.split('\'').collect();
    assert_eq!((parts[1], parts[1].len()), (parts[3], 7));
}

fn any_statement() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z ]{0,8}",
        Just("'a;b\\'c'".to_owned()),
        Just("\"x''y\"".to_owned()),
        Just("`d``;e`".to_owned()),
        Just("-- c\n".to_owned()),
        Just("/* ; */".to_owned()),
        Just("/*!40101 z */".to_owned()),
        Just(";".to_owned()),
        Just("$$".to_owned()),
        Just("\\N".to_owned()),
        Just("# h".to_owned()),
        Just("é".to_owned()),
        Just("\r\n".to_owned()),
        Just("BEGIN ".to_owned()),
        Just("END".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    (
        prop_oneof!["UPDATE ", "CREATE TRIGGER ", "delimiter ", "use ", "", "CREATE PROCEDURE p() "],
        prop::collection::vec(piece, 0..8),
    )
        .prop_map(|(head, pieces)| head + &pieces.concat())
}

#[test]
fn a_name_in_any_letters_may_stand_before_bytes() {
    let rendered = |sent: &[u8]| written(sent, &text::Encoding::default()).map(|all| all[0].text.to_string());
    assert_eq!(rendered("SELECT \u{555}'?'".as_bytes()).as_deref(), Ok("SELECT \u{555}'?'"));
    assert_eq!(rendered(b"SELECT \xd5\x95'\xff'").as_deref(), Ok("SELECT \u{555} _binary x'FF'"));
    assert_eq!(rendered(b"SELECT _latin1'\xff'").as_deref(), Ok("SELECT _latin1 x'FF'"));
}

proptest! {
    /// Whatever is sent, the capture is UTF-8, reads back, and gives what was written: no statement is lost, cut or made up.
    #[test]
    fn whatever_is_sent_reads_back(sent in prop::collection::vec((0u64..3, any_statement()), 0..6)) {
        let events = sent.iter().map(|(session, text)| heard(*session, text)).collect();
        let (text, summary) = captured(events, Options { keep_noise: true, ..Options::default() });
        let read = script(&text);
        prop_assert_eq!(read.digest().expect("a digest"), summary.digest.clone());
        // Executed comments alone are no statements to every server: they count in the file, not in the reading.
        let statements: Vec<String> = sent.iter().flat_map(|(_, sent)| {
            written(sent.as_bytes(), &text::Encoding::default()).unwrap_or_default()
        }).map(|written| written.text.into_owned()).collect();
        let found: Vec<String> = texts(&text).into_iter().map(|(_, text)| text).filter(|text| !text.starts_with("USE `")).collect();
        prop_assert_eq!(found, statements);
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes_make_a_script(bytes in prop::collection::vec(any::<u8>(), 0..200), charset in prop_oneof!["", "latin1"]) {
        let mut sent = b"SELECT ".to_vec();
        sent.extend(bytes);
        let encoding = text::Encoding { charset, ..Default::default() };
        for written in written(&sent, &encoding).unwrap_or_default() {
            let mut script = String::new();
            write_to(&mut script, &written);
            prop_assert!(!written.text.is_empty());
        }
    }
}
