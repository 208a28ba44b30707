//! Dumps, plain and packed.

use mysql_rehearsal::sql::script;

use super::*;

/// A dump as `mariadb-dump` and `mysqldump` write them, with the oddities of both.
const DUMP: &[u8] = b"/*M!999999\\- enable the sandbox mode */ \n-- MySQL dump 10.19\n\
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!50503 SET NAMES utf8mb4 */;\n\
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n\
SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';\n\
DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (`id` int NOT NULL AUTO_INCREMENT, `b` blob, `s` varchar(50) CHARACTER SET latin1,\n  \
PRIMARY KEY (`id`)) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4;\nLOCK TABLES `t` WRITE;\n\
/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n\
INSERT INTO `t` VALUES (0,_binary '\xff\\0\\n\\'','caf\xc3\xa9; it''s'),(2,'\xfe\xe9',NULL);\n\
/*!40000 ALTER TABLE `t` ENABLE KEYS */;\nUNLOCK TABLES;\nDELIMITER ;;\n\
/*!50003 CREATE*/ /*!50017 DEFINER=`ghost`@`%`*/ /*!50003 TRIGGER `t_bi` BEFORE INSERT ON `t` FOR EACH ROW BEGIN SET NEW.s = 'x'; END */;;\n\
DELIMITER ;\nSET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n";

pub fn dumps_are_loaded(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, DUMP)?;
    let files = [
        ("plain.sql", DUMP.to_vec()),
        ("packed.sql.gz", gzip.finish()?),
        ("packed.sql.zst", zstd::encode_all(DUMP, 1)?),
    ];
    for (name, bytes) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes)?;
        let database = servers.fresh_database(instance)?;
        seed::dump::load(instance, &path, &database, &Silent).map_err(|error| format!("{name}: {error:#}"))?;
        let mut session = instance.reader(Role::Keeper)?;
        let rows: Vec<(i32, String, Option<String>)> =
            session.rows(&format!("SELECT id, HEX(b), CONVERT(s USING utf8mb4) FROM {database}.t ORDER BY id"))?;
        let first = (0, "FF000A27".to_owned(), Some("caf\u{e9}; it's".to_owned()));
        assert_eq!(rows, [first, (2, "FEE9".to_owned(), None)], "{name}");
        let mut writer = instance.writer(Role::Keeper)?;
        writer.execute(&format!("INSERT INTO {database}.t (b) VALUES ('new')"))?;
        let row: Option<(i32, String)> = writer.first(&format!("SELECT id, s FROM {database}.t WHERE b = 'new'"))?;
        assert_eq!(row, Some((9, "x".to_owned())), "{name}");
    }
    let path = directory.path().join("broken.sql");
    std::fs::write(&path, "SELECT 1;\n\nINSERT INTO nowhere VALUES (1);\n")?;
    let database = servers.fresh_database(instance)?;
    let error = seed::dump::load(instance, &path, &database, &Silent)
        .map_or_else(|error| format!("{error:#}"), |()| String::new());
    assert!(error.contains("broken.sql:3") && error.contains("1146"), "{error}");
    Ok(())
}

/// What names its database makes it with its own character set; what does not fills the one that was named.
pub fn databases_keep_their_character_set(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("named.sql");
    let charset = |database: &str| -> Result<Option<String>, Failed> {
        let of = format!("FROM information_schema.schemata WHERE schema_name = '{database}'");
        Ok(instance.reader(Role::Keeper)?.first(&format!("SELECT default_character_set_name {of}"))?)
    };
    for create in ["CREATE DATABASE", "CREATE DATABASE /*!32312 IF NOT EXISTS*/"] {
        for is_dump in [true, false] {
            let database = servers.fresh_database(instance)?;
            let mut writer = instance.writer(Role::Keeper)?;
            writer.execute(&format!("DROP DATABASE {database}"))?;
            let text =
                format!("{create} `{database}` /*!40100 DEFAULT CHARACTER SET latin2 */;\nCREATE TABLE t (a int);\n");
            std::fs::write(&path, text)?;
            if is_dump {
                seed::dump::load(instance, &path, &database, &Silent).map_err(|error| format!("{error:#}"))?;
            } else {
                let options = script::Options {
                    variables: Default::default(),
                    database: database.clone(),
                    flavor: instance.flavor(),
                };
                let script = script::Script::from_files(std::slice::from_ref(&path), options)
                    .map_err(|error| format!("{error:#}"))?;
                seed::schema::run_file(instance, &script, &database).map_err(|error| format!("{error:#}"))?;
            }
            assert_eq!(charset(&database)?.as_deref(), Some("latin2"), "{create}, dump: {is_dump}");
            assert_eq!(writer.first::<u64>(&format!("SELECT COUNT(*) FROM {database}.t"))?, Some(0));
        }
    }
    Ok(())
}
