//! A server's answer to one command, followed packet by packet from the first bytes of each: rows are never held.

use std::time::Instant;

use anyhow::{Result, bail};

use super::capability::Capabilities;
use super::wire::{Reader, read_error};

/// Bytes of a packet that are enough to follow an answer: the longest that is read is an error.
pub(super) const HEAD: usize = 1024;

/// Another result follows (`SERVER_MORE_RESULTS_EXISTS`).
const MORE_RESULTS: u16 = 0x08;
/// The rows are to be fetched (`SERVER_STATUS_CURSOR_EXISTS`).
const CURSOR: u16 = 0x40;
/// The client library's number for a connection that was lost (`CR_SERVER_LOST`).
const LOST: u16 = 2013;
/// A backslash in a string stands for itself (`SERVER_STATUS_NO_BACKSLASH_ESCAPES`).
const NO_BACKSLASH: u16 = 0x200;

/// What kind of answer a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// OK, EOF or an error.
    Simple,
    /// One packet that is no OK: the text of COM_STATISTICS.
    Text,
    /// Any number of results.
    Results,
    /// A prepared statement.
    Prepared,
    /// Definitions of columns (COM_FIELD_LIST).
    Fields,
    /// Rows of an open cursor.
    Fetched,
}

/// One result of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// Rows sent; none when it was no result set, or its rows are to be fetched.
    pub rows_sent: Option<u64>,
    pub affected: Option<u64>,
    /// The first AUTO_INCREMENT value; 0 for none.
    pub insert_id: u64,
    pub warnings: Option<u16>,
    pub error: Option<(u16, String)>,
    /// The server asked for a local file.
    pub file: bool,
    /// From the end of the result before it, or the command, to its own.
    pub seconds: f64,
}

/// A prepared statement, as the server answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub id: u32,
    pub parameters: u16,
}

/// What comes after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More packets of this answer.
    More,
    /// The client now sends a file.
    File,
    /// A result has ended, and another follows.
    Next,
    /// The answer is whole.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    First,
    Columns(u64),
    AfterColumns,
    Rows,
    Definitions { first: u16, second: u16 },
    Done,
}

/// An answer that comes in.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    shape: Shape,
    state: State,
    capabilities: Capabilities,
    /// When the current result began.
    since: Instant,
    current: Outcome,
    /// The results so far.
    pub outcomes: Vec<Outcome>,
    /// What COM_STMT_PREPARE made.
    pub made: Option<Made>,
    /// Whether a backslash stands for itself, as the last OK said.
    pub no_backslash: Option<bool>,
}

impl Answer {
    /// The answer to a command that was sent at `since`.
    pub fn new(shape: Shape, capabilities: Capabilities, since: Instant) -> Self {
        let state = match shape {
            Shape::Fetched => State::Rows,
            _ => State::First,
        };
        let current = Outcome::default();
        Self { shape, state, capabilities, since, current, outcomes: Vec::new(), made: None, no_backslash: None }
    }

    /// The next packet is a row, or the end of the rows.
    pub fn in_rows(&self) -> bool {
        self.state == State::Rows
    }

    /// How much is needed of a packet that begins with this byte.
    pub fn needs(&self, first: u8) -> usize {
        let definition = matches!(self.state, State::Columns(_) | State::Definitions { .. });
        if definition || self.state == State::Rows && !matches!(first, 0xfe | 0xff) { 1 } else { HEAD }
    }

    /// Takes the next packet: its first bytes ([`Self::needs`]) and its length.
    ///
    /// # Errors
    /// When it is none that an answer of this shape can hold.
    pub fn take(&mut self, head: &[u8], length: u64) -> Result<Step> {
        let first = head.first().copied();
        // MariaDB tells how far an ALTER is by errors with the number 65535 (CLIENT_PROGRESS).
        if self.capabilities.has(Capabilities::PROGRESS) && head.starts_with(&[0xff, 0xff, 0xff]) {
            return Ok(Step::More);
        }
        if first == Some(0xff) && !matches!(self.state, State::Columns(_) | State::Definitions { .. }) {
            self.current.error = read_error(head);
            return Ok(self.finish());
        }
        match self.state {
            State::First => self.first(first, head, length),
            State::Columns(left) => {
                self.state = match left {
                    0 | 1 if self.deprecates_eof() => State::Rows,
                    0 | 1 => State::AfterColumns,
                    _ => State::Columns(left - 1),
                };
                Ok(Step::More)
            }
            State::AfterColumns => {
                let status = self.end_of_rows(head)?;
                if status & CURSOR != 0 {
                    return Ok(self.result_ended(status));
                }
                self.state = State::Rows;
                Ok(Step::More)
            }
            State::Rows if first == Some(0xfe) && self.is_end(length) => {
                let status = self.end_of_rows(head)?;
                if status & CURSOR == 0 && self.shape != Shape::Fields {
                    self.current.rows_sent.get_or_insert(0);
                }
                Ok(self.result_ended(status))
            }
            State::Rows => {
                *self.current.rows_sent.get_or_insert(0) += 1;
                Ok(Step::More)
            }
            State::Definitions { first, second } => Ok(self.definition(first, second)),
            State::Done => bail!("a packet after the end of an answer"),
        }
    }

    fn first(&mut self, first: Option<u8>, head: &[u8], length: u64) -> Result<Step> {
        match (self.shape, first) {
            (Shape::Text, _) => Ok(self.finish()),
            (Shape::Fields, Some(0xfe)) if self.is_end(length) => Ok(self.finish()),
            (Shape::Fields, _) => Ok(Step::More),
            (Shape::Simple, Some(0xfe)) => Ok(self.finish()),
            (Shape::Prepared, Some(0)) => self.prepared(head),
            (_, Some(0)) => {
                let status = self.ok(head)?;
                Ok(self.result_ended(status))
            }
            (Shape::Results, Some(0xfb)) => {
                self.current.file = true;
                Ok(Step::File)
            }
            (Shape::Results, Some(_)) => {
                let mut reader = Reader(head);
                let Some(columns) = reader.length().filter(|columns| (1..=65_535).contains(columns)) else {
                    bail!("an answer that begins with {:02x?}", &head[..head.len().min(8)]);
                };
                let may_lack = self.capabilities.has(Capabilities::CACHE_METADATA)
                    || self.capabilities.has(Capabilities::OPTIONAL_METADATA);
                let described = !may_lack || reader.u8() != Some(0);
                self.state = match described {
                    true => State::Columns(columns),
                    false if self.deprecates_eof() => State::Rows,
                    false => State::AfterColumns,
                };
                Ok(Step::More)
            }
            _ => bail!("an answer that begins with {:02x?}", &head[..head.len().min(8)]),
        }
    }

    fn prepared(&mut self, head: &[u8]) -> Result<Step> {
        let mut reader = Reader(&head[1..]);
        let (Some(id), Some(columns), Some(parameters)) = (reader.u32(), reader.u16(), reader.u16()) else {
            bail!("an answer to COM_STMT_PREPARE of {} bytes", head.len());
        };
        reader.take(1);
        self.current.warnings = reader.u16();
        let described = !self.capabilities.has(Capabilities::OPTIONAL_METADATA) || reader.u8() != Some(0);
        self.made = Some(Made { id, parameters });
        // Each list of definitions ends with an EOF, where those are still sent.
        let ended = u16::from(!self.deprecates_eof());
        let list = |count: u16| if count == 0 || !described { 0 } else { count.saturating_add(ended) };
        self.state = State::Definitions { first: list(parameters), second: list(columns) };
        Ok(if (list(parameters), list(columns)) == (0, 0) { self.finish() } else { Step::More })
    }

    fn definition(&mut self, first: u16, second: u16) -> Step {
        let (first, second) = if first > 0 { (first - 1, second) } else { (0, second.saturating_sub(1)) };
        self.state = State::Definitions { first, second };
        if first == 0 && second == 0 { self.finish() } else { Step::More }
    }

    fn deprecates_eof(&self) -> bool {
        self.capabilities.has(Capabilities::DEPRECATE_EOF)
    }

    /// A packet that begins with 0xfe ends the rows unless it is a row that begins with 16 MiB or more.
    fn is_end(&self, length: u64) -> bool {
        length < if self.deprecates_eof() { 0xff_ffff } else { 9 }
    }

    /// Reads an OK, and gives its status.
    fn ok(&mut self, head: &[u8]) -> Result<u16> {
        let mut reader = Reader(head.get(1..).unwrap_or_default());
        let (Some(affected), Some(insert_id), Some(status)) = (reader.length(), reader.length(), reader.u16()) else {
            bail!("an OK of {} bytes", head.len());
        };
        (self.current.affected, self.current.insert_id) = (Some(affected), insert_id);
        self.current.warnings = reader.u16();
        self.no_backslash = Some(status & NO_BACKSLASH != 0);
        Ok(status)
    }

    /// Reads an EOF, or the OK that stands for it, and gives its status.
    fn end_of_rows(&mut self, head: &[u8]) -> Result<u16> {
        if self.deprecates_eof() {
            let status = self.ok(head)?;
            (self.current.affected, self.current.insert_id) = (None, 0);
            return Ok(status);
        }
        let mut reader = Reader(head.get(1..).unwrap_or_default());
        self.current.warnings = reader.u16();
        // Servers before 4.1 had no status; no EOF of a server that we let in lacks it.
        let Some(status) = reader.u16() else { bail!("an EOF of {} bytes", head.len()) };
        Ok(status)
    }

    fn result_ended(&mut self, status: u16) -> Step {
        if status & MORE_RESULTS == 0 || self.shape != Shape::Results {
            return self.finish();
        }
        self.end_result();
        self.state = State::First;
        Step::Next
    }

    fn finish(&mut self) -> Step {
        self.end_result();
        self.state = State::Done;
        Step::Done
    }

    fn end_result(&mut self) {
        let now = Instant::now();
        self.current.seconds = now.duration_since(self.since).as_secs_f64();
        self.since = now;
        self.outcomes.push(std::mem::take(&mut self.current));
    }

    /// The answer will not come, or not to its end.
    pub fn lost(&mut self, why: &str) {
        if self.state != State::Done {
            self.current.error = Some((LOST, why.to_owned()));
            self.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPES: [Shape; 6] =
        [Shape::Simple, Shape::Text, Shape::Results, Shape::Prepared, Shape::Fields, Shape::Fetched];

    fn steps(shape: Shape, capabilities: u64, packets: &[&[u8]]) -> (Vec<Step>, Answer) {
        let mut answer = Answer::new(shape, Capabilities(capabilities), Instant::now());
        let take = |packet: &&[u8]| answer.take(packet, packet.len() as u64).expect("an answer");
        (packets.iter().map(take).collect(), answer)
    }

    #[test]
    fn a_result_set_is_followed_with_eof_and_without() {
        use Step::{Done, More, Next};
        let (column, eof, row) = (&b"\x03def"[..], &b"\xfe\x02\x00\x00\x00"[..], &b"\x01a"[..]);
        let (followed, answer) = steps(Shape::Results, 0, &[b"\x01", column, eof, row, row, eof]);
        assert_eq!(followed, [More, More, More, More, More, Done]);
        assert_eq!((answer.outcomes[0].rows_sent, answer.outcomes[0].warnings), (Some(2), Some(2)));
        let more = &b"\xfe\x00\x00\x08\x00\x00\x00"[..];
        let ok = &b"\x00\x03\x07\x00\x02\x01\x00"[..];
        let (followed, answer) = steps(Shape::Results, Capabilities::DEPRECATE_EOF, &[b"\x01", column, row, more, ok]);
        assert_eq!(followed, [More, More, More, Next, Done]);
        assert_eq!((answer.outcomes[1].affected, answer.outcomes[1].insert_id), (Some(3), 7));
        assert_eq!(answer.no_backslash, Some(true));
    }

    #[test]
    fn an_open_cursor_ends_the_answer_at_its_columns() {
        let (followed, answer) = steps(Shape::Results, 0, &[b"\x01", b"\x03def", b"\xfe\x00\x00\x40\x00"]);
        assert_eq!(followed.last(), Some(&Step::Done));
        assert_eq!(answer.outcomes[0].rows_sent, None);
    }

    #[test]
    fn a_statement_of_as_many_parameters_and_columns_as_there_are_numbers_is_followed() {
        let (followed, _) = steps(Shape::Prepared, 0, &[&[0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]]);
        assert_eq!(followed, [Step::More]);
    }

    proptest! {
        #[test]
        fn no_packet_stops_it(
            shape in 0usize..6, capabilities in any::<u64>(),
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let mut answer = Answer::new(SHAPES[shape], Capabilities(capabilities), Instant::now());
            for packet in packets {
                let kept = answer.needs(packet.first().copied().unwrap_or(0)).min(packet.len());
                if answer.take(&packet[..kept], packet.len() as u64).is_err() {
                    break;
                }
            }
        }
    }
}
