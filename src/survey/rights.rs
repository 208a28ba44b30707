//! What the account may do, and what it may not see at all: the server leaves such objects out without a word.

use anyhow::Result;

use super::answer::Cells;
use super::ask::{Gaps, ask};
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};

/// Whether an account has a privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// It has not.
    No,
    /// On some columns only, or through something that could not be read.
    Unsure,
    /// It has.
    Yes,
}

/// The privileges of an account, as `SHOW GRANTS` lists them, its active roles' included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    grants: Vec<Grant>,
    /// The lines could not be read, or name roles that could not be looked into.
    unsure: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    /// In capitals, column lists taken off.
    privileges: Vec<String>,
    /// Those that hold for some columns only.
    on_columns: Vec<String>,
    /// A pattern; none: everywhere.
    database: Option<String>,
    /// None: all tables.
    table: Option<String>,
    /// It takes away (MySQL's partial revokes).
    revokes: bool,
}

/// What an account needs a privilege on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<'a> {
    /// The server.
    Server,
    /// A database.
    Database(&'a str),
    /// A table.
    Table(&'a TableName),
}

/// Reads the privileges of the account and of the roles that are active for it.
///
/// # Errors
/// When the connection is lost.
pub fn read(reader: &mut ReadOnly, gaps: &mut Gaps) -> Result<Rights> {
    let mut unknown = Gaps::new();
    let mut lines = shown(reader, "SHOW GRANTS", &mut unknown)?;
    // Servers without roles answer with an error: then there are none.
    let roles =
        reader.first::<Cells>("SELECT CURRENT_ROLE()").ok().flatten().map(|row| row.text(0)).unwrap_or_default();
    if !roles.is_empty() && roles != "NONE" {
        let sql = if roles.contains('@') {
            format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}") // MySQL: `r`@`%`,`s`@`%`
        } else {
            "SHOW GRANTS FOR CURRENT_ROLE".to_owned()
        };
        lines.extend(shown(reader, &sql, &mut unknown)?);
    }
    let unsure = !unknown.is_empty();
    gaps.append(&mut unknown);
    Ok(Rights { unsure, ..Rights::of(&lines) })
}

/// Reads the privileges of another account, `user@host`. Roles that it has are not looked into: what they may give is
/// not certain.
///
/// # Errors
/// When the connection is lost.
pub fn read_of(reader: &mut ReadOnly, account: &str, gaps: &mut Gaps) -> Result<Rights> {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let plain = |text: &str| quote_text(text.trim_matches(['\'', '`', '"']));
    let mut unknown = Gaps::new();
    let lines = shown(reader, &format!("SHOW GRANTS FOR {}@{}", plain(user), plain(host)), &mut unknown)?;
    let has_role = lines.iter().any(|line| line.starts_with("GRANT ") && !line.contains(" ON "));
    let unsure = has_role || !unknown.is_empty();
    gaps.append(&mut unknown);
    Ok(Rights { unsure, ..Rights::of(&lines) })
}

fn shown(reader: &mut ReadOnly, sql: &str, gaps: &mut Gaps) -> Result<Vec<String>> {
    Ok(ask(reader, sql, "the account's privileges", gaps)?.iter().map(|row| row.text(0)).collect())
}

impl Rights {
    /// From the lines of `SHOW GRANTS`.
    pub fn of(lines: &[String]) -> Self {
        Self { grants: lines.iter().filter_map(|line| Grant::of(line)).collect(), unsure: false }
    }

    /// Whether the account has a privilege, written as `SHOW GRANTS` writes it: `LOCK TABLES`.
    pub fn held(&self, privilege: &str, on: On<'_>) -> Held {
        let mut held = if self.unsure { Held::Unsure } else { Held::No };
        for grant in self.grants.iter().filter(|grant| !grant.revokes && grant.covers(on)) {
            held = held.max(grant.gives(privilege));
        }
        let taken = |grant: &Grant| grant.revokes && grant.covers(on) && grant.gives(privilege) == Held::Yes;
        let again = |grant: &Grant| !grant.revokes && grant.database.is_some() && grant.covers(on);
        if held == Held::Yes
            && self.grants.iter().any(taken)
            && !self.grants.iter().any(|grant| again(grant) && grant.gives(privilege) == Held::Yes)
        {
            return Held::No;
        }
        held
    }
}

impl Grant {
    fn of(line: &str) -> Option<Self> {
        let (rest, revokes) = match line.strip_prefix("GRANT ") {
            Some(rest) => (rest, false),
            None => (line.strip_prefix("REVOKE ")?, true),
        };
        let (privileges, rest) = rest.split_once(" ON ")?;
        let scope = scope_of(rest)?;
        let (mut whole, mut on_columns) = (Vec::new(), Vec::new());
        for part in outside_of_parentheses(privileges) {
            match part.split_once(" (") {
                Some((privilege, _)) => on_columns.push(privilege.to_ascii_uppercase()),
                None => whole.push(part.to_ascii_uppercase()),
            }
        }
        let (database, table) = scope;
        Some(Self { privileges: whole, on_columns, database, table, revokes })
    }

    fn covers(&self, on: On<'_>) -> bool {
        let database = match (&self.database, on) {
            (None, _) => return true,
            (Some(_), On::Server) => return false,
            (Some(_), On::Database(name)) => name,
            (Some(_), On::Table(name)) => &name.database,
        };
        let pattern = self.database.as_deref().unwrap_or_default();
        match (&self.table, on) {
            // A grant on a table names its database as it is.
            (Some(own), On::Table(name)) => pattern == database && *own == name.table,
            (Some(_), _) => false,
            (None, _) => pattern_covers(pattern, database),
        }
    }

    fn gives(&self, privilege: &str) -> Held {
        let all = |one: &String| one == privilege || (one.starts_with("ALL PRIVILEGES") && privilege != "PROXY");
        if self.privileges.iter().any(all) {
            Held::Yes
        } else if self.on_columns.iter().any(|one| one == privilege) {
            Held::Unsure
        } else {
            Held::No
        }
    }
}

/// `*.*`, `` `app\_1`.* ``, `` `app`.`t` `` as database and table; none for routines and proxies.
fn scope_of(rest: &str) -> Option<(Option<String>, Option<String>)> {
    if rest.starts_with("*.*") {
        return Some((None, None));
    }
    let (database, rest) = quoted(rest)?;
    let rest = rest.strip_prefix('.')?;
    if rest.starts_with('*') {
        return Some((Some(database), None));
    }
    Some((Some(database), Some(quoted(rest)?.0)))
}

/// A name in backticks (or, under ANSI_QUOTES, in double quotes), and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '`' | '"'))?;
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            name.push(quote);
        } else {
            return Some((name, &text[at + 1..]));
        }
    }
    None
}

/// The parts between commas, those in column lists left together.
fn outside_of_parentheses(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Notes the objects that may be missing because the account has no right to see them.
///
/// # Errors
/// When the connection is lost.
pub fn note(reader: &mut ReadOnly, databases: &[String], gaps: &mut Gaps) -> Result<()> {
    let rights = read(reader, gaps)?;
    if !rights.grants.is_empty() {
        gaps.extend(missing(&rights, databases));
    }
    Ok(())
}

fn missing(rights: &Rights, databases: &[String]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (privilege, objects) in [("TRIGGER", "triggers"), ("EVENT", "events"), ("SHOW VIEW", "view definitions")] {
        let blind: Vec<&str> = databases
            .iter()
            .filter(|database| rights.held(privilege, On::Database(database)) != Held::Yes)
            .map(String::as_str)
            .collect();
        if !blind.is_empty() {
            sentences.push(format!(
                "{objects} of {} may be missing: the account has no {privilege} privilege there",
                blind.join(", ")
            ));
        }
    }
    sentences
}

/// A database in a grant is a pattern; `\_` and `%` are all that people use of it.
fn pattern_covers(pattern: &str, database: &str) -> bool {
    match pattern.split_once('%') {
        Some((start, end)) => {
            database.starts_with(&start.replace("\\_", "_")) && database.ends_with(&end.replace("\\_", "_"))
        }
        None => pattern.replace("\\_", "_") == database,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(grants: &[&str]) -> Rights {
        Rights::of(&grants.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn an_account_that_sees_no_triggers_is_told_so() {
        let of = |grants: &[&str]| missing(&rights(grants), &["app_1".into()]);
        assert_eq!(of(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]), Vec::<String>::new());
        assert_eq!(of(&["GRANT SELECT, EVENT, SHOW VIEW, TRIGGER ON `app\\_1`.* TO `a`@`%`"]), Vec::<String>::new());
        let told = of(&["GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT, SHOW VIEW ON `app%`.* TO `a`@`%`"]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("triggers of app_1"), "{told:?}");
    }

    #[test]
    fn a_privilege_is_held_where_a_grant_reaches() {
        let orders = TableName::new("app", "orders");
        let users = TableName::new("app", "us`ers");
        let rights = rights(&[
            "GRANT PROCESS, RELOAD ON *.* TO `a`@`%`",
            "GRANT BINLOG ADMIN ON *.* TO `a`@`%`",
            "GRANT SELECT (`id`, `name`), INSERT, LOCK TABLES ON `app`.* TO `a`@`%`",
            "GRANT DROP ON `app`.`orders` TO `a`@`%`",
            "GRANT ALTER ON `app`.`us``ers` TO `a`@`%`",
            "GRANT EXECUTE ON PROCEDURE `app`.`p` TO `a`@`%`",
            "GRANT `writer`@`%` TO `a`@`%`",
        ]);
        assert_eq!(rights.held("INSERT", On::Table(&orders)), Held::Yes);
        assert_eq!(rights.held("LOCK TABLES", On::Database("app")), Held::Yes);
        assert_eq!(rights.held("SELECT", On::Table(&orders)), Held::Unsure, "of some columns");
        assert_eq!(rights.held("DROP", On::Table(&orders)), Held::Yes);
        assert_eq!(rights.held("DROP", On::Table(&users)), Held::No);
        assert_eq!(rights.held("ALTER", On::Table(&users)), Held::Yes);
        assert_eq!(rights.held("EXECUTE", On::Database("app")), Held::No, "of one routine");
        assert_eq!(rights.held("RELOAD", On::Server), Held::Yes);
        assert_eq!(rights.held("BINLOG ADMIN", On::Server), Held::Yes);
        assert_eq!(rights.held("INSERT", On::Server), Held::No);
        assert_eq!(rights.held("INSERT", On::Database("other")), Held::No);
    }

    #[test]
    fn what_is_revoked_in_part_is_not_held_there() {
        let rights = rights(&[
            "GRANT SELECT, DROP ON *.* TO `a`@`%`",
            "REVOKE DROP ON `app`.* FROM `a`@`%`",
            "GRANT DROP ON `app`.`t` TO `a`@`%`",
        ]);
        assert_eq!(rights.held("DROP", On::Table(&TableName::new("app", "orders"))), Held::No);
        assert_eq!(rights.held("DROP", On::Table(&TableName::new("app", "t"))), Held::Yes);
        assert_eq!(rights.held("DROP", On::Database("other")), Held::Yes);
        assert_eq!(rights.held("SELECT", On::Database("app")), Held::Yes);
    }
}
