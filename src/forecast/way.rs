//! The way a server takes with one clause, and with several at once.

use crate::replay::record::DdlLock;

/// What has to be done, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Definitions change, no row is read.
    Metadata,
    /// An index is built beside the table.
    Index,
    /// The engine writes the table anew.
    Rebuild,
    /// The server copies row by row.
    Copy,
}

/// The way of one clause, or of all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The server takes it with ALGORITHM=INSTANT.
    pub instant: bool,
    /// What has to be done when it is not instant: what ALGORITHM=INPLACE, or a clause beside it, makes of it.
    pub work: Work,
    /// What that work leaves to others; of a copy, what the clause itself demands.
    pub lock: DdlLock,
    /// A copy keeps writers out, also where copies let them in.
    pub offline: bool,
    /// Why, as a sentence.
    pub why: String,
}

/// Why a clause has no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The server refuses it.
    Refused(String),
    /// The manual and the definition do not tell.
    Unknown(String),
}

/// What is said of a clause.
pub type Said = Result<Way, Stop>;

impl Way {
    /// Instantly, or else by this work.
    pub fn instant(work: Work, why: impl Into<String>) -> Self {
        Self { instant: true, work, lock: DdlLock::None, offline: false, why: why.into() }
    }

    /// Definitions alone, but not with ALGORITHM=INSTANT.
    pub fn metadata(why: impl Into<String>) -> Self {
        Self { instant: false, work: Work::Metadata, lock: DdlLock::None, offline: false, why: why.into() }
    }

    /// An index beside the table.
    pub fn index(lock: DdlLock, why: impl Into<String>) -> Self {
        Self { instant: false, work: Work::Index, lock, offline: false, why: why.into() }
    }

    /// The table written anew by the engine.
    pub fn rebuild(lock: DdlLock, why: impl Into<String>) -> Self {
        Self { instant: false, work: Work::Rebuild, lock, offline: false, why: why.into() }
    }

    /// A copy, row by row.
    pub fn copy(why: impl Into<String>) -> Self {
        Self { instant: false, work: Work::Copy, lock: DdlLock::None, offline: false, why: why.into() }
    }

    /// The same, but a copy would keep writers out even where copies let them in.
    pub fn keeping_out(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Both at once: what is not instant drags the other along (`lasting` says that what is instant stays so beside
    /// what changes definitions alone, as on MariaDB).
    pub fn with(self, other: Self, lasting: bool) -> Self {
        let instant = self.instant && other.instant;
        let weight = |way: &Self| match way.instant && lasting {
            true => Work::Metadata,
            false => way.work,
        };
        let plain = lasting && weight(&self) == Work::Metadata && weight(&other) == Work::Metadata;
        let work = if plain && !instant { Work::Metadata } else { self.work.max(other.work) };
        // The worst clause has the word; of equals the first.
        let rank = |way: &Self| (!way.instant, way.work, way.lock);
        let lock = self.lock.max(other.lock);
        let why = if rank(&other) > rank(&self) { other.why } else { self.why };
        Self { instant, work, lock, offline: self.offline || other.offline, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_clause_decides() {
        let add = || Way::instant(Work::Rebuild, "added");
        let comment = || Way::metadata("words");
        let index = || Way::index(DdlLock::None, "index");
        assert!(add().with(add(), false).instant);
        // MySQL 9.7 rebuilds for ADD COLUMN with COMMENT, MariaDB does not (measured).
        assert_eq!(add().with(comment(), false).work, Work::Rebuild);
        assert_eq!(add().with(comment(), true).work, Work::Metadata);
        assert_eq!(add().with(index(), true).work, Work::Rebuild);
        assert_eq!(index().with(Way::copy("copied"), false).why, "copied");
    }
}
