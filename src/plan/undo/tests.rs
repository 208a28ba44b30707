//! What an undo puts back: as it was before the step, and nothing else.

use serde_json::json;

use crate::advise::specimen::{Specimen, add_index, set_column, shop, table};
use crate::plan::record::Way;
use crate::plan::tests::plan_of;
use crate::survey::record::TableFacts;

/// The statements of the undo scripts, from the last step to the first, without comments and settings.
fn undone(specimen: &Specimen) -> Vec<String> {
    let plan = plan_of(specimen);
    let steps = plan.steps.iter().rev();
    let lines = steps.flat_map(|step| step.body.undo.sql.iter().cloned());
    lines.filter(|line| !line.starts_with("SET ") && !line.starts_with("USE ")).collect()
}

const VIEW: &str = "CREATE VIEW `recent` AS select 1 AS `one`";

fn with_view(text: &str) -> Specimen {
    let mut specimen = Specimen::of(text);
    specimen.survey.views.insert(shop("recent"), VIEW.to_owned());
    specimen
}

#[test]
fn a_view_that_was_replaced_comes_back_as_it_was() {
    for text in ["CREATE OR REPLACE VIEW recent AS SELECT 2", "ALTER VIEW recent AS SELECT 2"] {
        let specimen = with_view(text);
        assert_eq!(undone(&specimen), ["DROP VIEW IF EXISTS `shop`.`recent`", VIEW], "{text}");
        assert_eq!(plan_of(&specimen).backups[0].way, Way::Definition, "{text}");
    }
    let made = Specimen::of("CREATE OR REPLACE VIEW recent AS SELECT 2");
    assert_eq!(undone(&made), ["DROP VIEW `shop`.`recent`"], "there was none");
}

/// `orders` as a server shows it, with an index over two columns.
fn indexed(text: &str) -> Specimen {
    let mut specimen = Specimen::of(text);
    add_index(&mut specimen.survey, "orders", "by_status", &["customer_id", "status"]);
    let orders = specimen.survey.tables.get_mut(&shop("orders")).expect("the table");
    orders.create = "CREATE TABLE `orders` (\n  `id` bigint NOT NULL,\n  `customer_id` bigint NOT NULL,\n  `status` varchar(9) NOT NULL,\n  PRIMARY KEY (`id`)\n)".to_owned();
    specimen
}

const ORDERS: &str = "ALTER TABLE `shop`.`orders` ";

#[test]
fn what_was_there_before_is_not_dropped() {
    for (text, dropped) in [
        (
            "ALTER TABLE orders ADD COLUMN IF NOT EXISTS status INT, ADD COLUMN IF NOT EXISTS note INT",
            "DROP COLUMN `note`",
        ),
        ("ALTER TABLE orders ADD COLUMN (note INT, more INT)", "DROP COLUMN `note`, DROP COLUMN `more`"),
        ("ALTER TABLE orders ADD INDEX IF NOT EXISTS by_status (status)", ""),
        ("CREATE INDEX IF NOT EXISTS by_status ON orders (status)", ""),
        ("CREATE INDEX IF NOT EXISTS by_day ON orders (status)", "DROP INDEX `by_day`"),
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY IF NOT EXISTS (customer_id) REFERENCES customers (id)",
            "",
        ),
        (
            "ALTER TABLE orders ADD COLUMN note INT; ALTER TABLE orders ADD COLUMN IF NOT EXISTS note INT",
            "DROP COLUMN `note`",
        ),
    ] {
        let expected: Vec<String> = (!dropped.is_empty()).then(|| format!("{ORDERS}{dropped}")).into_iter().collect();
        assert_eq!(undone(&indexed(text)), expected, "{text}");
    }
    let unknown = indexed(
        "ALTER TABLE orders RENAME COLUMN status TO state; ALTER TABLE orders ADD COLUMN IF NOT EXISTS note INT",
    );
    assert_eq!(undone(&unknown), Vec::<String>::new(), "nobody knows whether it was there");
}

#[test]
fn an_index_that_was_dropped_and_added_anew_comes_back_as_it_was() {
    let old = "ADD INDEX `by_status` (`customer_id`, `status`)";
    let apart = indexed("DROP INDEX by_status ON orders; ALTER TABLE orders ADD INDEX by_status (status)");
    assert_eq!(undone(&apart), [format!("{ORDERS}DROP INDEX `by_status`"), format!("{ORDERS}{old}")]);
    for text in [
        "ALTER TABLE orders DROP INDEX by_status, ADD INDEX by_status (status)",
        "ALTER TABLE orders ADD INDEX by_status (status), DROP INDEX by_status",
        "CREATE OR REPLACE INDEX by_status ON orders (status)",
    ] {
        assert_eq!(undone(&indexed(text)), [format!("{ORDERS}DROP INDEX `by_status`, {old}")], "{text}");
    }
}

#[test]
fn dropped_columns_come_back_in_their_order_and_with_their_indexes() {
    let columns = "ADD COLUMN `customer_id` bigint NOT NULL AFTER `id`, ADD COLUMN `status` varchar(9) NOT NULL AFTER `customer_id`";
    let index = "ADD INDEX `by_status` (`customer_id`, `status`)";
    for text in ["DROP COLUMN customer_id, DROP COLUMN status", "DROP COLUMN status, DROP COLUMN customer_id"] {
        let back = undone(&indexed(&format!("ALTER TABLE orders {text}")));
        assert_eq!(back[0], format!("{ORDERS}{columns}, {index}"), "{text}");
    }
    let part = undone(&indexed("ALTER TABLE orders DROP COLUMN status"));
    let column = "ADD COLUMN `status` varchar(9) NOT NULL AFTER `customer_id`";
    assert_eq!(part[0], format!("{ORDERS}{column}, DROP INDEX `by_status`, {index}"));
}

#[test]
fn a_primary_key_that_took_the_place_of_another_makes_room_for_it() {
    let mut specimen = indexed("ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, status)");
    set_column(&mut specimen.survey, "orders", "status", &json!({"nullable": true}));
    let back = "DROP PRIMARY KEY, MODIFY COLUMN `status` varchar(9) NOT NULL, ADD PRIMARY KEY (`id`)";
    assert_eq!(undone(&specimen), [format!("{ORDERS}{back}")]);
}

#[test]
fn renames_go_back_in_the_opposite_order() {
    for (text, back) in [
        (
            "RENAME TABLE users TO users_old, new_users TO users",
            "`shop`.`users` TO `shop`.`new_users`, `shop`.`users_old` TO `shop`.`users`",
        ),
        (
            "RENAME TABLE b TO x, a TO b, x TO a",
            "`shop`.`a` TO `shop`.`x`, `shop`.`b` TO `shop`.`a`, `shop`.`x` TO `shop`.`b`",
        ),
    ] {
        assert_eq!(undone(&Specimen::of(text)), [format!("RENAME TABLE {back}")], "{text}");
    }
}

const USERS: &str = "CREATE TABLE `users` (\n  `id` bigint NOT NULL,\n  PRIMARY KEY (`id`)\n)";

/// A table to which no foreign key points, so that a copy can take its place.
fn with_users(text: &str) -> Specimen {
    let mut specimen = Specimen::of(text);
    let facts = TableFacts { create: USERS.to_owned(), ..table(3, &[("id", "bigint")]) };
    specimen.survey.tables.insert(shop("users"), facts);
    specimen
}

#[test]
fn what_is_dropped_and_made_again_goes_before_the_old_one_comes_back() {
    for (text, first) in [
        ("DROP TABLE IF EXISTS users; CREATE TABLE users (id INT)", "DROP TABLE `shop`.`users`"),
        ("RENAME TABLE users TO users_old; CREATE TABLE users (id INT)", "DROP TABLE `shop`.`users`"),
        ("CREATE OR REPLACE TABLE users (id INT)", "DROP TABLE IF EXISTS `shop`.`users`"),
    ] {
        let back = undone(&with_users(text));
        assert_eq!(back[0], first, "{text}: {back:?}");
        assert!(back[1] == USERS || back[1].starts_with("RENAME TABLE `shop`.`users_old` TO"), "{text}: {back:?}");
    }
    let alone = undone(&with_users("DROP TABLE users"));
    assert_eq!(alone[0], USERS, "what another made there since is not dropped: {alone:?}");
    let twice =
        undone(&with_users("DROP TABLE users; CREATE TABLE users (id INT); CREATE TABLE IF NOT EXISTS users (id INT)"));
    assert_eq!(twice.iter().filter(|line| line.starts_with("DROP TABLE")).count(), 1, "{twice:?}");
    let hidden = undone(&with_users("DROP TEMPORARY TABLE users; CREATE TABLE IF NOT EXISTS users (id INT)"));
    assert_eq!(hidden, Vec::<String>::new(), "a temporary table hid it");
    let view = undone(&with_view("DROP VIEW IF EXISTS recent; CREATE VIEW recent AS SELECT 2"));
    assert_eq!(view, ["DROP VIEW `shop`.`recent`", VIEW]);
}
