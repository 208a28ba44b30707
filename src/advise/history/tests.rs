use super::*;
use crate::advise::specimen::{observation, shop, statement, survey};
use crate::server::fault::Fault;

fn after(sql: &str) -> History {
    let mut history = History::new(Some(&survey()));
    for (place, text) in sql.split(';').map(str::trim).filter(|text| !text.is_empty()).enumerate() {
        history.apply(&statement(place + 1, text), None, |table| *table == shop("fresh"));
    }
    history
}

#[test]
fn a_transaction_opens_and_closes_and_tells_what_it_wrote_in_order() {
    let history =
        after("BEGIN; UPDATE orders SET status = ''; DELETE FROM customers WHERE id = 1; UPDATE orders SET id = 1");
    let open = history.session(1).transaction().expect("an open transaction");
    assert_eq!((open.began.as_str(), open.explicit, open.statements), ("s1", true, 3));
    let writes: Vec<_> =
        open.writes.iter().map(|write| (write.table.table.as_str(), write.kind, write.label.as_str())).collect();
    assert_eq!(writes, [("orders", Kind::Update, "s2"), ("customers", Kind::Delete, "s3")]);
    for closed in [
        "BEGIN; DELETE FROM orders; COMMIT",
        "BEGIN; DELETE FROM orders; TRUNCATE page_views",
        "SET autocommit = 0; DELETE FROM orders; SET autocommit = 1",
        "DELETE FROM orders",
        "LOCK TABLES orders WRITE; DELETE FROM orders; UNLOCK TABLES",
    ] {
        assert_eq!(after(closed).session(1).transaction(), None, "{closed}");
    }
    let implicit = after("SET autocommit = 0; DELETE FROM orders");
    assert_eq!(implicit.session(1).transaction().map(|open| open.explicit), Some(false));
    assert_eq!(implicit.session(2).transaction(), None, "another session's");
}

#[test]
fn settings_are_those_that_the_session_has_in_force() {
    let history = after(
        "SET SESSION lock_wait_timeout = 5, innodb_lock_wait_timeout = 3; SET @@session.sql_mode = 'ANSI_QUOTES', @a = 2; \
         SET foreign_key_checks = 0; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET GLOBAL max_connections = 5; \
         SET @@autocommit = OFF; SET unique_checks = 0; SET unique_checks = DEFAULT",
    );
    let session = history.session(1);
    for (name, value) in [
        ("lock_wait_timeout", Some("5")),
        ("innodb_lock_wait_timeout", Some("3")),
        ("sql_mode", Some("ANSI_QUOTES")),
        ("foreign_key_checks", Some("0")),
        ("transaction_isolation", None),
        ("max_connections", None),
        ("unique_checks", None),
        ("a", None),
    ] {
        assert_eq!(session.setting(name), value, "{name}");
    }
    assert_eq!(session.switch("foreign_key_checks"), Some(false));
    assert!(!session.autocommit());
    assert_eq!(history.global("max_connections"), Some("5"));
    let isolation = after("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    assert_eq!(isolation.session(1).setting("transaction_isolation"), Some("READ-COMMITTED"));
    assert!(isolation.session(1).is_read_committed() && !after("SELECT 1").session(1).is_read_committed());
    let once = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN; DELETE FROM orders";
    assert!(after(once).session(1).is_read_committed());
    assert!(!after(&format!("{once}; COMMIT")).session(1).is_read_committed());
    let dump = after("/*!40014 SET @OLD=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */");
    assert_eq!(dump.session(1).switch("foreign_key_checks"), Some(false));
}

#[test]
fn table_locks_hold_until_they_are_given_back() {
    let held = after("LOCK TABLES orders WRITE, customers READ");
    let locked = held.session(1).locked().expect("locks");
    assert_eq!(locked.statement, "s1");
    assert_eq!(locked.tables.get(&shop("orders")), Some(&true));
    assert_eq!(locked.tables.get(&shop("customers")), Some(&false));
    assert_eq!(after("LOCK TABLES orders WRITE; UNLOCK TABLES").session(1).locked(), None);
}

#[test]
fn look_alikes_are_counted_also_where_others_stand_between_them() {
    let mut history = History::new(None);
    let like = |place: usize, digest: &str| {
        let mut like = statement(place, "INSERT INTO orders (id) VALUES (1)");
        digest.clone_into(&mut like.digest);
        like
    };
    for place in 0..100 {
        history.apply(&like(place * 2 + 1, "a"), None, |_| false);
        history.apply(&like(place * 2 + 2, "b"), None, |_| false);
    }
    let session = history.session(1);
    assert_eq!(session.alike("a").map(|alike| (alike.first.as_str(), alike.count)), Some(("s1", 100)));
    assert_eq!((session.run("b"), session.run("a")), (1, 0));
    for place in 0..10_000 {
        history.apply(&like(place, &place.to_string()), None, |_| false);
    }
    assert_eq!(history.session(1).alike("a").map(|alike| alike.count), Some(100), "the common ones are remembered");
}

#[test]
fn a_tables_earlier_changes_follow_it_through_a_rename() {
    let history = after(
        "ALTER TABLE page_views DROP INDEX user, ADD COLUMN a INT; CREATE INDEX day ON page_views (created_at); \
         RENAME TABLE page_views TO views",
    );
    let past = history.table(&shop("views")).expect("its past");
    assert_eq!(history.table(&shop("page_views")), None);
    assert_eq!(past.alters().iter().map(|alter| alter.statement.as_str()).collect::<Vec<_>>(), ["s1", "s2"]);
    assert_eq!(past.dropped().keys().collect::<Vec<_>>(), ["user"]);
    assert_eq!(past.made().get("day").map(|deed| deed.label.as_str()), Some("s2"));
    assert!(after("ALTER TABLE orders ADD a INT; DROP TABLE orders").table(&shop("orders")).is_none());
}

#[test]
fn a_tables_columns_and_work_are_known_as_the_upgrade_left_them() {
    let history = after(
        "CREATE TABLE fresh (id INT UNSIGNED PRIMARY KEY, a INT, KEY a_key (a)); ALTER TABLE fresh CHANGE a b BIGINT; \
         SELECT COUNT(*) FROM fresh; UPDATE fresh SET b = 0 WHERE b IS NULL; ALTER TABLE fresh DROP COLUMN id",
    );
    let past = history.table(&shop("fresh")).expect("its past");
    let data_type = |name| past.column(name).map(|column| column.map(|column| column.data_type.as_str()));
    assert_eq!(
        [data_type("B"), data_type("a"), data_type("id"), data_type("c")],
        [Some(Some("bigint")), Some(None), Some(None), None]
    );
    assert_eq!(past.made()["a_key"].parts[0].column.as_deref(), Some("a"));
    assert_eq!(past.work().iter().map(|work| work.label.as_str()).collect::<Vec<_>>(), ["s3", "s4"]);
    assert_eq!(past.alters().iter().map(|alter| alter.after_work).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn objects_that_the_upgrade_made_or_dropped_are_known_by_kind_and_name() {
    let history = after(
        "CREATE DEFINER=`a`@`%` TRIGGER orders_ai AFTER INSERT ON orders FOR EACH ROW SET @a = 1; DROP VIEW IF EXISTS v; \
         USE shop; CREATE PROCEDURE p (a INT) SELECT 1; CREATE USER 'u'@'%' IDENTIFIED BY 'x'; \
         DROP PROCEDURE IF EXISTS shop.q",
    );
    assert!(history.made(ObjectKind::Trigger, &shop("orders_ai")));
    assert_eq!(history.object(ObjectKind::View, &shop("v")), Some(&Deed::Dropped("s2".to_owned())));
    assert!(history.made(ObjectKind::Routine, &shop("p")));
    assert!(history.made(ObjectKind::User, &TableName::new("", "u")));
    assert_eq!(history.object(ObjectKind::Routine, &shop("q")), Some(&Deed::Dropped("s6".to_owned())));
}

#[test]
fn the_first_ddl_is_the_first_on_a_table_that_was_there() {
    let history =
        after("CREATE TABLE fresh (id INT); ALTER TABLE fresh ADD a INT; DROP TABLE orders; TRUNCATE page_views");
    assert_eq!(history.first_ddl(), Some("s3"));
    assert_eq!(after("ALTER TABLE fresh ADD a INT").first_ddl(), None);
}

#[test]
fn a_statement_that_failed_changes_nothing_but_commits_all_the_same() {
    let mut history = History::new(None);
    let fault = Fault { number: 1060, state: "42S21".into(), message: "Duplicate column name".into() };
    history.apply(&statement(1, "BEGIN"), None, |_| false);
    history.apply(&statement(2, "DELETE FROM orders"), None, |_| false);
    let alter = statement(3, "ALTER TABLE orders ADD status INT, DROP INDEX customer");
    let mut seen = observation(alter.clone(), 0, 0.1);
    seen.outcome = Outcome::Failed(fault);
    history.apply(&alter, Some(&seen), |_| false);
    assert_eq!(history.session(1).transaction(), None);
    assert!(history.table(&shop("orders")).is_none_or(|past| past.alters().is_empty() && past.dropped().is_empty()));
    assert_eq!(history.first_ddl(), None);
}
