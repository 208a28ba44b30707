//! An empty table in place of a DELETE of every row: the old one stays as the undo.

use super::compose::{Composer, neighbour};
use super::ground::{Ground, listed};
use crate::advise::record::Alternative;
use crate::sql::record::{Action, TableName};

/// The alternative, eligible or refused with all its reasons.
pub fn swap(ground: &Ground<'_>) -> Alternative {
    let refused = refusals(ground);
    let taken = |name: &TableName| {
        ground
            .survey
            .tables
            .keys()
            .chain(ground.survey.views.keys())
            .any(|known| known.database == name.database && known.table.eq_ignore_ascii_case(&name.table))
    };
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
        title: "a swap with an empty table (the old one kept)".to_owned(),
        eligible,
        reason: (!eligible).then(|| refused.join("; ")),
        actions,
        without_cure,
        caveats: caveats(ground, &parked),
        expected_leftovers: if eligible { vec![parked] } else { Vec::new() },
    }
}

/// The counter is set before the swap, so that no row gets an id twice once the application sees the new table.
fn script(ground: &Ground<'_>, parked: &TableName, fresh: &TableName, counter: Option<&str>) -> Vec<Action> {
    let mut script = Composer::new(ground.statement, "swap");
    script.create_like(fresh, ground.table);
    if let Some(column) = counter {
        script.prepare_counter(ground.table, column, fresh, ground.flavor);
        script.set_counter(fresh);
    }
    script.swap(ground.table, parked, fresh);
    script.actions()
}

fn refusals(ground: &Ground<'_>) -> Vec<String> {
    let mut reasons = ground.whole_table_refusals();
    let children = ground.children();
    if !children.is_empty() {
        // Measured on both vendors, with foreign_key_checks 0 and 1 alike.
        reasons.push(format!("foreign keys that refer to the table would follow the old one: {}", listed(&children)));
    }
    let own: Vec<_> =
        ground.facts.map_or(&[][..], |facts| &facts.foreign_keys).iter().map(|key| key.name.clone()).collect();
    if !own.is_empty() {
        reasons.push(format!("CREATE TABLE … LIKE leaves out the table's own foreign keys: {}", listed(&own)));
    }
    let triggers: Vec<_> = ground.triggers().map(|(name, _)| name.table.clone()).collect();
    if !triggers.is_empty() {
        reasons.push(format!("the table's triggers would go with the old one: {}", listed(&triggers)));
    }
    reasons
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
        "What is written until the RENAME goes into the old table.".to_owned(),
        "The RENAME waits for every open transaction that has used the table, and everything else, reads too, waits \
         behind it: give it a low lock_wait_timeout and try again."
            .to_owned(),
        "Transactions that began before it fail with error 1412 when they next read the table (reports and backups too)."
            .to_owned(),
        "It needs ALTER and DROP on the table and CREATE and INSERT in its database, and each of its statements commits."
            .to_owned(),
        "Privileges go by name: they stay with the new table, and the kept one has none of its own.".to_owned(),
    ];
    let named_check = ground.facts.is_some_and(|facts| facts.create.to_ascii_uppercase().contains(" CHECK ("));
    if named_check && !ground.flavor.is_mariadb() {
        caveats.push(
            "The CHECK constraints get names that the server makes up; their conditions stay the same.".to_owned(),
        );
    }
    caveats
}
