//! Other ways to do a statement's work, as scripts, each eligible or refused with all its reasons.
//!
//! What is eligible may be tried; only what was tried, and gave the same result, may be recommended.

mod alter;
mod batches;
mod compose;
mod condition;
mod ground;
mod partition;
mod survivors;
mod swap;
mod tools;
mod truncate;
pub(super) mod words;

use super::evidence::NOTICEABLE_SECONDS;
use super::record::Alternative;
use crate::replay::record::{Observation, Outcome};
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, Statement};
use crate::survey::record::Survey;
pub use alter::merged;
use ground::Ground;

/// Below this many rows, changed without blocking anybody, another way is not worth its trial.
const FEW_ROWS: u64 = 1_000;

/// The alternatives to a statement. Empty for statements that have none, for those that failed, for groups of
/// look-alikes, and where the rehearsal showed that so few rows were changed that another way is not worth its trial.
pub fn of(statement: &Statement, observed: Option<&Observation>, survey: &Survey, flavor: Flavor) -> Vec<Alternative> {
    let effect = &statement.reading.effect;
    if let Some(observed) = observed.filter(|observed| observed.ddl.is_some()) {
        return alter::of(statement, observed, survey, flavor);
    }
    let Some(table) = effect.empties.iter().chain(&effect.writes).next() else { return Vec::new() };
    if !matches!(statement.reading.kind, Kind::Delete | Kind::Update) {
        return Vec::new();
    }
    let facts = survey.tables.get(table);
    let empties = statement.reading.kind == Kind::Delete && effect.empties.contains(table);
    if let Some(observed) = observed {
        let few = observed.rows.affected < FEW_ROWS && observed.longest_blocked(|_| true) <= NOTICEABLE_SECONDS;
        let few_in_production = !empties || facts.is_none_or(|facts| facts.rows < FEW_ROWS);
        if observed.outcome != Outcome::Done || observed.count > 1 || (few && few_in_production) {
            return Vec::new();
        }
    }
    let ground = Ground { statement, table, facts, observed, survey, flavor };
    if empties {
        vec![truncate::truncate(&ground), swap::swap(&ground), batches::batches(&ground)]
    } else if statement.reading.kind == Kind::Delete {
        let (batches, survivors) = (batches::batches(&ground), survivors::survivors(&ground));
        [batches, survivors].into_iter().chain(partition::partition(&ground)).collect()
    } else {
        vec![batches::batches(&ground)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::{flavor, mariadb, observation, shop, statement, survey, table, trigger};
    use crate::sql::record::Action;

    fn all(text: &str, survey: &Survey, flavor: Flavor) -> Vec<Alternative> {
        of(&statement(7, text), None, survey, flavor)
    }

    fn one(text: &str, id: &str) -> Alternative {
        all(text, &survey(), flavor()).into_iter().find(|own| own.id == id).expect("the alternative")
    }

    fn script(actions: &[Action]) -> Vec<&str> {
        actions.iter().map(|action| action.statement().text.as_str()).collect()
    }

    fn walk(alternative: &Alternative) -> (String, Option<String>) {
        match alternative.actions.first() {
            Some(Action::Walk(walk)) => (walk.head.clone(), walk.condition.clone()),
            other => panic!("{other:?}: {:?}", alternative.reason),
        }
    }

    #[test]
    fn truncate_puts_the_counter_back_as_it_is_when_it_runs() {
        let truncate = one("DELETE FROM page_views", "truncate");
        assert!(truncate.eligible, "{:?}", truncate.reason);
        assert_eq!(
            script(&truncate.actions),
            [
                "SET SESSION information_schema_stats_expiry = 0",
                "SET @rehearse_cure = CONCAT('ALTER TABLE `shop`.`page_views` AUTO_INCREMENT = ', \
                 GREATEST(COALESCE((SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND \
                 TABLE_NAME = 'page_views'), 1), COALESCE((SELECT MAX(`id`) + 1 FROM `shop`.`page_views`), 1)))",
                "PREPARE rehearse_cure FROM @rehearse_cure",
                "TRUNCATE TABLE `shop`.`page_views`",
                "EXECUTE rehearse_cure",
                "DEALLOCATE PREPARE rehearse_cure",
            ]
        );
        assert_eq!(script(&truncate.without_cure), ["TRUNCATE TABLE `shop`.`page_views`"]);
        assert!(truncate.expected_leftovers.is_empty());
    }

    #[test]
    fn the_swap_sets_the_counter_before_one_rename_and_names_what_it_leaves() {
        let made = all("DELETE FROM page_views", &survey(), mariadb());
        let swap = made.iter().find(|own| own.id == "swap").expect("the swap");
        assert_eq!(
            script(&swap.actions),
            [
                "CREATE TABLE `shop`.`page_views_new_s7` LIKE `shop`.`page_views`",
                "SET @rehearse_cure = CONCAT('ALTER TABLE `shop`.`page_views_new_s7` AUTO_INCREMENT = ', \
                 10000 + GREATEST(COALESCE((SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND \
                 TABLE_NAME = 'page_views'), 1), COALESCE((SELECT MAX(`id`) + 1 FROM `shop`.`page_views`), 1)))",
                "PREPARE rehearse_cure FROM @rehearse_cure",
                "EXECUTE rehearse_cure",
                "DEALLOCATE PREPARE rehearse_cure",
                "RENAME TABLE `shop`.`page_views` TO `shop`.`page_views_old_s7`, `shop`.`page_views_new_s7` TO `shop`.`page_views`",
            ]
        );
        assert_eq!(swap.expected_leftovers, [shop("page_views_old_s7")]);
        assert_eq!(swap.counters_ahead, [(shop("page_views"), 10_000)].into());
        let mut near = survey();
        near.tables.get_mut(&shop("page_views")).expect("the table").auto_increment = Some(u64::MAX / 4 + 1);
        let near = all("DELETE FROM page_views", &near, mariadb());
        let swap = near.iter().find(|own| own.id == "swap").expect("the swap");
        assert!(swap.counters_ahead.is_empty() && script(&swap.actions)[1].contains("= ', GREATEST("), "near the end");
        assert!(swap.caveats.iter().any(|text| text.contains("are given out again")), "{:?}", swap.caveats);
        assert_eq!(script(&swap.without_cure).len(), 2);
    }

    #[test]
    fn the_swaps_names_are_free_and_short_enough() {
        let mut survey = survey();
        let long = "t".repeat(64);
        survey.tables.insert(shop(&long), table(5_000, &[("k", "int")]));
        survey.tables.insert(shop(&format!("{}_old_s7", "t".repeat(57))), table(1, &[("k", "int")]));
        let all = all(&format!("DELETE FROM {long}"), &survey, flavor());
        let kept = &all[1].expected_leftovers[0].table;
        assert_eq!((kept.len(), kept.ends_with("_old_s7_2")), (64, true), "{kept}");
        assert!(all[1].without_cure.is_empty(), "no column counts up, so there is nothing to cure");
    }

    #[test]
    fn every_reason_against_truncate_and_swap_is_told() {
        let reasons = |survey: &Survey, text: &str| -> Vec<String> {
            all(text, survey, flavor()).into_iter().map(|own| own.reason.unwrap_or_default()).collect()
        };
        let parent = reasons(&survey(), "DELETE FROM customers");
        assert!(parent[0].contains("foreign keys refer to the table: shop.orders (orders_customer)"), "{parent:?}");
        assert!(parent[1].contains("would follow the old one"));
        assert_eq!(parent[2], "", "batches are open");
        let child = reasons(&survey(), "DELETE FROM orders");
        assert_eq!(child[0], "", "a child may be truncated");
        assert_eq!(child[1], "CREATE TABLE … LIKE leaves out the table's own foreign keys: orders_customer");
        let mut triggered = survey();
        triggered.triggers.insert(shop("page_views_ad"), trigger("DELETE"));
        let both = reasons(&triggered, "DELETE FROM page_views");
        assert_eq!(both[0], "DELETE triggers would not fire: page_views_ad");
        assert_eq!(both[1], "the table's triggers would go with the old one: page_views_ad");
        triggered.triggers.insert(shop("page_views_ad"), trigger("INSERT"));
        assert_eq!(reasons(&triggered, "DELETE FROM page_views")[0], "", "only DELETE triggers matter to TRUNCATE");
        triggered.tables.get_mut(&shop("page_views")).expect("a table").engine = "MRG_MyISAM".into();
        assert!(
            reasons(&triggered, "DELETE FROM page_views")[1]
                .contains("MRG_MyISAM empties a table was never tried; the table's triggers")
        );
    }

    #[test]
    fn inside_a_transaction_nothing_is_offered() {
        let statement = statement(7, "DELETE FROM page_views");
        let mut seen = observation(statement.clone(), 9_000_000, 50.0);
        seen.transaction = Some(1);
        let all = of(&statement, Some(&seen), &survey(), flavor());
        assert!(
            all.iter()
                .all(|own| !own.eligible
                    && own.reason.as_deref().is_some_and(|why| why.contains("inside a transaction")))
        );
        seen.commit_seconds = Some(0.5);
        assert!(
            of(&statement, Some(&seen), &survey(), flavor()).iter().all(|own| own.eligible),
            "it committed by itself"
        );
    }

    #[test]
    fn batches_keep_the_modifiers_and_leave_comments_behind() {
        let (head, condition) =
            walk(&one("DELETE QUICK FROM page_views -- all\n WHERE user_id > 5 /* old */", "batches"));
        assert_eq!((head.as_str(), condition.as_deref()), ("DELETE QUICK FROM page_views", Some("user_id > 5")));
        let (head, condition) =
            walk(&one("UPDATE IGNORE page_views SET url = CONCAT(url, ';'), user_id = 1 -- go", "batches"));
        assert_eq!(
            (head.as_str(), condition),
            ("UPDATE IGNORE page_views SET url = CONCAT(url, ';'), user_id = 1", None)
        );
        let (head, condition) = walk(&one("DELETE FROM page_views", "batches"));
        assert_eq!((head.as_str(), condition), ("DELETE FROM page_views", None));
    }

    #[test]
    fn batches_are_refused_where_ranges_would_change_the_meaning() {
        for (text, why) in [
            ("DELETE FROM page_views WHERE id > 5 LIMIT 10", "LIMIT"),
            ("UPDATE page_views SET id = id + 1", "it changes id of the primary key"),
            ("UPDATE page_views SET user_id = (@n := @n + 1)", "user variables"),
            ("UPDATE page_views SET url = UUID()", "UUID answers differently"),
            (
                "DELETE FROM page_views WHERE user_id IN (SELECT user_id FROM page_views WHERE id < 5)",
                "subquery reads the table itself",
            ),
            ("DELETE FROM nowhere WHERE id > 5", "not in the survey"),
        ] {
            let batches = one(text, "batches");
            assert!(!batches.eligible && batches.actions.is_empty(), "{text}");
            assert!(
                batches.reason.as_deref().is_some_and(|reason| reason.contains(why)),
                "{text}: {:?}",
                batches.reason
            );
        }
        let clock = one("DELETE FROM page_views WHERE created_at < NOW() - INTERVAL 1 YEAR", "batches");
        assert!(clock.eligible && clock.caveats.iter().any(|caveat| caveat.contains("The time that it asks for")));
    }

    #[test]
    fn a_key_that_does_not_compare_as_it_sorts_is_not_walked() {
        let mut survey = survey();
        survey.tables.insert(shop("kinds"), table(50_000, &[("kind", "enum")]));
        let all = all("UPDATE kinds SET note = 1 WHERE kind <> 'x'", &survey, flavor());
        assert!(all[0].reason.as_deref().is_some_and(|why| why.contains("the enum column kind")));
    }

    #[test]
    fn few_rows_and_other_verbs_have_no_alternative() {
        let small = statement(7, "UPDATE orders SET status = 'x' WHERE id = 5");
        assert!(of(&small, Some(&observation(small.clone(), 1, 0.01)), &survey(), flavor()).is_empty());
        assert!(all("ALTER TABLE orders FORCE", &survey(), flavor()).is_empty());
    }
}
