//! Which rows differ between two states of a table.

use std::collections::BTreeSet;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::replay::differing::{Ranges, places};
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::survey::read;

use super::replay::Bench;
use super::servers::Servers;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let (mysql, mariadb) = (Arc::clone(servers), Arc::clone(servers));
    vec![
        Trial::test("differing::rows_that_differ_are_counted_and_named_on_mysql", move || {
            named(&mysql, mysql.mysql()?)
        }),
        Trial::test("differing::rows_that_differ_are_counted_and_named_on_mariadb", move || {
            named(&mariadb, mariadb.mariadb()?)
        }),
    ]
}

fn named(servers: &Servers, instance: Instance) -> Result<(), Failed> {
    let bench = Bench::new(servers, instance)?;
    bench.table("t", "InnoDB", 25_000)?;
    let mut reader = bench.instance.reader(Role::Surveyor)?;
    let options = read::Options { databases: vec![bench.database.clone()], ..read::Options::default() };
    let survey = read::survey(&mut reader, &options, &Silent)?;
    let name = TableName::new(bench.database.clone(), "t");
    let facts = survey.tables.get(&name).ok_or("no table")?;
    let ranges = Ranges::cut(&mut reader, &name, facts)?.ok_or("no ranges")?;
    let before = ranges.sums(&mut reader)?;
    assert_eq!(before.len(), 3, "{before:?}");
    assert!(before[2].starts_with("5000:"), "{before:?}");
    let rows = ranges.rows(&mut reader, &[0, 1, 2])?;
    assert_eq!(rows.len(), 25_000);

    bench.execute("UPDATE t SET hits = hits + 1, url = UPPER(url) WHERE id IN (9, 24999)")?;
    bench.execute("UPDATE t SET user_id = -1 WHERE id = 10")?;
    bench.execute("DELETE FROM t WHERE id IN (7)")?;
    bench.execute("INSERT INTO t (id, user_id) VALUES (30001, 1)")?;
    let after = ranges.sums(&mut reader)?;
    let found = places(&before, &after);
    assert_eq!(found, [0, 2], "the range between is the same");
    let now = ranges.rows(&mut reader, &found)?;
    let original =
        rows.into_iter().filter(|(key, _)| key.parse::<u64>().is_ok_and(|id| !(10_001..=20_000).contains(&id)));
    let original = original.collect();
    let told = ranges.told(&found, &original, &now, &BTreeSet::new());
    assert_eq!(
        told,
        [
            format!("{name}: 3 rows with other values in hits, url, user_id: id 9, 10, 24999"),
            format!("{name}: 1 row missing: id 7"),
            format!("{name}: 1 row there besides: id 30001"),
        ]
    );
    let excluded = BTreeSet::from([format!("{name}.hits"), format!("{name}.url")]);
    let told = ranges.told(&found, &original, &now, &excluded);
    assert_eq!(told[0], format!("{name}: 1 row with other values in user_id: id 10"));
    Ok(())
}
