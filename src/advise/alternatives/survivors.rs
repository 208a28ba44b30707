//! A copy of the rows that a DELETE leaves, swapped for the table: where most rows go, the smaller part of the work.
//!
//! What others write while it copies would be lost at the swap (measured on both vendors), so it needs a guard. On MySQL
//! 8.0.13 and later that is LOCK TABLES: RENAME keeps to it, and writers that queued behind it go on with the new table.
//! MariaDB refuses RENAME under LOCK TABLES (error 1192), and its own way, two ALTER … RENAME, gives every writer that
//! waited error 1146 (measured on 10.11): there it is not offered.

use super::compose::{Composer, neighbour};
use super::condition;
use super::ground::Ground;
use super::swap;
use super::words::{Word, words};
use crate::advise::record::Alternative;
use crate::quantity::grouped;
use crate::sql::record::{Action, TableName};

/// The alternative, eligible or refused with all its reasons.
pub fn survivors(ground: &Ground<'_>) -> Alternative {
    let mut reasons = refusals(ground);
    let condition = match words(&ground.statement.text) {
        Ok(words) => {
            reasons.extend(condition::refusals(ground, &words));
            condition_of(ground, &words).map_err(|why| reasons.push(why)).ok()
        }
        Err(why) => {
            reasons.push(format!("its text cannot be cut: {why}"));
            None
        }
    };
    let taken = |name: &TableName| ground.is_taken(name);
    let parked = neighbour(ground.table, "old", &ground.statement.id, taken);
    let fresh = neighbour(ground.table, "new", &ground.statement.id, taken);
    let script = match condition {
        Some(condition) if reasons.is_empty() => {
            let with = |counter| script(ground, &parked, &fresh, &condition, counter);
            let counter = ground.counter();
            Some((with(counter), counter.map(|_| with(None)).unwrap_or_default()))
        }
        _ => None,
    };
    let eligible = script.is_some();
    let (actions, without_cure) = script.unwrap_or_default();
    Alternative {
        id: "survivors".to_owned(),
        statement: ground.statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title: "a copy of the rows that stay, swapped for the table (the old one kept)".to_owned(),
        eligible,
        reason: (!eligible).then(|| reasons.join("; ")),
        actions,
        without_cure,
        caveats: caveats(ground, &parked),
        expected_leftovers: if eligible { vec![parked] } else { Vec::new() },
        counters_ahead: Default::default(),
    }
}

fn script(
    ground: &Ground<'_>,
    parked: &TableName,
    fresh: &TableName,
    condition: &str,
    counter: Option<&str>,
) -> Vec<Action> {
    let columns = ground.facts.map(|facts| facts.columns.as_slice()).unwrap_or_default();
    // Listed, for `SELECT *` leaves invisible columns out, and generated ones cannot be written.
    let columns: Vec<&str> =
        columns.iter().filter(|column| column.generated.is_none()).map(|column| column.name.as_str()).collect();
    let mut script = Composer::new(ground.statement, "survivors");
    script.create_like(fresh, ground.table);
    script.copying_mode();
    script.lock(&[ground.table, fresh]);
    script.copy_survivors(ground.table, fresh, &columns, condition);
    if let Some(column) = counter {
        // Under the lock: no id is given out between this look and the swap.
        script.prepare_counter(ground.table, column, fresh, 0, ground.flavor);
        script.set_counter(fresh);
    }
    script.swap(ground.table, parked, fresh);
    script.unlock();
    script.restore_mode();
    script.actions()
}

fn refusals(ground: &Ground<'_>) -> Vec<String> {
    let mut reasons = ground.refusals();
    reasons.extend(ground.engine_refusals());
    reasons.extend(ground.swap_refusals());
    if ground.statement.reading.effect.has_limit {
        reasons.push("it has a LIMIT, so its condition does not tell which rows stay".to_owned());
    }
    if ground.flavor.is_mariadb() {
        reasons.push(
            "what is written while it copies would be lost: MariaDB has no RENAME under LOCK TABLES (error 1192), and \
             without that lock the copy is not guarded"
                .to_owned(),
        );
    } else if !ground.flavor.at_least_mysql(8, 0, 13) {
        reasons.push("it needs RENAME TABLE under LOCK TABLES, which MySQL has from 8.0.13 on".to_owned());
    }
    if let (Some(seen), Some(facts)) = (ground.observed, ground.facts)
        && seen.rows.affected.saturating_mul(2) < facts.rows
    {
        reasons.push(format!(
            "it removes {} of {} rows: more would be copied than it removes",
            grouped(seen.rows.affected),
            grouped(facts.rows)
        ));
    }
    reasons
}

/// The condition, where the statement is `DELETE FROM table WHERE condition` and no more.
fn condition_of(ground: &Ground<'_>, all: &[Word<'_>]) -> Result<String, String> {
    let (head, condition) = condition::cut(ground, all)?;
    let condition = condition.ok_or("it has no condition")?;
    if all.iter().any(|word| word.is("SELECT")) {
        return Err("its condition has a subquery, whose tables LOCK TABLES would have to hold as well".to_owned());
    }
    let head = words(&head)?;
    let (modifiers, factor): (Vec<&Word<'_>>, Vec<&Word<'_>>) =
        head.iter().partition(|word| ["DELETE", "LOW_PRIORITY", "QUICK", "FROM"].iter().any(|own| word.is(own)));
    let names: Vec<String> = factor.iter().filter(|word| !word.is_symbol(".")).filter_map(|word| word.name()).collect();
    let (table, database) = (&ground.table.table, &ground.table.database);
    let is_plain = match names.as_slice() {
        [name] => name.eq_ignore_ascii_case(table) && factor.len() == 1,
        [first, name] => first.eq_ignore_ascii_case(database) && name.eq_ignore_ascii_case(table) && factor.len() == 3,
        _ => false,
    };
    if !is_plain || modifiers.is_empty() {
        return Err("it says more of its table than the name (IGNORE, an alias, a partition)".to_owned());
    }
    Ok(condition)
}

fn caveats(ground: &Ground<'_>, parked: &TableName) -> Vec<String> {
    let mut caveats = vec![
        "Reads and writes of the table wait while it copies: LOCK TABLES is what keeps their rows from being lost. Batches \
         take longer and block nothing."
            .to_owned(),
        format!(
            "{parked} is the undo until the first write to the new table. After that, going back loses what was changed \
             since, unless both are merged by hand."
        ),
        format!(
            "{parked} keeps its room on disk until it is dropped, on replicas too, and the rows that stay are there twice \
             until then. Dropping a very large table is a step of its own, because others wait while its file is unlinked."
        ),
        "LOCK TABLES waits for every open transaction that has used the table, and everything else waits behind it: give it \
         a low lock_wait_timeout and try again. Transactions that began before the swap fail with error 1412 when they next \
         read the table (reports and backups too)."
            .to_owned(),
        "It needs LOCK TABLES, ALTER and DROP on the table and CREATE and INSERT in its database. Cut off before the swap, \
         it leaves the table as it was, and the new one to be dropped."
            .to_owned(),
        "Privileges go by name: they stay with the new table, and the kept one has none of its own.".to_owned(),
    ];
    caveats.extend(swap::checks(ground));
    caveats
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use crate::advise::record::Alternative;
    use crate::advise::specimen::{flavor, mariadb, observation, shop, statement, survey, trigger};
    use crate::server::flavor::Flavor;
    use crate::survey::record::Survey;

    fn survivors(text: &str, affected: u64, survey: &Survey, flavor: Flavor) -> Alternative {
        let statement = statement(7, text);
        let seen = observation(statement.clone(), affected, 64.0);
        of(&statement, Some(&seen), survey, flavor)
            .into_iter()
            .find(|own| own.id == "survivors")
            .expect("the survivors")
    }

    #[test]
    fn what_stays_is_copied_under_a_lock_with_nulls_and_every_stored_column() {
        let mut survey = survey();
        let views = survey.tables.get_mut(&shop("page_views")).expect("a table");
        views.columns[2].generated = Some("upper(`id`)".to_owned());
        views.columns[3].invisible = true;
        let text = "DELETE QUICK FROM page_views WHERE created_at < '2026-01-01' OR user_id = 0 -- old";
        let own = survivors(text, 8_100_000, &survey, flavor());
        assert!(own.eligible, "{:?}", own.reason);
        let script: Vec<&str> = own.actions.iter().map(|action| action.statement().text.as_str()).collect();
        assert_eq!(script[0], "CREATE TABLE `shop`.`page_views_new_s7` LIKE `shop`.`page_views`");
        assert_eq!(script[3], "LOCK TABLES `shop`.`page_views` WRITE, `shop`.`page_views_new_s7` WRITE");
        assert_eq!(
            script[4],
            "INSERT INTO `shop`.`page_views_new_s7` (`id`, `user_id`, `created_at`) SELECT `id`, `user_id`, `created_at` FROM \
             `shop`.`page_views` WHERE (created_at < '2026-01-01' OR user_id = 0) IS NOT TRUE"
        );
        let place = |start: &str| script.iter().position(|text| text.starts_with(start)).expect("it is there");
        assert!(place("LOCK") < place("SET @rehearse_cure") && place("EXECUTE") < place("RENAME"));
        assert_eq!(&script[place("RENAME") + 1..], ["UNLOCK TABLES", "SET SESSION sql_mode = @rehearse_mode"]);
        assert_eq!(own.expected_leftovers, [shop("page_views_old_s7")]);
        assert_eq!(own.without_cure.len() + 5, own.actions.len(), "without the counter");
    }

    #[test]
    fn it_is_refused_where_it_would_lose_something_or_not_be_worth_it() {
        let reason = |text: &str, affected, survey: &Survey, flavor| {
            survivors(text, affected, survey, flavor).reason.expect("a reason")
        };
        let old = "DELETE FROM page_views WHERE user_id > 5";
        assert!(reason(old, 8_100_000, &survey(), mariadb()).contains("error 1192"));
        assert!(reason(old, 8_100_000, &survey(), "mysql:5.7".parse().expect("a flavor")).contains("8.0.13"));
        assert!(reason(old, 900_000, &survey(), flavor()).contains("removes 900,000 of 9,000,000 rows"));
        for (text, why) in [
            ("DELETE IGNORE FROM page_views WHERE id > 5", "more of its table than the name"),
            ("DELETE FROM page_views AS v WHERE v.id > 5", "more of its table than the name"),
            ("DELETE FROM page_views WHERE id > 5 LIMIT 8000000", "LIMIT"),
            ("DELETE FROM page_views WHERE RAND() < 0.9", "RAND answers differently"),
            ("DELETE FROM page_views WHERE user_id IN (SELECT id FROM customers)", "subquery"),
            ("DELETE FROM orders WHERE id > 5", "own foreign keys: orders_customer"),
            ("DELETE FROM customers WHERE id > 5", "would follow the old one"),
        ] {
            let reason = reason(text, 8_100_000, &survey(), flavor());
            assert!(reason.contains(why), "{text}: {reason}");
        }
        let mut triggered = survey();
        triggered.triggers.insert(shop("page_views_ai"), trigger("INSERT"));
        assert!(reason(old, 8_100_000, &triggered, flavor()).contains("page_views_ai"));
    }
}
