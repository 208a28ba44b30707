//! Whether the account may do what each step does.

use std::collections::BTreeMap;

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::privileges::{Need, needs};
use crate::server::session::ReadOnly;
use crate::sql::record::Kind;
use crate::survey::rights::{Held, On, read_of};

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let mut gaps = Vec::new();
    let other = ground.options.account.as_ref().map(|account| read_of(reader, account, &mut gaps)).transpose()?;
    if let Some(gap) = gaps.first() {
        found.unchecked("privileges", "the account", gap.as_str(), "look at SHOW GRANTS FOR the account");
        return Ok(());
    }
    let rights = other.as_ref().unwrap_or(&ground.now.rights);
    // By privilege and object: the steps that need it.
    let mut missing: BTreeMap<(String, String, Held), Vec<&str>> = BTreeMap::new();
    for sent in &ground.sent {
        // The plan's own cure of AUTO_INCREMENT is an ALTER of a table that it alters anyway.
        let own = sent.statement.text.contains("rehearse_cure");
        if matches!(sent.statement.reading.kind, Kind::Opaque | Kind::Call | Kind::Execute) && !own {
            let verb: String = sent.statement.text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            let next = "look in the manual which privileges it needs";
            found.unchecked("privileges", sent.step.as_str(), format!("what `{verb} …` touches is not known"), next);
        }
        for need in needs(&sent.statement, ground.now.server.flavor) {
            let (privilege, object, held) = match &need {
                Need::Table(privilege, table) => {
                    ((*privilege).to_owned(), table.to_string(), rights.held(privilege, On::Table(table)))
                }
                Need::Database(privilege, database) => {
                    let held = rights.held(privilege, On::Database(database));
                    ((*privilege).to_owned(), format!("{database}.*"), held)
                }
                Need::Server(any) => {
                    let held = any.iter().map(|one| rights.held(one, On::Server)).max();
                    (any.join(" or "), "*.*".to_owned(), held.unwrap_or(Held::No))
                }
            };
            if held != Held::Yes {
                let steps = missing.entry((object, privilege, held)).or_default();
                if !steps.contains(&sent.step.as_str()) {
                    steps.push(&sent.step);
                }
            }
        }
    }
    if let Some(journal) = &ground.options.journal {
        for privilege in ["CREATE", "SELECT", "INSERT", "UPDATE", "DELETE"] {
            let held = rights.held(privilege, On::Database(journal));
            if held != Held::Yes {
                let steps = missing.entry((format!("{journal}.*"), privilege.to_owned(), held)).or_default();
                steps.push("the journal of rehearse apply");
            }
        }
    }
    if missing.is_empty() {
        found.fine("the account has the privileges that the steps and their backups need");
    }
    for ((object, privilege, held), steps) in missing {
        let steps = steps.join(", ");
        let what = format!("{privilege} on {object}");
        if held == Held::No {
            let next = format!(
                "GRANT {privilege} ON {object} TO the account, or verify with the account that will carry it out"
            );
            found.add(Severity::Refuse, "privileges", what, "the account lacks it", format!("{steps} needs it"), next);
        } else {
            let next = "look at SHOW GRANTS: it holds for some columns only, or comes by a role that could not be read";
            found.unchecked("privileges", what, format!("not certain, and {steps} needs it"), next);
        }
    }
    Ok(())
}
