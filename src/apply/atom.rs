//! What is carried out as one: wholly or not at all, and once. Pure.

use crate::plan::record::Verify;
use crate::plan::work::Copy;
use crate::sql::record::{Kind, Reading, TableName};
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

use crate::server::flavor::Flavor;

/// A statement and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Its text, without a delimiter.
    pub text: String,
    /// What it says.
    pub reading: Reading,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With COMMIT.
    Commit,
    /// With ROLLBACK, or because the session ends.
    Rollback,
}

/// What one atom does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Sets the session up: runs whenever a session has to be brought to this point.
    Session(Piece),
    /// Only looks.
    Look(Piece),
    /// Changes rows in one transaction.
    Change {
        /// What opens it; none where the session opens one by itself (`autocommit = 0`).
        begin: Option<String>,
        /// Its statements.
        body: Vec<Piece>,
        /// How it ends.
        end: End,
    },
    /// Commits by itself: a change of definitions, and what looks back at it.
    Define(Vec<Piece>),
    /// From LOCK TABLES (or its like) to UNLOCK TABLES.
    Locked(Vec<Piece>),
    /// What cannot be read: CALL, and what is not understood.
    Opaque(Piece),
    /// One UPDATE or DELETE whose rows are copied first.
    Kept {
        /// The statement.
        change: Piece,
        /// Its table, as it names it.
        factor: String,
        /// Its condition.
        condition: Option<String>,
        /// What is kept.
        copy: Copy,
    },
    /// One UPDATE or DELETE in ranges of a key.
    Batches(Batches),
    /// Looks whether a step did what it should.
    Verify(Verify),
}

/// One UPDATE or DELETE in ranges of a key, as [`crate::plan::work::Task::Batches`] says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Batches {
    /// The table.
    pub table: TableName,
    /// Its key's columns.
    pub key: Vec<String>,
    /// What stands before the condition.
    pub head: String,
    /// The statement's own condition.
    pub condition: Option<String>,
    /// Rows of the first range.
    pub rows: u64,
    /// Rest between two ranges, in seconds.
    pub pause_seconds: f64,
    /// What is kept of each range.
    pub copy: Option<Copy>,
}

/// What is carried out as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Atom {
    /// Its name in the journal: `step-003/2`.
    pub id: String,
    /// Statements that rule only the next one (`SET TRANSACTION …`): right before it, each time.
    pub prelude: Vec<Piece>,
    /// What it does.
    pub work: Work,
}

impl Atom {
    /// It has a row in the journal of its own.
    pub fn is_journaled(&self) -> bool {
        !matches!(self.work, Work::Session(_) | Work::Look(_) | Work::Verify(_))
    }

    /// Statements in it that set the session up.
    pub fn session_pieces(&self) -> Vec<&Piece> {
        match &self.work {
            Work::Session(piece) => vec![piece],
            Work::Change { body, .. } | Work::Locked(body) => body.iter().filter(|piece| sets_session(piece)).collect(),
            _ => Vec::new(),
        }
    }

    /// All its statements.
    pub fn pieces(&self) -> Vec<&Piece> {
        match &self.work {
            Work::Session(piece) | Work::Look(piece) | Work::Opaque(piece) => vec![piece],
            Work::Kept { change, .. } => vec![change],
            Work::Change { body, .. } | Work::Locked(body) | Work::Define(body) => body.iter().collect(),
            Work::Batches(_) | Work::Verify(_) => Vec::new(),
        }
    }

    /// One line for people.
    pub fn title(&self) -> String {
        let text = match &self.work {
            Work::Batches(batches) => {
                let condition = batches.condition.as_ref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
                format!("{}{condition} in batches", batches.head.trim())
            }
            Work::Verify(verify) => verify.query.clone(),
            _ => self.pieces().iter().map(|piece| piece.text.trim()).collect::<Vec<_>>().join("; "),
        };
        let folded: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = folded.chars().take(100).collect();
        if short.len() < folded.len() { format!("{short} …") } else { short }
    }
}

/// It changes the session and nothing else.
pub fn sets_session(piece: &Piece) -> bool {
    let effect = &piece.reading.effect;
    effect.temporary
        || matches!(piece.reading.kind, Kind::Use | Kind::Prepare | Kind::Deallocate)
        || (matches!(piece.reading.kind, Kind::Set | Kind::Select | Kind::Do) && effect.changes_session)
}

/// It looks back at the statement before: nothing may be sent between the two.
pub fn looks_back(piece: &Piece) -> bool {
    let folded = piece.text.to_ascii_lowercase();
    ["row_count", "found_rows", "show warnings", "show errors", "warning_count", "error_count", "get diagnostics"]
        .iter()
        .any(|word| folded.contains(word))
}

/// It rules only the next statement: `SET TRANSACTION …` without SESSION.
pub fn looks_forward(piece: &Piece) -> bool {
    let mut words = piece.text.split_whitespace().map(str::to_ascii_lowercase);
    piece.reading.kind == Kind::Set
        && words.next().as_deref() == Some("set")
        && words.next().as_deref() == Some("transaction")
}

/// The user variables that a statement mentions, without `@`, folded.
pub fn variables(text: &str, flavor: Flavor) -> Vec<String> {
    let tokens = Tokens::new(text, flavor);
    (0..tokens.len())
        .filter(|at| tokens.kind(*at) == Some(TokenKind::Variable))
        .filter_map(|at| {
            let name = tokens.at(at).strip_prefix('@').filter(|name| !name.starts_with('@'))?;
            // An account's `@host` stands right behind its user.
            let account =
                at > 0 && tokens.end(at - 1) == tokens.start(at) && tokens.kind(at - 1) != Some(TokenKind::Symbol);
            (!account).then(|| name.trim_matches(['`', '\'', '"']).to_ascii_lowercase())
        })
        .collect()
}

/// It is a SET of nothing but user variables.
pub fn sets_only_variables(text: &str, flavor: Flavor) -> bool {
    let tokens = Tokens::new(text, flavor);
    let own = |at: usize| {
        tokens.kind(at) == Some(TokenKind::Variable)
            && !tokens.at(at).starts_with("@@")
            && (tokens.is_symbol(at + 1, "=") || tokens.is_symbol(at + 1, ":="))
    };
    tokens.is(0, "SET") && tokens.parts(1, tokens.len()).into_iter().all(|(first, _)| own(first))
}

/// The user variables that a SET or a SELECT … INTO assigns.
pub fn assigned(text: &str, flavor: Flavor) -> Vec<String> {
    let tokens = Tokens::new(text, flavor);
    let into = (0..tokens.len()).find(|at| tokens.is(*at, "INTO"));
    (0..tokens.len())
        .filter(|at| tokens.kind(*at) == Some(TokenKind::Variable) && !tokens.at(*at).starts_with("@@"))
        .filter(|at| {
            tokens.is_symbol(at + 1, ":=")
                || (tokens.is(0, "SET") && tokens.is_symbol(at + 1, "=") && (*at == 1 || tokens.is_symbol(at - 1, ",")))
                || into.is_some_and(|into| *at > into)
        })
        .map(|at| tokens.at(at).trim_start_matches('@').trim_matches(['`', '\'', '"']).to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_variables_alone_is_told_from_one_of_the_session() {
        let flavor: Flavor = "mysql:9.7".parse().expect("a flavor");
        for (text, only) in [
            ("SET @a = 1, @b := (SELECT MAX(id), 2 FROM t)", true),
            ("SET @OLD_SQL_MODE = @@SQL_MODE, SQL_MODE = 'x'", false),
            ("SET @old = @@time_zone, time_zone = '+05:00'", false),
            ("SET @@session.autocommit = 0", false),
            ("SELECT 1 INTO @a", false),
        ] {
            assert_eq!(sets_only_variables(text, flavor), only, "{text}");
        }
        assert_eq!(assigned("SET @a = 1, @`B c` = @x", flavor), ["a", "b c"]);
        assert_eq!(
            assigned("SELECT a, @y INTO @b FROM t WHERE c = @z", flavor),
            ["b", "z"],
            "one too many is harmless"
        );
        assert_eq!(variables("UPDATE t SET a = @x, b = @@y WHERE c = @Z", flavor), ["x", "z"]);
    }
}
