//! What the account may not see at all: the server leaves such objects out without a word.

use anyhow::Result;

use super::ask::{Gaps, ask};
use crate::server::session::ReadOnly;

/// Notes the objects that may be missing because the account has no right to see them. Roles are not looked into: with
/// one granted, the sentence says "may".
///
/// # Errors
/// When the connection is lost.
pub fn note(reader: &mut ReadOnly, databases: &[String], gaps: &mut Gaps) -> Result<()> {
    let grants: Vec<String> =
        ask(reader, "SHOW GRANTS", "the account's privileges", gaps)?.iter().map(|row| row.text(0)).collect();
    if !grants.is_empty() {
        gaps.extend(missing(&grants, databases));
    }
    Ok(())
}

fn missing(grants: &[String], databases: &[String]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (privilege, objects) in [("TRIGGER", "triggers"), ("EVENT", "events"), ("SHOW VIEW", "view definitions")] {
        let blind: Vec<&str> =
            databases.iter().filter(|database| !grants_on(grants, privilege, database)).map(String::as_str).collect();
        if !blind.is_empty() {
            sentences.push(format!(
                "{objects} of {} may be missing: the account has no {privilege} privilege there",
                blind.join(", ")
            ));
        }
    }
    sentences
}

/// True when a grant gives the privilege on all of a database.
fn grants_on(grants: &[String], privilege: &str, database: &str) -> bool {
    grants.iter().filter_map(|grant| grant.strip_prefix("GRANT ")?.split_once(" ON ")).any(|(privileges, rest)| {
        let scope = rest.split(" TO ").next().unwrap_or_default();
        let covers = scope == "*.*" || pattern_covers(scope.trim_end_matches(".*").trim_matches('`'), database);
        let has = privileges.split(", ").any(|one| one == privilege || one == "ALL PRIVILEGES");
        covers && has
    })
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

    #[test]
    fn an_account_that_sees_no_triggers_is_told_so() {
        let of =
            |grants: &[&str]| missing(&grants.iter().map(ToString::to_string).collect::<Vec<_>>(), &["app_1".into()]);
        assert_eq!(of(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]), Vec::<String>::new());
        assert_eq!(of(&["GRANT SELECT, EVENT, SHOW VIEW, TRIGGER ON `app\\_1`.* TO `a`@`%`"]), Vec::<String>::new());
        let told = of(&["GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT, SHOW VIEW ON `app%`.* TO `a`@`%`"]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("triggers of app_1"), "{told:?}");
    }
}
