//! What statements destroy.

use serde_json::json;

use super::{Loss, of};
use crate::advise::specimen::{set_column, shop, statement, survey};
use crate::survey::record::Survey;

fn lost(survey: &Survey, text: &str) -> Vec<Loss> {
    of(&statement(1, text), survey)
}

#[test]
fn an_alter_that_is_not_known_to_keep_rows_loses_them() {
    let all = [Loss::AllRows { table: shop("orders") }];
    for clause in [
        "DISCARD TABLESPACE",
        "IMPORT TABLESPACE",
        "DISCARD PARTITION p0 TABLESPACE",
        "ENGINE=BLACKHOLE",
        "ENGINE = MEMORY",
        "DROP PARTITION p0",
        "TRUNCATE PARTITION p0",
        "COALESCE PARTITION 2",
        "CONVERT PARTITION p0 TO TABLE elsewhere",
        "CONVERT TO CHARACTER SET latin1",
        "SECONDARY_ENGINE = somewhere",
    ] {
        assert_eq!(lost(&survey(), &format!("ALTER TABLE orders {clause}")), all, "{clause}");
    }
    for clause in [
        "ENGINE=InnoDB",
        "ENGINE = 'MyISAM' ROW_FORMAT=FIXED",
        "FORCE",
        "ADD PARTITION (PARTITION p1 VALUES LESS THAN (9))",
        "REORGANIZE PARTITION p0 INTO (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN (9))",
        "REMOVE PARTITIONING",
        "PARTITION BY HASH (id) PARTITIONS 4",
        "TABLESPACE innodb_system",
        "ADD COLUMN note INT, ADD INDEX by_status (status), DROP FOREIGN KEY orders_customer, COMMENT='drop it'",
        "DISABLE KEYS",
    ] {
        assert_eq!(lost(&survey(), &format!("ALTER TABLE orders {clause}")), [], "{clause}");
    }
}

#[test]
fn a_column_that_only_widens_loses_nothing() {
    let mut survey = survey();
    survey.tables.get_mut(&shop("orders")).expect("the table").create =
        "CREATE TABLE `orders` (\n  `id` bigint\n) ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='CHARSET=utf8mb4'"
            .to_owned();
    let int = |column_type: &str| json!({"data_type": "int", "column_type": column_type});
    set_column(&mut survey, "orders", "customer_id", &int("int"));
    set_column(&mut survey, "orders", "id", &int("int(10) unsigned zerofill"));
    set_column(
        &mut survey,
        "orders",
        "status",
        &json!({"charset": "utf8mb4", "length": 10, "column_type": "varchar(10)"}),
    );
    for (clause, harmless) in [
        ("MODIFY customer_id BIGINT NOT NULL", true),
        ("MODIFY customer_id INTEGER NOT NULL COMMENT 'was bigint unsigned '", true),
        ("MODIFY customer_id SMALLINT NOT NULL COMMENT 'was bigint '", false),
        ("MODIFY customer_id BIGINT ZEROFILL NOT NULL", false),
        ("MODIFY customer_id BIGINT UNSIGNED NOT NULL", false),
        ("MODIFY id BIGINT ZEROFILL NOT NULL", true),
        ("MODIFY id BIGINT NOT NULL", false),
        ("CHANGE customer_id buyer BIGINT NOT NULL", true),
        ("MODIFY customer_id BIGINT NOT NULL WHATEVER", false),
        ("MODIFY status VARCHAR(20) NOT NULL", false),
        ("MODIFY status VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL", true),
        ("MODIFY status VARCHAR(20) COLLATE utf8mb4_bin NOT NULL", true),
        ("MODIFY status VARCHAR(20) CHARACTER SET latin1 NOT NULL", false),
        ("MODIFY status VARCHAR(5) CHARACTER SET utf8mb4 NOT NULL", false),
        ("MODIFY status VARBINARY(20) NOT NULL", false),
    ] {
        let lost = lost(&survey, &format!("ALTER TABLE orders {clause}"));
        assert_eq!(lost.is_empty(), harmless, "{clause}: {lost:?}");
    }
    set_column(&mut survey, "orders", "status", &json!({"charset": "latin1"}));
    assert_eq!(lost(&survey, "ALTER TABLE orders MODIFY status VARCHAR(20) NOT NULL"), [], "the table's own");
    let gives_another = "ALTER TABLE orders DEFAULT CHARSET ascii, MODIFY status VARCHAR(20) NOT NULL";
    assert_eq!(lost(&survey, gives_another).len(), 1, "columns take the new default");
}
