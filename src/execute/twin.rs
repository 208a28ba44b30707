//! What a DDL will do, asked of the server on an empty twin of the table before the statement runs.
//!
//! The twin is made from `SHOW CREATE TABLE` with its foreign keys, both those to its parents and those of its children,
//! in a database of our own, and is asked in the session's state (dba.md D17: `CREATE TABLE … LIKE` loses the keys, and
//! `sql_mode` and `foreign_key_checks` change the answer). What it cannot know is looked up at the table itself: the row
//! versions that MySQL has used.

mod made;

use self::made::{Twin, row_versions};
use super::ask;
use super::record::{Algorithm, DdlLock, TwinAnswer};
use crate::sandbox::Instance;
use crate::server::ability::Ability as _;
use crate::server::fault::Fault;
use crate::server::session::{ReadOnly, Writer};
use crate::sql::record::{AlterClass, Kind, Statement, TableName, quote_text};
use crate::sql::retarget::{self, Retargeted};

/// The databases that twins stand in; the number of the session that asks follows.
const DATABASES: &str = "rehearse_twin_";

/// Variables of a session that change what the server makes of a DDL, or whether it takes it.
pub const CARRIED: [&str; 14] = [
    "sql_mode",
    "foreign_key_checks",
    "unique_checks",
    "alter_algorithm",
    "old_alter_table",
    "old_mode",
    "explicit_defaults_for_timestamp",
    "innodb_strict_mode",
    "sql_require_primary_key",
    "restrict_fk_on_non_standard_key",
    "character_set_client",
    "character_set_connection",
    "collation_connection",
    "default_storage_engine",
];

/// The session's state as `SET` takes it, variable by variable, for [`ask`].
///
/// # Errors
/// The server's fault.
pub fn state(session: &mut Writer) -> Result<Vec<(String, String)>, Fault> {
    let names: Vec<String> = CARRIED.iter().map(|name| quote_text(name)).collect();
    session.rows(&format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(", ")))
}

/// A DDL that has an algorithm, on a table that other sessions can see.
pub fn is_asked(statement: &Statement) -> bool {
    let reading = &statement.reading;
    matches!(reading.kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex | Kind::Optimize)
        && !reading.effect.temporary
}

/// The database in use.
///
/// # Errors
/// The server's fault.
pub fn database(session: &mut Writer) -> Result<String, Fault> {
    Ok(session.first::<(Option<String>,)>("SELECT DATABASE()")?.and_then(|(name,)| name).unwrap_or_default())
}

/// Asks the server what it would do with a DDL on a table that is there. None for statements that use no algorithm, and
/// where no twin can stand in; `Err` within tells why.
///
/// # Errors
/// Only the loss of the connection: whatever else the server says is part of the answer.
pub fn ask(
    instance: &Instance,
    reader: &mut ReadOnly,
    statement: &Statement,
    database: &str,
    state: &[(String, String)],
) -> Result<Option<Result<TwinAnswer, String>>, Fault> {
    if !is_asked(statement) {
        return Ok(None);
    }
    let reading = &statement.reading;
    let Some((table, _)) = ask::altered(statement) else { return Ok(None) };
    // Whatever the upgrade holds locked, nobody waits for it here.
    reader.set("lock_wait_timeout", "1")?;
    let mut twin = match Twin::new(instance, reader, &table) {
        Ok(Some(twin)) => twin,
        Ok(None) => return Ok(None),
        Err(fault) if fault.is_connection_lost() => return Err(fault),
        Err(fault) => return Ok(Some(Err(format!("no empty twin of {table} could be made: {fault}")))),
    };
    let mut names = twin.names.clone();
    for (from, to) in &reading.effect.renames {
        if *from == table {
            names.insert(to.clone(), TableName::new(twin.table.database.clone(), format!("{}_", to.table)));
        }
    }
    let Some(text) = retarget::ddl(&statement.text, database, twin.flavor, &names) else { return Ok(None) };
    twin.kind = reading.kind;
    twin.empties = ask::empties(statement);
    let partitions = reading.effect.clauses.iter().filter(|clause| clause.class == AlterClass::Partition);
    let verbs: Vec<String> =
        partitions.filter_map(|clause| clause.text.split_whitespace().next()).map(str::to_ascii_uppercase).collect();
    twin.optimizes = verbs.iter().any(|verb| verb == "OPTIMIZE");
    twin.deals_out = !verbs.is_empty() && !twin.optimizes;
    twin.after = reading.effect.renames.get(&table).and_then(|to| names.get(to)).cloned();
    let answer = twin.answer(reader, &text, state);
    let swept = twin.keeper.execute(&format!("DROP DATABASE IF EXISTS {}", twin.table.database));
    match (answer, swept) {
        (Err(fault), _) | (_, Err(fault)) if fault.is_connection_lost() => Err(fault),
        (Ok(answer), Ok(_)) => Ok(Some(Ok(answer))),
        (Err(fault), _) | (_, Err(fault)) => Ok(Some(Err(format!("the empty twin of {table} refused it: {fault}")))),
    }
}

/// How one way of asking ended.
enum Ask {
    /// The algorithm, and whether the table was written anew.
    Taken((Algorithm, bool)),
    Refused(Fault),
}

impl Twin {
    fn answer(
        &mut self,
        reader: &mut ReadOnly,
        text: &Retargeted,
        state: &[(String, String)],
    ) -> Result<TwinAnswer, Fault> {
        self.make(state)?;
        let mut refused = None;
        if !text.own.is_empty() {
            match self.ask(reader, text, &text.own)? {
                Ask::Taken(taken) => {
                    // What a LOCK alone leaves open is found by asking for each algorithm with that LOCK.
                    let own = if text.own.starts_with("LOCK") { None } else { Some(taken) };
                    return self.taken(reader, text, state, own);
                }
                Ask::Refused(fault) => refused = Some(fault),
            }
        }
        let mut answer = self.unasked(reader, text, state, "")?;
        answer.refused = refused.or(answer.refused);
        Ok(answer)
    }

    /// The answer to a statement whose own ALGORITHM or LOCK the server took.
    fn taken(
        &mut self,
        reader: &mut ReadOnly,
        text: &Retargeted,
        state: &[(String, String)],
        taken: Option<(Algorithm, bool)>,
    ) -> Result<TwinAnswer, Fault> {
        match taken {
            Some((algorithm, rebuilds)) => {
                let (algorithm, rebuilds) = self.with_a_row(reader, text, state, &text.own, algorithm, rebuilds)?;
                let lock = self.lock_of(reader, text, state, algorithm)?;
                let explicit = text.own.clone();
                Ok(TwinAnswer { algorithm, rebuilds, lock, explicit, refused: None, note: None })
            }
            None => {
                self.make(state)?;
                let mut answer = self.unasked(reader, text, state, &text.own)?;
                if answer.algorithm != Algorithm::Instant {
                    answer.lock = answer.lock.max(own_lock(&text.own).unwrap_or(DdlLock::None));
                }
                Ok(answer)
            }
        }
    }

    /// What the server does by itself (under the LOCK in `own`, where there is one): the first that it accepts, in the
    /// order in which it would choose.
    fn unasked(
        &mut self,
        reader: &mut ReadOnly,
        text: &Retargeted,
        state: &[(String, String)],
        own: &str,
    ) -> Result<TwinAnswer, Fault> {
        let mut note = None;
        for options in self.ladder(state, own) {
            match self.ask(reader, text, &options)? {
                // MariaDB takes ALGORITHM=INSTANT for some statements that it then copies (ENGINE, ORDER BY; measured).
                Ask::Taken((algorithm, _)) if options.contains("INSTANT") && algorithm != Algorithm::Instant => {
                    self.make(state)?;
                }
                Ask::Taken(_) if options.contains("INSTANT") && self.is_out_of_versions(reader)? => {
                    note = Some(format!(
                        "The table has used up its {} INSTANT row versions; an empty one would change instantly.",
                        self.row_versions
                    ));
                    self.make(state)?;
                }
                Ask::Taken((algorithm, rebuilds)) => {
                    let (algorithm, rebuilds) = self.with_a_row(reader, text, state, &options, algorithm, rebuilds)?;
                    let lock = match (algorithm, own_lock(&options)) {
                        // Metadata alone: whatever lock it takes, it has for a moment.
                        (Algorithm::Instant, _) => DdlLock::None,
                        (_, Some(lock)) => lock,
                        (_, None) => DdlLock::Exclusive,
                    };
                    return Ok(TwinAnswer { algorithm, rebuilds, lock, explicit: options, refused: None, note });
                }
                Ask::Refused(_) => {}
            }
        }
        match self.ask(reader, text, own)? {
            Ask::Taken((algorithm, rebuilds)) => {
                let lock = self.lock_of(reader, text, state, algorithm)?;
                Ok(TwinAnswer { algorithm, rebuilds, lock, explicit: String::new(), refused: None, note })
            }
            // Refused in any case: nothing changes.
            Ask::Refused(fault) => Ok(TwinAnswer {
                algorithm: Algorithm::Instant,
                rebuilds: false,
                lock: DdlLock::None,
                explicit: String::new(),
                refused: Some(fault),
                note,
            }),
        }
    }

    /// MariaDB shows no stage while it builds an index of no rows, which then looks like a change of definitions: with
    /// one row of defaults in the twin it does.
    fn with_a_row(
        &mut self,
        reader: &mut ReadOnly,
        text: &Retargeted,
        state: &[(String, String)],
        options: &str,
        algorithm: Algorithm,
        rebuilds: bool,
    ) -> Result<(Algorithm, bool), Fault> {
        let doubtful = self.flavor.is_mariadb()
            && algorithm == Algorithm::Instant
            && (options.contains("INPLACE") || options.contains("NOCOPY"));
        if !doubtful {
            return Ok((algorithm, rebuilds));
        }
        self.make(state)?;
        let table = self.table.quoted();
        let row =
            format!("SET STATEMENT sql_mode = '', foreign_key_checks = 0 FOR INSERT IGNORE INTO {table} () VALUES ()");
        // A table that takes no row of defaults stays without.
        if self.keeper.execute(&row).is_err() {
            return Ok((algorithm, rebuilds));
        }
        match self.ask(reader, text, options)? {
            Ask::Taken(taken) => Ok(taken),
            Ask::Refused(_) => Ok((algorithm, rebuilds)),
        }
    }

    /// What is asked, in order.
    fn ladder(&self, state: &[(String, String)], own: &str) -> Vec<String> {
        let chosen = !self.flavor.ignores_alter_algorithm()
            && state.iter().any(|(name, value)| {
                matches!(name.as_str(), "alter_algorithm" | "old_alter_table")
                    && !matches!(value.to_ascii_uppercase().as_str(), "DEFAULT" | "OFF" | "0")
            });
        let locks = if own.is_empty() { vec!["LOCK=NONE", "LOCK=SHARED", "LOCK=EXCLUSIVE"] } else { vec![own] };
        let mut ladder = Vec::new();
        // OPTIMIZE takes no question; a session that has chosen an algorithm is asked for locks only.
        if self.kind == Kind::Optimize || self.optimizes {
            return ladder;
        }
        if chosen {
            ladder.extend(locks.iter().map(|lock| (*lock).to_owned()));
            return ladder;
        }
        if self.flavor.adds_columns_instantly() {
            ladder.push("ALGORITHM=INSTANT".to_owned());
        }
        for algorithm in ["INPLACE", "COPY"] {
            ladder.extend(locks.iter().map(|lock| format!("ALGORITHM={algorithm}, {lock}")));
        }
        ladder
    }

    /// The lock of a statement that was taken with an algorithm, on twins made anew.
    fn lock_of(
        &mut self,
        reader: &mut ReadOnly,
        text: &Retargeted,
        state: &[(String, String)],
        algorithm: Algorithm,
    ) -> Result<DdlLock, Fault> {
        if let Some(lock) = own_lock(&text.own) {
            return Ok(lock);
        }
        if algorithm == Algorithm::Instant {
            return Ok(DdlLock::None);
        }
        let optimize = self.kind == Kind::Optimize || self.optimizes;
        let text = if optimize {
            // The manual: OPTIMIZE of an InnoDB table is ALTER TABLE … FORCE.
            Retargeted {
                head: format!("ALTER TABLE {}", self.table.quoted()),
                clauses: "FORCE".into(),
                own: String::new(),
            }
        } else {
            text.clone()
        };
        self.make(state)?;
        for (options, lock) in
            [("LOCK=NONE", DdlLock::None), ("LOCK=SHARED", DdlLock::Shared), ("LOCK=EXCLUSIVE", DdlLock::Exclusive)]
        {
            let own =
                if text.own.is_empty() && algorithm == Algorithm::Inplace { "ALGORITHM=INPLACE" } else { &text.own };
            let options = if own.is_empty() { options.to_owned() } else { format!("{own}, {options}") };
            if let Ask::Taken(..) = self.ask(reader, &text, &options)? {
                return Ok(lock);
            }
        }
        // Its grammar takes no LOCK: what is done to partitions lets others read.
        Ok(DdlLock::Shared)
    }

    fn ask(&mut self, reader: &mut ReadOnly, text: &Retargeted, options: &str) -> Result<Ask, Fault> {
        let after = self.after.as_ref().unwrap_or(&self.table);
        let before = match self.thread {
            Some(thread) => {
                let before = ask::look(reader, self.flavor, thread, &self.table, after, self.transactional)?;
                Some(before.emptying(self.empties))
            }
            None => None,
        };
        match self.keeper.execute(&text.asking(options)) {
            Err(fault) if fault.is_connection_lost() => Err(fault),
            Err(fault) => Ok(Ask::Refused(fault)),
            Ok(done) => {
                if options.contains("=COPY") {
                    return Ok(Ask::Taken((Algorithm::Copy, true)));
                }
                let facts = match &before {
                    Some(before) => ask::after(reader, self.flavor, before, self.kind, done.affected)?,
                    None => None,
                };
                Ok(Ask::Taken(match facts {
                    // MariaDB deals rows out to partitions one by one, which shows no stage without rows.
                    Some(facts) if facts.rebuilds && self.deals_out && self.flavor.is_mariadb() => {
                        (Algorithm::Copy, true)
                    }
                    Some(facts) => (facts.algorithm, facts.rebuilds),
                    None if options.contains("=INPLACE") => (Algorithm::Inplace, false),
                    None if options.contains("=INSTANT") => (Algorithm::Instant, false),
                    None => (Algorithm::Copy, true),
                }))
            }
        }
    }

    /// The twin has just used a row version that the real table has no more of.
    fn is_out_of_versions(&self, reader: &mut ReadOnly) -> Result<bool, Fault> {
        let Some(most) = self.flavor.most_row_versions() else { return Ok(false) };
        if self.row_versions < most {
            return Ok(false);
        }
        let after = self.after.as_ref().unwrap_or(&self.table);
        Ok(row_versions(reader, self.flavor, after)? > 0)
    }
}

/// The lock that a clause asks for.
fn own_lock(options: &str) -> Option<DdlLock> {
    match options.split_once("LOCK=")?.1 {
        "NONE" => Some(DdlLock::None),
        "SHARED" => Some(DdlLock::Shared),
        "EXCLUSIVE" => Some(DdlLock::Exclusive),
        _ => None,
    }
}
