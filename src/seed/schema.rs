//! Definitions onto a server: a schema file as people wrote it, or everything that a survey holds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::Writer;
use crate::sql::record::{Action, Kind, Reading, Statement, TableName, quote_identifier, quote_text};
use crate::sql::script::Script;
use crate::survey::record::Survey;

use super::session;
use super::standing::Standing;

/// Creates `database` (when the server does not have it) and runs a schema file in it.
///
/// # Errors
/// Names the statement's file and line and gives the server's words.
pub fn run_file(instance: &Instance, script: &Script, database: &str) -> Result<()> {
    run_some(instance, script, database, |_| true)
}

/// Runs those statements of a schema file again that put rows into `tables` alone (settings, codes, a first user), with
/// what sets up their session. For after [`fill`](super::fill), which creates every table anew.
///
/// # Errors
/// As [`run_file`].
pub fn run_rows(instance: &Instance, script: &Script, database: &str, tables: &BTreeSet<TableName>) -> Result<()> {
    run_some(instance, script, database, |statement| {
        let Reading { kind, effect, .. } = &statement.reading;
        match kind {
            Kind::Use | Kind::Set => true,
            kind => kind.is_dml() && !effect.writes.is_empty() && effect.writes.is_subset(tables),
        }
    })
}

fn run_some(instance: &Instance, script: &Script, database: &str, wanted: impl Fn(&Statement) -> bool) -> Result<()> {
    let mut writer = instance.writer(Role::Seeder).context("cannot open a session to create the schema")?;
    let mut standing =
        Standing::make(&mut writer, database).with_context(|| format!("cannot create the database {database}"))?;
    // Tables may stand before the tables that they refer to.
    writer.execute("SET SESSION foreign_key_checks = 0").context("cannot prepare the session for the schema")?;
    for action in script.actions()? {
        let statement = match action? {
            Action::Once(statement) => statement,
            Action::Walk(walk) => bail!("{}: a schema cannot walk a table", walk.statement.origin),
        };
        if !wanted(&statement) {
            continue;
        }
        standing.run(&mut writer, &statement.text).with_context(|| {
            format!("{}: cannot run the schema's statement {}", statement.origin, statement.label())
        })?;
    }
    Ok(())
}

/// Drops the survey's databases and creates them anew with all they hold but rows.
///
/// # Errors
/// Names the object whose definition the server refuses.
pub fn create(instance: &Instance, survey: &Survey) -> Result<()> {
    let mut writer = session::open(instance)?;
    create_databases(&mut writer, survey)?;
    for (name, table) in &survey.tables {
        writer.use_database(&name.database).with_context(|| format!("cannot use the database {}", name.database))?;
        writer.execute(&table.create).with_context(|| format!("cannot create the table {name}"))?;
    }
    create_programs(&mut writer, survey)
}

/// Drops the survey's databases and creates them empty.
pub(super) fn create_databases(writer: &mut Writer, survey: &Survey) -> Result<()> {
    let mut databases: BTreeMap<&str, Option<&str>> =
        survey.databases.iter().map(|(name, create)| (name.as_str(), Some(create.as_str()))).collect();
    for name in survey.tables.keys() {
        databases.entry(&name.database).or_insert(None);
    }
    for (name, create) in databases {
        let quoted = quote_identifier(name);
        writer
            .execute(&format!("DROP DATABASE IF EXISTS {quoted}"))
            .with_context(|| format!("cannot drop the database {name}"))?;
        let create = create.filter(|create| !create.trim().is_empty()).map(str::to_owned);
        writer
            .execute(&create.unwrap_or_else(|| format!("CREATE DATABASE {quoted}")))
            .with_context(|| format!("cannot create the database {name}"))?;
    }
    Ok(())
}

/// Creates what runs or reads: routines and events, views, and triggers last, so that no load ever fires them.
pub(super) fn create_programs(writer: &mut Writer, survey: &Survey) -> Result<()> {
    let definitions = survey.routines.values().chain(survey.views.values());
    create_definers(writer, definitions.chain(survey.triggers.values().map(|trigger| &trigger.create)))?;
    // Functions and views may name each other, so whatever fails waits for the next round.
    let waiting: Vec<(&TableName, &String, &str)> = survey
        .routines
        .iter()
        .map(|(name, create)| (name, create, "routine or event"))
        .chain(survey.views.iter().map(|(name, create)| (name, create, "view")))
        .collect();
    in_any_order(writer, waiting)?;
    for (name, trigger) in &survey.triggers {
        run_in(writer, &trigger.table.database, &trigger.create, Some(&trigger.sql_mode))
            .with_context(|| format!("cannot create the trigger {name}"))?;
    }
    Ok(())
}

fn in_any_order(writer: &mut Writer, mut waiting: Vec<(&TableName, &String, &str)>) -> Result<()> {
    while !waiting.is_empty() {
        let mut failed = Vec::new();
        let mut first = None;
        let before = waiting.len();
        for (name, create, what) in waiting {
            if let Err(fault) = run_in(writer, &name.database, create, None) {
                if fault.is_connection_lost() {
                    return Err(fault).with_context(|| format!("cannot create the {what} {name}"));
                }
                first.get_or_insert((fault, format!("cannot create the {what} {name}")));
                failed.push((name, create, what));
            }
        }
        if let (true, Some((fault, what))) = (failed.len() == before, first) {
            return Err(fault).context(what);
        }
        waiting = failed;
    }
    Ok(())
}

/// Runs a definition in its database under its own `sql_mode`, and puts ours back.
fn run_in(writer: &mut Writer, database: &str, create: &str, mode: Option<&str>) -> Result<(), Fault> {
    writer.use_database(database)?;
    if let Some(mode) = mode {
        writer.execute(&format!("SET SESSION sql_mode = {}", quote_text(mode)))?;
    }
    let done = writer.execute(create).map(drop);
    if mode.is_some() {
        writer.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")?;
    }
    done
}

fn create_definers<'a>(writer: &mut Writer, definitions: impl Iterator<Item = &'a String>) -> Result<()> {
    let accounts: BTreeSet<String> = definitions.filter_map(|create| definer(create)).collect();
    accounts.iter().try_for_each(|account| create_definer(writer, account))
}

/// Views and programs run with the rights of their definer, so a definer that the server lacks is created, locked and
/// with all rights: which rights it has in production is not known, and missing ones would only stop the rehearsal.
pub(super) fn create_definer(writer: &mut Writer, account: &str) -> Result<()> {
    let create = |lock: &str| format!("CREATE USER IF NOT EXISTS {account}{lock}");
    // MariaDB before 10.4 cannot lock an account.
    let created = writer.execute(&create(" ACCOUNT LOCK")).or_else(|_| writer.execute(&create("")));
    let granted = created.and_then(|_| writer.execute(&format!("GRANT ALL PRIVILEGES ON *.* TO {account}")));
    granted.map(drop).with_context(|| format!("cannot create the definer {account}"))
}

/// The account in `` DEFINER=`user`@`host` ``, as written; none for a role or for `root`.
pub(super) fn definer(create: &str) -> Option<String> {
    let (_, rest) = create.split_once("DEFINER=`")?;
    let (user, rest) = rest.split_once("`@`")?;
    let (host, _) = rest.split_once('`')?;
    (!user.contains('`') && user != "root" && !user.starts_with("mysql.") && user != "mariadb.sys")
        .then(|| format!("`{user}`@`{host}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definer_is_read_from_the_definition() {
        let create = "CREATE ALGORITHM=UNDEFINED DEFINER=`app`@`10.%` SQL SECURITY DEFINER VIEW `v` AS select 1";
        assert_eq!(definer(create).as_deref(), Some("`app`@`10.%`"));
        assert_eq!(definer("CREATE DEFINER=`root`@`localhost` TRIGGER `x`"), None);
        assert_eq!(definer("CREATE TRIGGER x"), None);
    }
}
