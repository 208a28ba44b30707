//! A schema read from its text, held against what real servers tell of the same schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::script::{self, Script};
use mysql_rehearsal::survey::read::{Options, survey};
use mysql_rehearsal::survey::record::{IndexFacts, Survey, TableFacts};
use mysql_rehearsal::survey::schema_text;

use super::servers::Servers;

const COMMON: &str = include_str!("../../fixtures/survey/common.sql");
const MYSQL: &str = include_str!("../../fixtures/survey/mysql.sql");
const MARIADB: &str = include_str!("../../fixtures/survey/mariadb.sql");
const RULES: &str = include_str!("../../src/advise/rules/schema.sql");

/// What the text cannot say: a primary key that a setting of the session added.
const KNOWN: &[&str] = &["keyless.columns: ", "keyless.indexes: "];

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let shared = Arc::clone(servers);
    let mysql = move || agrees(&shared, &shared.mysql()?);
    let shared = Arc::clone(servers);
    let mariadb = move || agrees(&shared, &shared.mariadb()?);
    vec![
        Trial::test("schema_text::a_schema_s_text_tells_what_the_server_tells_on_mysql", mysql),
        Trial::test("schema_text::a_schema_s_text_tells_what_the_server_tells_on_mariadb", mariadb),
    ]
}

fn agrees(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Keeper)?;
    writer.use_database(&database)?;
    let vendor = if instance.flavor().is_mariadb() { MARIADB } else { MYSQL };
    let schema = [COMMON, vendor, RULES].join("\n");
    writer.execute(&schema)?;
    let mut reader = instance.reader(Role::Surveyor)?;
    let told = survey(&mut reader, &Options { databases: vec![database.clone()], ..Options::default() }, &Silent)?;
    let dump: String = told.tables.values().map(|table| format!("{};\n", table.create)).collect();
    let read = |text: &str| {
        let options =
            script::Options { variables: BTreeMap::new(), database: database.clone(), flavor: instance.flavor() };
        schema_text::read(&Script::from_text("schema.sql", text, options), instance.flavor())
    };
    let mut differences = differ(&told, &read(&dump)?, "");
    differences.extend(differ(&told, &read(&schema)?, " written"));
    let written = read(&schema)?;
    let objects = |survey: &Survey| {
        let triggers =
            survey.triggers.iter().map(|(name, one)| format!("{name} {} {} {:?}", one.timing, one.event, one.touches));
        let views = survey.views.keys().map(ToString::to_string);
        triggers.chain(views).collect::<Vec<_>>()
    };
    assert_eq!(objects(&written), objects(&told), "triggers and views");
    differences.retain(|line| !(line.ends_with(" written") && KNOWN.iter().any(|known| line.starts_with(known))));
    assert!(differences.is_empty(), "{}:\n{}", instance.flavor(), differences.join("\n"));
    Ok(())
}

fn differ(told: &Survey, read: &Survey, which: &str) -> Vec<String> {
    let mut lines: Vec<String> = read.gaps.iter().map(|gap| format!("gap: {gap}{which}")).collect();
    for (name, server) in &told.tables {
        match read.tables.get(name) {
            Some(text) => {
                lines.extend(tables(server, text).into_iter().map(|line| format!("{}.{line}{which}", name.table)))
            }
            None => lines.push(format!("{} is missing{which}", name.table)),
        }
    }
    lines.extend(
        read.tables
            .keys()
            .filter(|name| !told.tables.contains_key(name))
            .map(|name| format!("{name} is made up{which}")),
    );
    lines
}

fn tables(server: &TableFacts, text: &TableFacts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, server: String, text: String| {
        if server != text {
            lines.push(format!("{what}: the server says {server}, the text {text}"));
        }
    };
    differ("engine", server.engine.to_lowercase(), text.engine.to_lowercase());
    let names = |facts: &TableFacts| format!("{:?}", facts.columns.iter().map(|one| &one.name).collect::<Vec<_>>());
    differ("columns", names(server), names(text));
    for column in &server.columns {
        let Some(own) = text.column(&column.name) else { continue };
        differ(
            &column.name,
            format!("{} {}", column.data_type, column.column_type),
            format!("{} {}", own.data_type, own.column_type),
        );
        let flags = |one: &mysql_rehearsal::survey::record::ColumnFacts| {
            format!(
                "null {} auto {} generated {} invisible {} length {:?} precision {:?} scale {:?}",
                one.nullable,
                one.auto_increment,
                one.generated.is_some(),
                one.invisible,
                one.length,
                one.precision,
                one.scale
            )
        };
        differ(&column.name, flags(column), flags(own));
        if own.charset.is_some() {
            differ(&column.name, format!("{:?}", column.charset), format!("{:?}", own.charset));
        }
    }
    let keys = |facts: &TableFacts| {
        let index = |one: &IndexFacts| {
            let parts: Vec<_> =
                one.columns.iter().map(|part| (&part.name, part.prefix, part.expression.is_some())).collect();
            format!("{} {} {} {parts:?}", one.name, one.unique, one.kind)
        };
        facts.indexes.iter().map(index).collect::<Vec<_>>()
    };
    differ("indexes", format!("{:?}", keys(server)), format!("{:?}", keys(text)));
    differ("foreign keys", format!("{:?}", server.foreign_keys), format!("{:?}", text.foreign_keys));
    let partitions = |facts: &TableFacts| {
        facts.partitions.iter().map(|one| format!("{} {}", one.name, one.method)).collect::<Vec<_>>().join(", ")
    };
    differ("partitions", partitions(server), partitions(text));
    lines
}
