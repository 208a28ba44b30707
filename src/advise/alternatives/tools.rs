//! Command lines of the online copy tools, for an ALTER that copies: written out, not run.

use super::alter::{is_odd, parts, target};
use super::ground::listed;
use crate::advise::record::Alternative;
use crate::server::flavor::Flavor;
use crate::sql::record::{AlterClass, Statement, TableName};
use crate::survey::record::{Survey, TableFacts};

/// What stands against a tool, or what it needs besides.
struct Table<'a> {
    facts: &'a TableFacts,
    children: Vec<String>,
    triggers: Vec<String>,
    flavor: Flavor,
    row_based: bool,
    clauses: String,
    name: &'a TableName,
}

/// The tools for this statement, each with its command or with what speaks against it; none where its clauses cannot be
/// told.
pub fn tools(statement: &Statement, survey: &Survey, flavor: Flavor) -> Option<Alternative> {
    let (name, facts) = target(statement, survey)?;
    let clauses = parts(statement, name).ok().filter(|clauses| !clauses.iter().any(is_odd))?;
    let children = survey.tables.iter().filter(|(_, other)| other.foreign_keys.iter().any(|key| key.parent == *name));
    let format = survey.server.settings.get("binlog_format");
    let table = Table {
        facts,
        children: children.map(|(name, _)| name.to_string()).collect(),
        triggers: survey
            .triggers
            .iter()
            .filter(|(_, trigger)| trigger.table == *name)
            .map(|(name, _)| name.table.clone())
            .collect(),
        flavor,
        row_based: format.is_none_or(|format| format.eq_ignore_ascii_case("row")),
        clauses: clauses.iter().map(|clause| clause.text.as_str()).collect::<Vec<_>>().join(", "),
        name,
    };
    let drops_key = clauses.iter().any(|clause| clause.class == AlterClass::DropPrimaryKey);
    let mut commands = Vec::new();
    let mut caveats = Vec::new();
    let tools: [(&str, Vec<String>, String); 3] = [
        ("gh-ost", gh_ost_refusals(&table), gh_ost(&table)),
        ("Spirit", spirit_refusals(&table), spirit(&table)),
        ("pt-online-schema-change", pt_osc_refusals(&table), pt_osc(&table)),
    ];
    for (tool, mut refusals, command) in tools {
        if drops_key {
            refusals.push("the primary key that it walks is dropped".to_owned());
        }
        if refusals.is_empty() {
            commands.push(command)
        } else {
            caveats.push(format!("{tool}: {}.", listed(&refusals)))
        }
    }
    caveats.push(
        "Each copies the table beside the application, which takes longer than the ALTER and needs room for a second copy; \
         the swap at its end waits for open transactions like any other. Set HOST and USER; a password is asked for, or \
         taken from MYSQL_PWD."
            .to_owned(),
    );
    caveats.push("None of them was rehearsed here: try the command on a copy first.".to_owned());
    Some(Alternative {
        id: "online-copy".to_owned(),
        statement: statement.id.clone(),
        also: Vec::new(),
        title: "an online copy by gh-ost, Spirit or pt-online-schema-change".to_owned(),
        eligible: false,
        reason: Some(if commands.is_empty() {
            "none of the tools can take this table".to_owned()
        } else {
            "it is run by its own tool, from a shell".to_owned()
        }),
        actions: Vec::new(),
        commands,
        without_cure: Vec::new(),
        caveats,
        expected_leftovers: Vec::new(),
        counters_ahead: Default::default(),
    })
}

fn gh_ost_refusals(table: &Table<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if table.flavor.is_mariadb() {
        reasons.push("it is made for MySQL's binary log, MariaDB is not supported".to_owned());
    }
    reasons.extend(keyless(table.facts));
    if !table.row_based {
        reasons.push("it needs binlog_format=ROW".to_owned());
    }
    if !table.children.is_empty() || !table.facts.foreign_keys.is_empty() {
        reasons.push("it takes no table with foreign keys, its own or others' to it".to_owned());
    }
    reasons.extend(triggered(table));
    reasons
}

fn gh_ost(table: &Table<'_>) -> String {
    format!(
        "gh-ost --host=HOST --user=USER --ask-pass --database={} --table={} --alter={} --allow-on-master \
         --max-load=Threads_running=25 --max-lag-millis=1500 --cut-over-lock-timeout-seconds=3 --execute",
        shell(&table.name.database),
        shell(&table.name.table),
        shell(&table.clauses)
    )
}

fn spirit_refusals(table: &Table<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if !table.flavor.at_least_mysql(8, 0, 0) {
        reasons.push("it is made for MySQL 8.0 and later".to_owned());
    }
    if table.facts.primary_key().is_empty() {
        reasons.push("it walks a primary key, and there is none".to_owned());
    }
    if !table.children.is_empty() || !table.facts.foreign_keys.is_empty() {
        reasons.push("it takes no table with foreign keys".to_owned());
    }
    reasons.extend(triggered(table));
    reasons
}

fn spirit(table: &Table<'_>) -> String {
    format!(
        "spirit migrate --host=HOST:3306 --username=USER --password=\"$MYSQL_PWD\" --database={} --table={} --alter={} \
         --lock-wait-timeout=5s --target-chunk-time=500ms",
        shell(&table.name.database),
        shell(&table.name.table),
        shell(&table.clauses)
    )
}

fn pt_osc_refusals(table: &Table<'_>) -> Vec<String> {
    keyless(table.facts).into_iter().collect()
}

fn pt_osc(table: &Table<'_>) -> String {
    let children = if table.children.is_empty() { "" } else { " --alter-foreign-keys-method=rebuild_constraints" };
    let triggers = if table.triggers.is_empty() { "" } else { " --preserve-triggers" };
    format!(
        "pt-online-schema-change --alter {}{children}{triggers} --set-vars lock_wait_timeout=2 --chunk-time 0.5 \
         --max-load Threads_running=25 --ask-pass --execute {}",
        shell(&table.clauses),
        shell(&format!("h=HOST,u=USER,D={},t={}", table.name.database, table.name.table))
    )
}

fn keyless(facts: &TableFacts) -> Option<String> {
    let whole = |column: &str| facts.column(column).is_some_and(|column| !column.nullable);
    let fit = facts.indexes.iter().any(|index| index.unique && index.columns.iter().all(|part| whole(&part.name)));
    (!fit).then(|| "it needs a primary key, or a unique one without NULLs".to_owned())
}

fn triggered(table: &Table<'_>) -> Option<String> {
    (!table.triggers.is_empty()).then(|| format!("it takes no table with triggers ({})", listed(&table.triggers)))
}

/// A word for a POSIX shell.
fn shell(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.,=".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::tools;
    use crate::advise::specimen::{flavor, mariadb, shop, statement, survey, trigger};

    #[test]
    fn each_tool_gets_its_command_or_what_speaks_against_it() {
        let text = "ALTER TABLE page_views MODIFY url varchar(9) DEFAULT 'it''s'";
        let own = tools(&statement(7, text), &survey(), flavor()).expect("the tools");
        assert_eq!(own.commands.len(), 3);
        assert!(!own.eligible && own.actions.is_empty());
        let quoted = r"'MODIFY url varchar(9) DEFAULT '\''it'\'''\''s'\'''";
        assert!(own.commands.iter().all(|command| command.contains(quoted)), "{:#?}", own.commands);
        assert!(own.commands[2].ends_with("h=HOST,u=USER,D=shop,t=page_views"));

        let maria = tools(&statement(7, text), &survey(), mariadb()).expect("the tools");
        assert_eq!(maria.commands.len(), 1, "only pt-online-schema-change knows MariaDB");
        let parent = tools(&statement(7, "ALTER TABLE customers MODIFY note varchar(9)"), &survey(), flavor());
        let parent = parent.expect("the tools");
        assert!(parent.commands.len() == 1 && parent.commands[0].contains("--alter-foreign-keys-method"));
        let mut triggered = survey();
        triggered.triggers.insert(shop("page_views_ai"), trigger("INSERT"));
        let own = tools(&statement(7, text), &triggered, flavor()).expect("the tools");
        assert!(own.commands.len() == 1 && own.commands[0].contains("--preserve-triggers"));
        assert!(own.caveats[0].contains("page_views_ai"), "{:?}", own.caveats);
        assert!(tools(&statement(7, "ALTER TABLE nowhere FORCE"), &survey(), flavor()).is_none());
    }
}
