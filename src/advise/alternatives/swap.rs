//! An empty table in place of a DELETE of every row: the old one stays as the undo.

use super::compose::{Composer, neighbour};
use super::ground::Ground;
use crate::advise::record::Alternative;
use crate::quantity::grouped;
use crate::sql::record::{Action, TableName};

/// How many ids the old table may give out between the reading of its counter and the RENAME, without the new one giving them
/// out again. Waiting for metadata locks is what takes long there.
const AHEAD: u64 = 10_000;

/// The alternative, eligible or refused with all its reasons.
pub fn swap(ground: &Ground<'_>) -> Alternative {
    let mut refused = ground.whole_table_refusals();
    refused.extend(ground.swap_refusals());
    let taken = |name: &TableName| ground.is_taken(name);
    let parked = neighbour(ground.table, "old", &ground.statement.id, taken);
    let fresh = neighbour(ground.table, "new", &ground.statement.id, taken);
    let eligible = refused.is_empty();
    let (actions, without_cure) = match (eligible, ground.counter()) {
        (false, _) => (Vec::new(), Vec::new()),
        (true, None) => (script(ground, &parked, &fresh, None), Vec::new()),
        (true, counter) => (script(ground, &parked, &fresh, counter), script(ground, &parked, &fresh, None)),
    };
    Alternative {
        id: "swap".to_owned(),
        statement: ground.statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title: "a swap with an empty table (the old one kept)".to_owned(),
        eligible,
        reason: (!eligible).then(|| refused.join("; ")),
        actions,
        without_cure,
        caveats: caveats(ground, &parked),
        expected_leftovers: if eligible { vec![parked] } else { Vec::new() },
        counters_ahead: if eligible && ahead(ground) > 0 {
            [(ground.table.clone(), ahead(ground))].into()
        } else {
            Default::default()
        },
    }
}

/// The counter is set before the swap, so that no row gets an id twice once the application sees the new table.
fn script(ground: &Ground<'_>, parked: &TableName, fresh: &TableName, counter: Option<&str>) -> Vec<Action> {
    let mut script = Composer::new(ground.statement, "swap");
    script.create_like(fresh, ground.table);
    if let Some(column) = counter {
        script.prepare_counter(ground.table, column, fresh, ahead(ground), ground.flavor);
        script.set_counter(fresh);
    }
    script.swap(ground.table, parked, fresh);
    script.actions()
}

/// How far the new table's counter begins above the old one's: nothing where the column would come near its end.
fn ahead(ground: &Ground<'_>) -> u64 {
    let Some(facts) = ground.facts else { return 0 };
    let column = facts.columns.iter().find(|column| column.auto_increment);
    // Unsigned columns have twice as much.
    let most: u64 = match column.map(|column| column.data_type.as_str()) {
        Some("mediumint") => 8_388_607,
        Some("int") => 2_147_483_647,
        Some("bigint") => i64::MAX as u64,
        _ => return 0,
    };
    let next = facts.auto_increment.unwrap_or(0).max(facts.rows);
    if next < most / 2 { AHEAD } else { 0 }
}

/// What becomes of ids that are given out while the tables change places.
fn ids(ground: &Ground<'_>) -> Option<String> {
    ground.counter()?;
    Some(match ahead(ground) {
        0 => "What is written until the RENAME goes into the old table; AUTO_INCREMENT values that it gave out after the new \
              table's counter was set are given out again there."
            .to_owned(),
        ahead => format!(
            "What is written until the RENAME goes into the old table. The new one's AUTO_INCREMENT begins {} higher, so that no \
             id which the old one gives out meanwhile is given out again; the ids in between stay unused.",
            grouped(ahead)
        ),
    })
}

fn caveats(ground: &Ground<'_>, parked: &TableName) -> Vec<String> {
    let mut caveats = vec![
        format!(
            "{parked} is the undo until the first write to the new table. After that, going back loses what was written \
             since, unless both are merged by hand."
        ),
        format!(
            "{parked} keeps its room on disk until it is dropped, on replicas too. Dropping a very large table is a step \
             of its own, because others wait while its file is unlinked."
        ),
        "The RENAME waits for every open transaction that has used the table, and everything else, reads too, waits \
         behind it: give it a low lock_wait_timeout and try again."
            .to_owned(),
        "Transactions that began before it fail with error 1412 when they next read the table (reports and backups too)."
            .to_owned(),
        "It needs ALTER and DROP on the table and CREATE and INSERT in its database, and each of its statements commits."
            .to_owned(),
        "Privileges go by name: they stay with the new table, and the kept one has none of its own.".to_owned(),
    ];
    caveats.extend(ids(ground));
    caveats.extend(checks(ground));
    caveats
}

/// What becomes of CHECK constraints in a table made by CREATE TABLE … LIKE.
pub fn checks(ground: &Ground<'_>) -> Option<String> {
    let named_check = ground.facts.is_some_and(|facts| facts.create.to_ascii_uppercase().contains(" CHECK ("));
    (named_check && !ground.flavor.is_mariadb())
        .then(|| "The CHECK constraints get names that the server makes up; their conditions stay the same.".to_owned())
}
