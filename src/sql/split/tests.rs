use proptest::prelude::*;

use super::*;
use crate::sql::window::CHUNK;

/// Gives one byte at a time, so that every look-ahead meets the end of what was read.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.len().min(into.len()).min(1);
        into[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

fn pieces(script: &str) -> Result<Vec<Piece>> {
    let mut splitter = Splitter::new(script.as_bytes(), "x.sql");
    let mut pieces = Vec::new();
    while let Some(piece) = splitter.next_piece()? {
        pieces.push(piece);
    }
    Ok(pieces)
}

fn texts(script: &str) -> Vec<String> {
    let text = |piece| match piece {
        Piece::Statement(text) => text.text,
        Piece::Source { file, line } => format!("<{file}:{line}>"),
    };
    pieces(script).expect("a script").into_iter().map(text).collect()
}

fn refused(script: &str) -> String {
    format!("{:#}", pieces(script).expect_err("an error"))
}

#[test]
fn a_column_is_counted_in_characters_also_where_the_line_s_beginning_is_given_up() {
    let script = "SELECT 'é'; DELETE FROM a;\n\n é; SELECT 1; SELECT 2;";
    let mut splitter = Splitter::new(script.as_bytes(), "t.sql");
    let mut places = Vec::new();
    while let Some(Piece::Statement(text)) = splitter.next_piece().expect("text") {
        places.push((text.line, text.column));
    }
    assert_eq!(places, [(1, 1), (1, 13), (3, 2), (3, 5), (3, 15)]);
}

#[test]
fn quotes_and_comments_hide_the_delimiter() {
    let script = "SELECT 'a;\\';', \"b;\"\"\", `c;`` \\`; -- d;\n# e;\n/* f; */ SELECT 4 # a ; b\n; select 5 /* ; */ ;\nSELECT 6";
    let expected = ["SELECT 'a;\\';', \"b;\"\"\", `c;`` \\`", "SELECT 4 # a ; b", "select 5 /* ; */", "SELECT 6"];
    assert_eq!(texts(script), expected);
}

#[test]
fn two_dashes_begin_a_comment_as_the_client_has_it() {
    // Measured with the client of MariaDB 10.11: at the beginning of a line always, elsewhere only before white space.
    assert_eq!(
        texts("--nospace;\nSELECT 2 --3;\nSELECT 4 -- 5;\n;--6;\nSELECT 7;"),
        ["SELECT 2 --3", "SELECT 4 -- 5;", "--6", "SELECT 7"].map(str::to_owned)
    );
}

#[test]
fn executed_comments_are_code_and_are_cut_as_the_client_cuts_them() {
    // Measured with the client of MariaDB 10.11.
    let script = "select 1; /*!50000 select 2; select 3 */; select 4;";
    assert_eq!(texts(script), ["select 1", "/*!50000 select 2", "select 3 */", "select 4"]);
    assert_eq!(
        texts("/*!40101 SET NAMES utf8 */;\n/*M!100100 SELECT 1 */;"),
        ["/*!40101 SET NAMES utf8 */", "/*M!100100 SELECT 1 */"]
    );
}

#[test]
fn the_sandbox_line_of_a_mariadb_dump_and_a_byte_order_mark_are_passed_over() {
    assert_eq!(texts("/*M!999999\\- enable the sandbox mode */ \nSELECT 1;"), ["SELECT 1"]);
    assert_eq!(texts("\u{feff}SELECT 1;"), ["SELECT 1"]);
}

#[test]
fn the_delimiter_changes_at_the_beginning_of_a_line() {
    let script = "delimiter d//\nselect 1;2 d//\n  DELIMITER ;;; extra\nselect 7;;;\nDelimiter ;\nselect 8; select 9 delimiter\n;";
    assert_eq!(texts(script), ["select 1;2", "select 7", "select 8", "select 9 delimiter"]);
    assert_eq!(
        texts("delimiter //\nselect 1 // select 2; select 3 //\nselect \"//\" //\n"),
        ["select 1", "select 2; select 3", "select \"//\""]
    );
    let program = "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END $$\nDELIMITER ;\nSELECT 2;";
    assert_eq!(texts(program), ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "SELECT 2"]);
    assert!(refused("SELECT 1;\ndelimiter \n;").contains("x.sql:2: DELIMITER must be followed"));
}

#[test]
fn one_letter_commands_end_or_drop_a_statement() {
    assert_eq!(texts("select 6\\G\nselect 7\\g select 8;"), ["select 6", "select 7", "select 8"]);
    assert_eq!(texts("select 2 \\c select 3;"), ["select 3"]);
    assert_eq!(texts("INSERT INTO t VALUES (\\N);"), ["INSERT INTO t VALUES (\\N)"]);
    assert_eq!(
        texts("\\. a.sql\nselect 1; \\. b.sql\nselect \\p 2;"),
        ["<a.sql:1>", "select 1", "<b.sql:2>", "select  2"]
    );
    assert!(refused("select \\u\u{1}é\u{2}é").contains("in the middle of a statement"));
    assert!(refused("select \\y").contains("no command '\\y'"));
}

#[test]
fn client_commands_are_obeyed_passed_over_or_refused() {
    let script = "use d2\nSELECT 1;\nuse test;\nSELECT 2; use d3\nSELECT 3;\nsource a b.sql\nSOURCE c.sql;\nwarnings;\nstatus\nSELECT 4";
    let expected =
        ["use d2", "SELECT 1", "use test", "SELECT 2", "use d3\nSELECT 3", "<a b.sql:6>", "<c.sql:7>", "SELECT 4"];
    assert_eq!(texts(script), expected);
    assert_eq!(texts("SELECT 1;\nexit\nSELECT 2;"), ["SELECT 1"]);
    assert!(refused("SELECT 1;\n\nsystem rm x\n").contains("x.sql:3: the client command 'system'"));
    assert!(refused("\\! rm x\n").contains("'system'"));
}

#[test]
fn stored_programs_without_delimiter_stay_whole() {
    let trigger = "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF NEW.a THEN SET @a = 1; END IF; END";
    let dump = "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a=1; END */";
    assert_eq!(
        texts(&format!("BEGIN;\n{trigger};\nCOMMIT;{dump};SELECT 1")),
        ["BEGIN", trigger, "COMMIT", dump, "SELECT 1"]
    );
}

#[test]
fn a_piece_knows_its_place_and_its_remarks() {
    let script =
        "-- one\n\n# rehearse: session 2\n/* rehearse: name big-delete */DELETE\nFROM t;\nSELECT 'é'; SELECT 2;";
    let cut = pieces(script).expect("a script");
    let places: Vec<_> = cut
        .iter()
        .map(|piece| match piece {
            Piece::Statement(text) => (text.offset as usize, (text.line, text.column), text.text.as_str()),
            Piece::Source { .. } => (0, (0, 0), ""),
        })
        .collect();
    for (offset, _, text) in &places {
        assert!(script[*offset..].starts_with(text));
    }
    assert_eq!(places.iter().map(|place| place.1).collect::<Vec<_>>(), [(4, 32), (6, 1), (6, 13)]);
    let Piece::Statement(first) = &cut[0] else { panic!("a statement") };
    let remarks: Vec<_> = first.remarks.iter().map(|remark| (remark.text.as_str(), remark.line)).collect();
    assert_eq!(remarks, [("session 2", 3), ("name big-delete", 4)]);
    let kept = pieces("-- rehearse: name t\nDELIMITER //\nSELECT 1//").expect("a script");
    let Piece::Statement(first) = &kept[0] else { panic!("a statement") };
    assert_eq!(first.remarks.len(), 1, "DELIMITER stands between a remark and its statement");
}

#[test]
fn text_that_is_no_utf8_is_refused_with_its_line() {
    let mut splitter = Splitter::new(&b"SELECT 1;\nINSERT INTO t VALUES ('a\n\xff');"[..], "dump.sql");
    assert!(splitter.next_piece().is_ok());
    let error = format!("{:#}", splitter.next_piece().expect_err("an error"));
    assert!(error.contains("dump.sql:3: the text is not valid UTF-8") && error.contains("iconv"), "{error}");
    assert_eq!(splitter.next_piece().expect("the end"), None);
}

#[test]
fn a_statement_beyond_the_limit_is_refused_with_its_line() {
    let script = format!("SELECT 1;\nSELECT '{}';", "x".repeat(4 * CHUNK));
    let mut splitter = Splitter::new(script.as_bytes(), "x.sql");
    splitter.window.longest = 2 * CHUNK;
    assert!(splitter.next_piece().is_ok());
    let error = format!("{:#}", splitter.next_piece().expect_err("an error"));
    assert!(error.contains("x.sql:2: the statement is longer than"), "{error}");
}

/// Repeats a text without holding it.
struct Repeat<'a> {
    text: &'a [u8],
    at: usize,
    left: usize,
}

impl Read for Repeat<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.text.len() {
            self.at = 0;
            self.left = self.left.saturating_sub(1);
        }
        if self.left == 0 {
            return Ok(0);
        }
        let length = into.len().min(self.text.len() - self.at);
        into[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[test]
fn a_script_of_300_mb_streams_through_a_small_buffer() {
    let row = "(1, 'some text; with a semicolon', 'it''s', NULL), ";
    let insert = format!("INSERT INTO t VALUES {}(2, 'end', '', 0);\n-- a remark\n", row.repeat(2_000));
    let repeats = 300_000_000 / insert.len();
    let mut splitter = Splitter::new(Repeat { text: insert.as_bytes(), at: 0, left: repeats }, "big.sql");
    let mut count = 0u64;
    let mut last = 0;
    while let Some(Piece::Statement(text)) = splitter.next_piece().expect("a piece") {
        count += 1;
        last = text.line;
        assert!(splitter.window.buffer.capacity() <= 8 * CHUNK, "{}", splitter.window.buffer.capacity());
    }
    assert_eq!(count, repeats as u64);
    assert_eq!(last, 2 * repeats as u64 - 1);
}

#[test]
fn a_script_is_cut_the_same_however_it_is_read() {
    let script = "\u{feff}-- a\nSELECT 'x;' ; /*!50000 SELECT 2 */;\nDELIMITER //\nSELECT 3; // use d\n//\nCREATE PROCEDURE p() BEGIN END //";
    let mut drip = Splitter::new(Drip(script.as_bytes()), "x.sql");
    let mut dripped = Vec::new();
    while let Some(piece) = drip.next_piece().expect("a piece") {
        dripped.push(piece);
    }
    assert_eq!(dripped, pieces(script).expect("a script"));
}

proptest! {
    #[test]
    fn no_text_of_a_statement_is_lost(parts in proptest::collection::vec("(SELECT|a|'x;y'|`;`|\"b\"|\\(|\\)|[0-9]| |\n|/\\*;\\*/|-- ;\n|#;\n|CREATE|BEGIN|END|IF|;|--|/|\\*|é){0,30}", 1..6)) {
        let script = parts.concat();
        if let Ok(pieces) = pieces(&script) {
            let mut end = 0;
            for piece in pieces {
                let Piece::Statement(text) = piece else { continue };
                let at = text.offset as usize;
                prop_assert!(at >= end);
                prop_assert!(script[at..].starts_with(&text.text));
                prop_assert_eq!(text.line as usize, 1 + script[..at].matches('\n').count());
                // What lies between is white space, comments and delimiters: nothing of it is code.
                let between = &script[end..at];
                let code = crate::sql::token::Lexer::over_everything(between.as_bytes())
                    .filter(|token| &between[token.start as usize..token.end as usize] != ";").count();
                prop_assert!(code == 0 || between.contains("--"), "{:?}", between);
                end = at + text.text.len();
            }
        }
    }

    #[test]
    fn splitting_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut splitter = Splitter::new(&bytes[..], "x.sql");
        while let Ok(Some(_)) = splitter.next_piece() {}
    }
}
