use std::collections::BTreeMap;

use super::*;
use crate::sql::script::Options;
use crate::survey::record::Basis;

fn schema(text: &str) -> Survey {
    let flavor: Flavor = "mysql:9.7".parse().expect("a flavor");
    let options = Options { variables: BTreeMap::new(), database: "app".to_owned(), flavor };
    read(&Script::from_text("schema.sql", text, options), flavor).expect("a schema")
}

fn app(table: &str) -> TableName {
    TableName::new("app", table)
}

#[test]
fn a_dump_s_tables_are_read_with_columns_keys_and_options() {
    let survey = schema(
        "DROP TABLE IF EXISTS `orders`;\n\
         /*!50503 SET character_set_client = utf8mb4 */;\n\
         CREATE TABLE `orders` (\n\
           `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n\
           `customer_id` int NOT NULL COMMENT 'whose; (really)',\n\
           `status` enum('new','paid','sent','back','a','b','c','d','e','f') DEFAULT 'new',\n\
           `total` decimal(10,2) DEFAULT '0.00',\n\
           `note` varchar(200) CHARACTER SET latin1 DEFAULT NULL,\n\
           `name` varchar(50) NOT NULL,\n\
           `at` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),\n\
           `sum` int GENERATED ALWAYS AS (`id` + 1) VIRTUAL,\n\
           PRIMARY KEY (`id`),\n\
           UNIQUE KEY `by_name` (`name`(20)),\n\
           KEY (`at`),\n\
           CONSTRAINT `of_customer` FOREIGN KEY (`customer_id`) REFERENCES `customers` (`id`) ON DELETE SET NULL\n\
         ) ENGINE=InnoDB AUTO_INCREMENT=77 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='x;y';",
    );
    assert_eq!(survey.gaps, Vec::<String>::new());
    let orders = &survey.tables[&app("orders")];
    assert_eq!((orders.rows, orders.rows_basis, orders.auto_increment), (0, Basis::Estimated, Some(77)));
    let types: Vec<_> = orders.columns.iter().map(|column| column.column_type.as_str()).collect();
    assert_eq!(
        types,
        [
            "bigint unsigned",
            "int",
            "enum('new','paid','sent','back','a','b','c','d','e','f')",
            "decimal(10,2)",
            "varchar(200)",
            "varchar(50)",
            "datetime(3)",
            "int"
        ]
    );
    let column = |name: &str| orders.column(name).expect("a column");
    assert!(column("id").auto_increment && !column("id").nullable && column("note").nullable);
    assert_eq!((column("note").charset.as_deref(), column("note").collation.as_deref()), (Some("latin1"), None));
    assert_eq!(column("name").collation.as_deref(), Some("utf8mb4_bin"));
    assert_eq!((column("status").default.as_deref(), column("total").precision), (Some("new"), Some(10)));
    assert_eq!(column("sum").generated.as_deref(), Some("`id` + 1"));
    let indexes: Vec<_> = orders.indexes.iter().map(|index| (index.name.as_str(), index.unique)).collect();
    assert_eq!(indexes, [("PRIMARY", true), ("at", false), ("by_name", true), ("of_customer", false)]);
    assert_eq!(orders.indexes[2].columns[0].prefix, Some(20));
    let key = &orders.foreign_keys[0];
    assert_eq!((&key.parent, key.on_delete.as_str()), (&app("customers"), "SET NULL"));
    assert_eq!(
        (key.columns.as_slice(), key.parent_columns.as_slice()),
        (&["customer_id".to_owned()][..], &["id".to_owned()][..])
    );
}

#[test]
fn what_alters_complete_is_added() {
    let survey = schema(
        "CREATE TABLE t (id int(11) NOT NULL, a varchar(9)) ENGINE=MyISAM; CREATE TABLE u LIKE t;\n\
         ALTER TABLE t ADD PRIMARY KEY (id), ADD KEY a (a);\n\
         ALTER TABLE t MODIFY id int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=5;\n\
         CREATE UNIQUE INDEX one ON t (a, id);",
    );
    let table = &survey.tables[&app("t")];
    assert_eq!((table.engine.as_str(), table.auto_increment), ("MyISAM", Some(5)));
    assert_eq!(table.primary_key()[0].name, "id");
    assert!(table.indexes.iter().any(|index| index.name == "one" && index.unique && index.columns.len() == 2));
    assert_eq!(survey.tables[&app("u")].columns.len(), 2);
    assert!(survey.tables[&app("u")].indexes.is_empty());
}

#[test]
fn partitions_triggers_views_and_databases_are_read() {
    let survey = schema(
        "CREATE DATABASE shop; USE shop;\n\
         CREATE TABLE log (id int, at date) PARTITION BY RANGE (year(at)) (PARTITION p0 VALUES LESS THAN (2025), \
         PARTITION p1 VALUES LESS THAN MAXVALUE);\n\
         CREATE TABLE h (id int) PARTITION BY HASH(id) PARTITIONS 3;\n\
         CREATE TABLE audit (id int);\n\
         DELIMITER //\n\
         CREATE TRIGGER log_ai AFTER INSERT ON log FOR EACH ROW BEGIN INSERT INTO audit VALUES (NEW.id); END//\n\
         DELIMITER ;\n\
         CREATE VIEW recent AS SELECT * FROM log;",
    );
    assert_eq!(survey.gaps, Vec::<String>::new());
    let shop = |table| TableName::new("shop", table);
    let log = &survey.tables[&shop("log")].partitions;
    let told: Vec<_> = log.iter().map(|one| (one.name.as_str(), one.method.as_str(), one.values.as_str())).collect();
    assert_eq!(told, [("p0", "RANGE", "2025"), ("p1", "RANGE", "MAXVALUE")]);
    assert_eq!(log[0].expression, "year(at)");
    assert_eq!(survey.tables[&shop("h")].partitions.len(), 3);
    let trigger = &survey.triggers[&shop("log_ai")];
    assert_eq!((trigger.timing.as_str(), trigger.event.as_str()), ("AFTER", "INSERT"));
    assert_eq!((&trigger.table, trigger.touches.as_slice()), (&shop("log"), &[shop("audit")][..]));
    assert!(survey.views.contains_key(&shop("recent")) && survey.databases.contains_key("shop"));
}

#[test]
fn what_a_text_does_not_tell_is_a_gap() {
    let survey = schema("CREATE TABLE s AS SELECT 1 AS a;\nALTER TABLE nowhere ADD a INT;\nCREATE TABLE ok (a int);");
    assert_eq!(survey.gaps.len(), 2, "{:?}", survey.gaps);
    assert!(survey.gaps[0].starts_with("the schema, schema.sql:1: the columns of app.s"), "{:?}", survey.gaps);
    assert!(survey.tables.contains_key(&app("s")), "it is there all the same");
    assert!(survey.tables.contains_key(&app("ok")));
}

#[test]
fn a_character_set_is_read_as_servers_and_as_people_write_it() {
    for options in [
        "DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_bin",
        "CHARACTER SET utf8mb3 COLLATE utf8mb3_bin",
        "/*!40000 ENGINE=INNODB */ /*!40101 CHARACTER SET utf8mb3 COLLATE utf8mb3_bin */",
        "default character set = 'utf8mb3' collate = 'utf8mb3_bin'",
    ] {
        let survey = schema(&format!("CREATE TABLE t (id int PRIMARY KEY, a varchar(5)) {options};"));
        let column = survey.tables[&app("t")].column("a").expect("a column").clone();
        let found = (column.charset.as_deref(), column.collation.as_deref());
        assert_eq!(found, (Some("utf8mb3"), Some("utf8mb3_bin")), "{options}");
    }
}
