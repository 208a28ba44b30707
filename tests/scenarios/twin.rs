//! A table that cannot be rolled back: watching may not change what an upgrade leaves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::replay::experiment::Experiment;
use mysql_rehearsal::replay::record::ExperimentKind;
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::seed;
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::fingerprint::{self, Depth};
use mysql_rehearsal::survey::read;
use mysql_rehearsal::survey::record::{Fingerprint, Survey};
use mysql_rehearsal::watch::record::ProbeKind;

/// The scenario with the table on MyISAM.
const TWIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/package-upgrade-deletes-everything-myisam");
/// Its upgrade, which is the story's own.
const UPGRADE: &str = "../package-upgrade-deletes-everything/upgrade.sql";
const ROWS: &[(&str, u64)] =
    &[("tracking", 200_000), ("posts", 5_000), ("votes", 3_000), ("users", 1_000), ("tags", 20), ("post_tags", 2_000)];

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("twin::a_watched_upgrade_of_myisam_leaves_what_the_stock_client_leaves_on_mysql", same_rows)]
}

fn same_rows() -> Result<(), Failed> {
    let cache = tempfile::Builder::new().prefix("rehearse-cache-").tempdir()?;
    let twin = Path::new(TWIN);
    let script = |name: &str, sandbox: &Instance| {
        let options = Options { variables: BTreeMap::new(), database: "app".to_owned(), flavor: sandbox.flavor() };
        Script::from_files(&[twin.join(name)], options)
    };
    let request = request(cache.path())?;
    let mut fill = |instance: &Instance| {
        seed::schema::run_file(instance, &script("schema.sql", instance)?, "app")?;
        let shape = survey(instance)?;
        let rows = ROWS.iter().map(|(table, rows)| (TableName::new("zdz", *table), *rows)).collect();
        seed::fill(instance, &shape, &rows, &Silent).map(|_| Vec::new())
    };
    let mut sandbox = Sandbox::prepare(&request, &mut fill, &Silent)
        .map_err(|error| format!("{error:#}\nThe trials need mysql:9.7: fixtures/servers/get mysql:9.7"))?;
    let instance = sandbox.instance().clone();
    let upgrade = script(UPGRADE, &instance)?;
    let watched = Experiment { loud: true, ..Experiment::quiet("watched", ExperimentKind::Upgrade, &upgrade, "app") };
    let seen = mysql_rehearsal::replay::run(&watched, &instance, &survey(&instance)?, &Silent)
        .map_err(|error| format!("{error:#}"))?;
    assert!(seen.completed);
    let delete = seen.observations.iter().find(|one| one.statement.name.as_deref() == Some("tracking-delete"));
    let delete = delete.ok_or("no tracking-delete")?;
    assert_eq!(delete.rows.affected, 200_000);
    for probe in [ProbeKind::Read, ProbeKind::Update] {
        let longest = delete.longest_blocked(|blocked| blocked.table.table == "tracking" && blocked.probe == probe);
        assert!(longest > delete.seconds / 2.0, "{probe:?}: {longest} s of {} s", delete.seconds);
    }
    let after_watching = print(&instance)?;

    sandbox.rewind(&Silent).map_err(|error| format!("{error:#}"))?;
    stock_client(sandbox.instance(), &twin.join(UPGRADE))?;
    let after_client = print(sandbox.instance())?;
    for (name, table) in &after_client.tables {
        let own = after_watching.tables.get(name).ok_or_else(|| format!("{name} is missing after watching"))?;
        assert_eq!((own.rows, own.checksum), (table.rows, table.checksum), "{name}: rows and checksum");
        assert_eq!(own.definition, table.definition, "{name}");
    }
    assert_eq!(after_watching.tables.len(), after_client.tables.len());
    Ok(())
}

fn request(cache: &Path) -> Result<Request, Failed> {
    Ok(Request {
        flavor: Some("mysql:9.7".parse()?),
        kind: Kind::Container,
        image: None,
        settings: BTreeMap::new(),
        cache: Some(cache.to_owned()),
        key: "twin".to_owned(),
        keep_cache: false,
    })
}

fn survey(instance: &Instance) -> anyhow::Result<Survey> {
    let options = read::Options { databases: vec!["zdz".to_owned()], ..read::Options::default() };
    read::survey(&mut instance.reader(Role::Surveyor)?, &options, &Silent)
}

fn print(instance: &Instance) -> Result<Fingerprint, Failed> {
    let mut reader = instance.reader(Role::Surveyor)?;
    Ok(fingerprint::take(&mut reader, &["zdz".to_owned()], Depth::Checksums, &Silent)?)
}

/// Runs a file as a person does, with the client that is installed.
fn stock_client(instance: &Instance, file: &Path) -> Result<(), Failed> {
    let Endpoint::Socket(socket) = &instance.address().endpoint else { return Err("no socket".into()) };
    let client = ["mariadb", "mysql"].iter().find_map(|name| {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|path| path.join(name))
            .find(|path: &PathBuf| path.exists())
    });
    let client = client.ok_or("The trials need the stock client: install mariadb-client or mysql-client.")?;
    let socket = fs::canonicalize(socket)?;
    let said = Command::new(client)
        .args(["--no-defaults", "--user=root", "--socket"])
        .arg(socket)
        .stdin(File::open(file)?)
        .output()?;
    if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned().into()) }
}
