//! Files that hold more than what runs: Liquibase's changesets, and sections to migrate up and down of dbmate, goose,
//! sql-migrate, micrate, Rambler, Play and shmig. What does not run is blanked, so that places stay right.
//!
//! A file is one of these only when it says so before its first statement: elsewhere the same words are data. Of dbmate's,
//! goose's and sql-migrate's a statement may stand before the first mark: these tools refuse it, so it does not run. Goose's and
//! sql-migrate's `StatementBegin` needs nothing here: a stored program stays whole without it.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes at the beginning of a file among which it must say what it is.
const HEAD: usize = 16 * 1024;
/// Bytes of a line that are taken at once: a dump's line may be longer than memory.
const STRETCH: u64 = 64 * 1024;

/// A reader of what runs.
pub struct Sections<R> {
    reader: BufReader<R>,
    style: Option<Style>,
    /// What is being read runs.
    runs: bool,
    /// The next stretch begins a line.
    begins: bool,
    stretch: Vec<u8>,
    given: usize,
    delimiter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Nothing to leave out.
    Plain,
    /// Up, then down.
    UpDown,
    /// Changesets.
    Liquibase,
}

impl<R: Read> Sections<R> {
    /// What of `reader` runs.
    pub fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(256 * 1024, reader);
        let delimiter = ";".to_owned();
        Self { reader, style: None, runs: true, begins: true, stretch: Vec::new(), given: 0, delimiter }
    }

    /// Reads the next stretch and makes of it what runs.
    fn advance(&mut self, style: Style) -> io::Result<bool> {
        self.stretch.clear();
        self.given = 0;
        if self.reader.by_ref().take(STRETCH).read_until(b'\n', &mut self.stretch)? == 0 {
            return Ok(false);
        }
        let begins = self.begins;
        self.begins = self.stretch.ends_with(b"\n");
        let line = without_mark(&self.stretch);
        let marks = matches!(line.trim_ascii_start().first(), Some(b'-' | b'#' | b'/'));
        if begins
            && marks
            && let Ok(line) = std::str::from_utf8(line)
        {
            let said = said(line);
            if style == Style::UpDown {
                self.runs = direction(&said).unwrap_or(self.runs);
            } else if let Some(attributes) = said.strip_prefix("changeset ") {
                self.changeset(attributes);
                return Ok(true);
            }
        }
        if !self.runs {
            for byte in self.stretch.iter_mut().filter(|byte| !matches!(**byte, b'\n' | b'\r')) {
                *byte = b' ';
            }
        }
        Ok(true)
    }

    /// A changeset begins: it may be for another server, and end its statements in its own way.
    fn changeset(&mut self, attributes: &str) {
        let value = |name: &str| {
            let at = attributes.find(name)? + name.len();
            let rest = &attributes[at..];
            Some(match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or(""),
                None => rest.split_whitespace().next().unwrap_or(""),
            })
        };
        self.runs = value("dbms:").is_none_or(for_us);
        let delimiter = value("enddelimiter:").unwrap_or(";").replace("\\n", "").replace("\\r", "");
        let delimiter = if delimiter.trim().is_empty() || delimiter.contains('\\') { ";" } else { delimiter.trim() };
        let changes = self.runs && self.delimiter != delimiter;
        self.stretch.clear();
        if changes {
            self.delimiter = delimiter.to_owned();
            self.stretch.extend_from_slice(format!("DELIMITER {delimiter}").as_bytes());
        }
        self.stretch.push(b'\n');
    }
}

impl<R: Read> Read for Sections<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let style = match self.style {
            Some(style) => style,
            None => {
                let head = self.reader.fill_buf()?;
                let head = &head[..head.len().min(HEAD)];
                let style = style_of(head);
                let style = if style == Style::Plain && marks_later(head) {
                    self.runs = false;
                    Style::UpDown
                } else {
                    style
                };
                self.style = Some(style);
                style
            }
        };
        if style == Style::Plain {
            return self.reader.read(into);
        }
        while self.given == self.stretch.len() {
            if !self.advance(style)? {
                return Ok(0);
            }
        }
        let length = into.len().min(self.stretch.len() - self.given);
        into[..length].copy_from_slice(&self.stretch[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

/// True when a list of servers (`mysql,mariadb`, `!postgresql`) holds ours.
fn for_us(list: &str) -> bool {
    let ours = |name: &str| matches!(name, "mysql" | "mariadb" | "all");
    let mut names = list.split(',').map(str::trim);
    let (mut excluded, mut others) = (false, false);
    let named = names.any(|name| match name.strip_prefix('!') {
        Some(name) => {
            excluded |= ours(name);
            others = true;
            false
        }
        None => ours(name),
    });
    named || (others && !excluded)
}

/// Without the mark of UTF-8 that a file may begin with.
fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// A comment line's words in lower case, without the marks of a comment.
fn said(line: &str) -> String {
    line.trim().trim_start_matches(['-', '#', '/', '*', '=', ' ']).to_ascii_lowercase()
}

/// Up (true) or down, when the line is the head of a section; options may follow (`-- migrate:up transaction:false`).
fn direction(said: &str) -> Option<bool> {
    const TOOLS: [&str; 5] = ["migrate:", "+goose ", "+migrate ", "+micrate ", "rambler "];
    if let Some(rest) = TOOLS.iter().find_map(|tool| said.strip_prefix(tool)) {
        return match rest.split_whitespace().next()? {
            "up" => Some(true),
            "down" => Some(false),
            _ => None,
        };
    }
    // shmig's and Play's.
    let is = |heads: [&str; 2]| heads.iter().any(|head| said.starts_with(head));
    if is(["up ====", "!ups"]) { Some(true) } else { is(["down ====", "!downs"]).then_some(false) }
}

/// What a file says it is in the comments before its first statement.
fn style_of(head: &[u8]) -> Style {
    for line in without_mark(head).split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let text = line.trim();
        if !(text.is_empty() || text.starts_with("--") || text.starts_with('#') || text.starts_with("/*")) {
            break;
        }
        let said = said(text);
        if direction(&said).is_some() {
            return Style::UpDown;
        }
        if said.starts_with("liquibase formatted sql") {
            return Style::Liquibase;
        }
    }
    Style::Plain
}

/// An up section of dbmate, goose or sql-migrate begins somewhere in the head.
fn marks_later(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"--")).any(|line| {
        let said = said(&String::from_utf8_lossy(line));
        let tools = ["migrate:", "+goose ", "+migrate "];
        tools.iter().any(|tool| said.starts_with(tool)) && direction(&said) == Some(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> String {
        let mut out = String::new();
        Sections::new(text.as_bytes()).read_to_string(&mut out).expect("a text");
        out
    }

    #[test]
    fn down_sections_do_not_run_and_places_stay_what_they_are() {
        for (up, down) in [
            ("-- migrate:up", "-- migrate:down"),
            ("-- migrate:up transaction:false", "--  migrate:down transaction:false"),
            ("-- +goose Up", "-- +goose Down"),
            ("-- +migrate Up notransaction", "-- +migrate Down"),
            ("-- +micrate Up", "-- +micrate Down"),
            ("-- rambler up", "-- rambler down"),
            ("# --- !Ups", "# --- !Downs"),
            ("-- ==== UP ====", "-- ==== DOWN ===="),
        ] {
            let text = format!(
                "{up}\nCREATE TABLE t (a INT);\n{down}\nDROP TABLE é;\r\n{up}\nSELECT 1;\n{down}\nDROP TABLE u"
            );
            let found = runs(&text);
            assert_eq!(found.len(), text.len(), "{up}");
            let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
            assert_eq!(lines, [up, "CREATE TABLE t (a INT);", "", "", up, "SELECT 1;", "", ""], "{up}");
        }
    }

    #[test]
    fn a_file_that_only_takes_back_runs_nothing() {
        for down in ["-- migrate:down", "\u{feff}-- +goose Down", "# --- !Downs"] {
            assert_eq!(runs(&format!("{down}\nDROP TABLE t;")).lines().nth(1).map(str::trim), Some(""), "{down}");
        }
    }

    #[test]
    fn what_stands_before_the_first_mark_of_a_tool_that_refuses_it_does_not_run() {
        let text = "-- migrate:upp\nDROP TABLE t;\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;";
        let found = runs(text);
        assert_eq!((found.trim(), found.len()), ("-- migrate:up\nSELECT 1;", text.len()));
    }

    #[test]
    fn marks_begin_a_line_however_long_it_is() {
        let pad = "x".repeat(usize::try_from(STRETCH).expect("a length") - "SELECT '".len());
        let long = format!("-- migrate:up\nSELECT '{pad}-- migrate:down';\nSELECT 2;\n");
        assert_eq!(runs(&long), long);
        let long = format!("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT '{pad}-- migrate:up';\nDROP TABLE t;\n");
        assert_eq!(runs(&long).trim_end(), "-- migrate:up\nSELECT 1;");
    }

    #[test]
    fn what_says_nothing_before_its_first_statement_is_taken_whole() {
        for dump in [
            "INSERT INTO t VALUES ('\n-- rambler down\n');\n-- migrate:down\nSELECT 1;",
            "-- goose up\nDROP TABLE t;\n-- +goose upwards\n-- migrate:downed\nSELECT 1;",
            "",
        ] {
            assert_eq!(runs(dump), dump);
        }
    }

    #[test]
    fn changesets_have_their_own_servers_and_ends() {
        let text = "--liquibase formatted sql\n\n--changeset a:1\nSELECT 1;\n--rollback DROP TABLE t;\n\
                    --changeset a:2 dbms:postgresql\nSELECT 2;\n-- changeset a:3 dbms:\"mysql, h2\" endDelimiter:/ splitStatements:true\n\
                    CREATE PROCEDURE p() BEGIN SELECT 3; END\n/\n--changeset a:4 dbms:!mysql\nSELECT 4;\n--changeset a:5\nSELECT 5;\n";
        assert_eq!(
            runs(text),
            "--liquibase formatted sql\n\n\nSELECT 1;\n--rollback DROP TABLE t;\n\n         \nDELIMITER /\n\
             CREATE PROCEDURE p() BEGIN SELECT 3; END\n/\n\n         \nDELIMITER ;\nSELECT 5;\n"
        );
    }
}
