use std::io::Write as _;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::capture::file::{self, CaptureFile, Header};
use crate::capture::record::Event;
use crate::progress::Silent;

/// Keeps all that it hears.
#[derive(Default)]
struct Ear(Mutex<Vec<Event>>);

impl Listener for Ear {
    fn hear(&self, event: Event) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
        Ok(())
    }
}

fn options() -> Options {
    Options { variables: Default::default(), database: "app".into(), flavor: "mysql:9.7".parse().expect("a flavor") }
}

fn heard(kind: Option<Kind>, bytes: &[u8]) -> Vec<Event> {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let source = Source { path: file.path().to_owned(), kind, options: options() };
    let ear = Ear::default();
    open(&source).expect("a source").read(&ear, &Silent).expect("read");
    ear.0.into_inner().unwrap_or_default()
}

fn texts(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Heard(heard) => Some(String::from_utf8_lossy(&heard.text).into_owned()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn a_general_log_is_cut_where_its_entries_begin() {
    let log = "/usr/sbin/mysqld, Version: 9.7.4. started with:\nTcp port: 0  Unix socket: /tmp/s\nTime   Id Command    Argument\n\
        2026-11-21T18:20:47.1Z\t    9 Connect\troot@localhost on app using Socket\n\
        2026-11-21T18:20:47.2Z\t    9 Query\tUPDATE t SET a = '\n2026 is no entry\n'\n\0\0\0\
        2026-11-21T18:20:47.3Z\t    9 Query\tDELETE FROM t\n2026-11-21T18:20:47.4Z\t    9 Quit\t\n";
    let events = heard(None, log.as_bytes());
    assert_eq!(texts(&events), ["UPDATE t SET a = '\n2026 is no entry\n'", "DELETE FROM t"]);
    assert!(matches!(&events[0], Event::Began(began) if began.database == "app" && began.account == "root@localhost"));
    assert!(
        matches!(&events[1], Event::Heard(heard) if heard.origin.line == 5 && heard.at.is_some_and(|at| at.subsec_millisecond() == 200))
    );
    assert_eq!(events.last(), Some(&Event::Ended { session: 9 }));
}

#[test]
fn a_slow_log_entry_has_its_times_rows_and_database() {
    let log = "# Time: 2026-11-21T18:20:48.000000Z\n# User@Host: a[a] @ localhost []  Id:     8\n\
        # Query_time: 1.500000  Lock_time: 0.000001 Rows_sent: 0  Rows_examined: 7 Thread_id: 8 Errno: 1062\n\
        use `my db`;\nSET last_insert_id=3,insert_id=5,timestamp=1795285246;\nINSERT INTO t\n# no head\nVALUES (1);\n\
        # User@Host: a[a] @ localhost []  Id:     8\n# Query_time: 0.1  Lock_time: 0 Rows_sent: 0  Rows_examined: 0\n\
        SET timestamp=1795285249;\n# administrator command: Quit;\n";
    let events = heard(None, log.as_bytes());
    let Event::Heard(first) = &events[0] else { panic!("{events:?}") };
    assert_eq!(first.text, b"INSERT INTO t\n# no head\nVALUES (1)");
    assert_eq!((first.seconds, first.rows_examined, first.session), (Some(1.5), Some(7), 8));
    assert_eq!(first.at.map(|at| at.to_string()).as_deref(), Some("2026-11-21T18:20:46.5Z"));
    assert_eq!(first.error.as_ref().map(|(number, _)| *number), Some(1062));
    let state: Vec<_> = first.state.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(state, ["database=my db", "insert_id=5", "last_insert_id=3", "timestamp=1795285246"]);
    assert_eq!(events[1], Event::Ended { session: 8 });
}

#[test]
fn a_torn_setting_of_a_slow_log_is_no_setting() {
    let log = "# Time: 2026-11-21T18:20:48Z\n# User@Host: a[a] @ localhost []  Id:     8\n# Query_time: 0.1  Lock_time: 0\n\
        SET timestamp=1795285248;DROP TABLE t;\nSELECT * FROM t;\n";
    let events = heard(Some(Kind::Slow), log.as_bytes());
    let [Event::Heard(only)] = &events[..] else { panic!("{events:?}") };
    assert!(only.state.is_empty(), "{:?}", only.state);
}

#[test]
fn packed_sources_are_unpacked() -> Result<()> {
    let sql = b"DELETE FROM t;\nSELECT * FROM u;";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(sql)?;
    assert_eq!(texts(&heard(None, &packed.finish()?)), ["DELETE FROM t", "SELECT * FROM u"]);
    let log = b"261121 18:14:45\t     4 Query\tDELETE FROM t\n";
    assert_eq!(texts(&heard(None, &zstd::encode_all(&log[..], 1)?)), ["DELETE FROM t"]);
    Ok(())
}

const KINDS_OF_LINES: [Kind; 6] =
    [Kind::General, Kind::GeneralTable, Kind::Slow, Kind::SlowTable, Kind::Binlog, Kind::Laravel];

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "2026-11-21T18:20:47.1Z\t    9 Query\tUPDATE t SET a = '",
        "\t\t     9 Execute\tINSERT INTO t VALUES (1)",
        "261121 18:14:45\t     4 Connect\troot@localhost on app using Socket",
        "\t\t   9 Quit\t",
        "# Time: 261121 18:14:45",
        "# User@Host: a[a] @ b [] Id: 7",
        "# Query_time: 1e999  Lock_time: x Rows_sent: -1",
        "SET timestamp=5,insert_id=7;",
        "use `a`;",
        "# administrator command: Quit;",
        "# at 4",
        "#261121 18:16:14 server id 1  end_log_pos 493 CRC32 0xbe211949 \tQuery\tthread_id=5\terror_code=1",
        "BEGIN\n/*!*/;",
        "BINLOG '",
        "'/*!*/;",
        "### UPDATE `a`.`b`",
        "#Q> INSERT INTO t VALUES (NEW.a)",
        "SET @@session.sql_mode=1411383296/*!*/;",
        "SET INSERT_ID=5/*!*/;",
        "/*!\\C latin1 *//*!*/;",
        "\"2026-11-21 18:14:45.7\",\"a\",8,1,\"Query\",\"x\\",
        "  ⇂ create table t (a int)",
        "CreateA: drop table t",
    ];
    prop_oneof![
        3 => prop::sample::select(known.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(b"'; DELETE FROM t -- x".to_vec()),
    ]
}

proptest! {
    /// No bytes make a reader panic or go on for ever, and the capture of them is a script.
    #[test]
    fn any_bytes_are_read_to_their_end(lines in prop::collection::vec(any_line(), 0..12), which in 0..KINDS_OF_LINES.len(), ended in any::<bool>(), mask in any::<bool>()) {
        let mut bytes = lines.join(&b'\n');
        bytes.extend(ended.then_some(b'\n'));
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("written");
        let source = Source { path: file.path().to_owned(), kind: Some(KINDS_OF_LINES[which]), options: options() };
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out.sql");
        let capture = CaptureFile::create(&path, &Header::default(), file::Options { keep_noise: true, mask }).expect("a capture");
        open(&source).expect("a source").read(&capture, &Silent).expect("read");
        let summary = capture.finish().expect("an end");
        let script = crate::sql::script::Script::from_files(&[path], options()).expect("a script");
        prop_assert_eq!(script.digest().expect("a digest"), summary.digest);
    }
}
