//! The database that a schema or a dump fills when it names none. One that makes its own under that name gets its own, with
//! its own character set: a table that the upgrade makes takes it from there.

use crate::server::fault::Fault;
use crate::server::session::Writer;
use crate::sql::record::{quote_identifier, quote_text};
use crate::sql::token::{Lexer, TokenKind};

/// A database in use, made beforehand where the server did not have it.
#[derive(Debug)]
pub(super) struct Standing {
    name: String,
    /// It is ours, and nobody has made it anew.
    gives_way: bool,
}

impl Standing {
    /// Makes the database when the server does not have it, and uses it.
    pub fn make(writer: &mut Writer, name: &str) -> Result<Self, Fault> {
        let counted = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name =";
        let there: Option<u64> = writer.first(&format!("{counted} {}", quote_text(name)))?;
        writer.execute(&format!("CREATE DATABASE IF NOT EXISTS {}", quote_identifier(name)))?;
        writer.use_database(name)?;
        Ok(Self { name: name.to_owned(), gives_way: there == Some(0) })
    }

    /// Runs a statement. Ours is dropped for one that makes the database itself, unless something stands in it.
    pub fn run(&mut self, writer: &mut Writer, text: &str) -> Result<(), Fault> {
        if !self.gives_way || created(text).as_deref() != Some(self.name.as_str()) || self.holds_tables(writer)? {
            writer.execute(text)?;
            return Ok(());
        }
        self.gives_way = false;
        writer.execute(&format!("DROP DATABASE IF EXISTS {}", quote_identifier(&self.name)))?;
        writer.execute(text)?;
        writer.use_database(&self.name)
    }

    fn holds_tables(&self, writer: &mut Writer) -> Result<bool, Fault> {
        let counted = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema =";
        let tables: Option<u64> = writer.first(&format!("{counted} {}", quote_text(&self.name)))?;
        Ok(tables != Some(0))
    }
}

/// The database that a statement makes, as dumps and people write it.
fn created(text: &str) -> Option<String> {
    let verb = text.trim_start().get(..6)?;
    if !verb.eq_ignore_ascii_case("create") {
        return None;
    }
    let mut tokens = Lexer::over_everything(text.as_bytes()).skip(1).map(|token| {
        let range = token.start as usize..token.end as usize;
        (token.kind, text.get(range).unwrap_or_default())
    });
    let (_, what) = tokens.next()?;
    if !["database", "schema"].iter().any(|known| what.eq_ignore_ascii_case(known)) {
        return None;
    }
    let known = ["if", "not", "exists"];
    let (kind, name) = tokens
        .find(|(kind, word)| *kind != TokenKind::Word || !known.iter().any(|known| word.eq_ignore_ascii_case(known)))?;
    Some(match kind {
        TokenKind::Quoted => name.get(1..name.len().checked_sub(1)?)?.replace("``", "`"),
        _ => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_found_as_dumps_and_people_name_it() {
        for text in [
            "CREATE DATABASE app",
            "create schema if not exists `app` character set utf8mb4",
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `app` /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
        ] {
            assert_eq!(created(text).as_deref(), Some("app"), "{text}");
        }
        assert_eq!(created("CREATE DATABASE `a``b`").as_deref(), Some("a`b"));
        for text in ["CREATE TABLE app (a int)", "USE app", "CREATE", "DROP DATABASE app", "CREATE DATABASE"] {
            assert_eq!(created(text), None, "{text}");
        }
    }
}
