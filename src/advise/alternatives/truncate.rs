//! TRUNCATE in place of a DELETE of every row.

use super::compose::Composer;
use super::ground::{Ground, listed};
use crate::advise::record::Alternative;

/// The alternative, eligible or refused with all its reasons.
pub fn truncate(ground: &Ground<'_>) -> Alternative {
    let refused = refusals(ground);
    let counter = ground.counter();
    let title = if counter.is_some() { "TRUNCATE with AUTO_INCREMENT put back" } else { "TRUNCATE" };
    let mut bare = Composer::new(ground.statement, "truncate");
    bare.truncate(ground.table);
    let (actions, without_cure) = if !refused.is_empty() {
        (Vec::new(), Vec::new())
    } else if let Some(column) = counter {
        let mut cured = Composer::new(ground.statement, "truncate");
        cured.prepare_counter(ground.table, column, ground.table, 0, ground.flavor);
        cured.truncate(ground.table);
        cured.set_counter(ground.table);
        (cured.actions(), bare.actions())
    } else {
        (bare.actions(), Vec::new())
    };
    Alternative {
        id: "truncate".to_owned(),
        statement: ground.statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title: title.to_owned(),
        eligible: refused.is_empty(),
        reason: (!refused.is_empty()).then(|| refused.join("; ")),
        actions,
        without_cure,
        caveats: caveats(counter.is_some()),
        expected_leftovers: Vec::new(),
        counters_ahead: Default::default(),
    }
}

fn refusals(ground: &Ground<'_>) -> Vec<String> {
    let mut reasons = ground.whole_table_refusals();
    let children = ground.children();
    if !children.is_empty() {
        // Error 1701; a table's foreign key to itself does not count (measured on both vendors).
        reasons.push(format!("the server refuses it, because foreign keys refer to the table: {}", listed(&children)));
    }
    let fire = |event: &str| event.eq_ignore_ascii_case("delete");
    let triggers: Vec<_> =
        ground.triggers().filter(|(_, trigger)| fire(&trigger.event)).map(|(name, _)| name.table.clone()).collect();
    if !triggers.is_empty() {
        reasons.push(format!("DELETE triggers would not fire: {}", listed(&triggers)));
    }
    reasons
}

fn caveats(counts_up: bool) -> Vec<String> {
    let mut caveats = vec![
        "There is no undo: it commits by itself, cannot be rolled back and keeps no row. Only a backup brings rows back."
            .to_owned(),
        "It needs the DROP privilege, where DELETE needed only DELETE.".to_owned(),
        "It waits for every open transaction that has used the table, and everything else, reads too, waits behind it: \
         give it a low lock_wait_timeout and try again."
            .to_owned(),
        "Transactions that began before it fail with error 1412 when they next read the table (reports and backups too)."
            .to_owned(),
        "It is replicated as one statement, so whatever follows the deleted rows in the binary log sees none.".to_owned(),
    ];
    if counts_up {
        caveats.push(
            "It starts AUTO_INCREMENT again at 1, and ids given out twice corrupt whatever remembers the old ones. The \
             script puts the value back right after it; rows inserted in the moment between get low ids, and if the \
             script is cut off there, the ALTER must be run by hand."
                .to_owned(),
        );
    }
    caveats
}
