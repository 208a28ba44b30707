//! The way of each clause on its own, as both manuals tell it ("Online DDL Operations", "InnoDB Online DDL"); where the
//! servers do otherwise, as measured on MySQL 9.7 and MariaDB 10.11 and 11.8.

use super::column;
use super::partition;
use super::scene::Scene;
use super::way::{Said, Stop, Way, Work};
use crate::replay::record::DdlLock;
use crate::sql::record::{AlterClass, AlterClause};

/// The way of one clause beside the others.
pub fn way(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    use AlterClass::*;
    let said = match clause.class {
        AddColumn => return column::add(clause, all, scene),
        ModifyColumn => return column::modify(clause, scene),
        DropColumn => return column::drop(clause, all, scene),
        RenameColumn => return column::rename(clause, scene),
        Partition => return partition::way(clause, scene),
        ColumnDefault => Way::instant(Work::Metadata, "A column's default is a matter of definition."),
        RenameTable => Way::instant(Work::Metadata, "A table's name is a matter of definition."),
        Keys if scene.is_innodb() => Way::instant(Work::Metadata, "InnoDB does nothing for ENABLE or DISABLE KEYS."),
        Keys if clause.text.to_ascii_uppercase().starts_with("ENABLE") => {
            Way::index(DdlLock::Exclusive, "The indexes that were switched off are built while nobody has the table.")
        }
        Keys => Way::instant(Work::Metadata, "The indexes are switched off."),
        AddIndex | AddUnique | AddFulltext | AddSpatial | DropIndex | RenameIndex => return index(clause, all, scene),
        AddPrimaryKey | DropPrimaryKey => return primary_key(clause, all, scene),
        AddForeignKey => foreign_key(scene),
        DropForeignKey | DropCheck => scene.definition("A constraint that goes is a matter of definition."),
        AddCheck => check(clause, scene),
        Engine => engine(clause, scene)?,
        Force => scene.rebuild(&[], "FORCE writes the table anew."),
        ConvertCharset => return column::convert(clause, scene),
        DefaultCharset => scene.definition("The table's default character set touches no column that is there."),
        RowFormat => return row_format(clause, all, scene),
        AutoIncrement => scene.definition("The next number is a matter of definition."),
        Comment => scene.definition("A comment is a matter of definition."),
        OrderBy => Way::copy("ORDER BY writes the rows anew in that order."),
        Other => return other(clause, scene),
        Tablespace => return Err(unknown(clause)),
        Algorithm | Lock => Way::instant(Work::Metadata, ""),
    };
    Ok(if scene.is_innodb() { said } else { elsewhere(clause, said) })
}

/// What other engines (MyISAM, Aria) make of it: a few definitions change by themselves, all else is copied.
fn elsewhere(clause: &AlterClause, said: Way) -> Way {
    use AlterClass::*;
    let definition =
        matches!(clause.class, ColumnDefault | RenameTable | Keys | Comment | RenameIndex | DefaultCharset);
    match definition {
        true if clause.class == Keys => said,
        true => Way { instant: true, ..said },
        false => Way {
            lock: said.lock,
            ..Way::copy(format!("{} Its engine is not InnoDB, so the server copies it.", said.why))
        },
    }
}

/// What nobody can tell from the manual.
pub fn unknown(clause: &AlterClause) -> Stop {
    Stop::Unknown(format!("The manual does not tell what '{}' does to the rows.", clause.text))
}

/// A clause of the statement drops this index.
pub fn drops_index(all: &[&AlterClause], name: &str) -> bool {
    let named = |clause: &&&AlterClause| clause.object.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
    all.iter().filter(|clause| clause.class == AlterClass::DropIndex).any(|clause| named(&clause))
}

fn index(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    use AlterClass::*;
    if clause.class == RenameIndex {
        let way = scene.definition("An index's name is a matter of definition.");
        return Ok(if scene.is_innodb() { way } else { elsewhere(clause, way) });
    }
    if !scene.is_innodb() {
        return Ok(Way::copy("Its engine is not InnoDB, so the server copies the table for a change of its indexes."));
    }
    let fulltexts = all.iter().filter(|other| other.class == AddFulltext).count();
    Ok(match clause.class {
        DropIndex => return drop_index(clause, all, scene),
        AddFulltext if scene.table.is_some_and(|table| !table.partitions.is_empty()) && !scene.is_mariadb() => {
            return Err(Stop::Refused("A partitioned table has no FULLTEXT index (error 1214).".to_owned()));
        }
        AddFulltext if fulltexts > 1 => Way::copy("Several FULLTEXT indexes at once are built by a copy only."),
        AddFulltext if scene.fulltext().is_empty() && scene.column("FTS_DOC_ID").is_none() => Way::rebuild(
            DdlLock::Shared,
            "The first FULLTEXT index of a table adds a hidden column to each row, and keeps writers out.",
        ),
        AddFulltext => Way::index(DdlLock::Shared, "A FULLTEXT index is built while writers are kept out."),
        AddSpatial => Way::index(DdlLock::Shared, "A SPATIAL index is built while writers are kept out."),
        _ if clause.parts.iter().any(|part| part.column.is_none()) => {
            Way::index(DdlLock::Shared, "The expression's hidden column keeps writers out while its index is built.")
        }
        _ if clause.parts.iter().any(|part| column::adds_virtual(all, part.column.as_deref())) => {
            Way::index(DdlLock::Shared, "An index on a virtual column that is added with it keeps writers out.")
        }
        _ => Way::index(DdlLock::None, "The index is built beside the table while others read and write."),
    })
}

fn drop_index(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    let name = clause.object.as_deref().unwrap_or_default();
    if scene.table.is_some() && scene.index(name).is_none() {
        return Err(Stop::Unknown(format!("The known definition has no index '{name}'.")));
    }
    if let Some(key) = needed_by(name, all, scene) {
        return Err(Stop::Refused(format!("The index '{name}' is needed by the foreign key '{key}' (error 1553).")));
    }
    Ok(Way::metadata("An index that goes is a matter of definition; its pages are freed afterwards."))
}

/// The foreign key that has no index but this one, and stays.
fn needed_by(name: &str, all: &[&AlterClause], scene: &Scene<'_>) -> Option<String> {
    let table = scene.table?;
    let serves = |index: &[String], columns: &[String]| {
        index.len() >= columns.len() && index.iter().zip(columns).all(|(own, needed)| own.eq_ignore_ascii_case(needed))
    };
    let names = |index: &crate::survey::record::IndexFacts| {
        index.columns.iter().map(|part| part.name.clone()).collect::<Vec<_>>()
    };
    let added = all.iter().filter(|clause| matches!(clause.class, AlterClass::AddIndex | AlterClass::AddUnique));
    let added: Vec<Vec<String>> =
        added.map(|clause| clause.parts.iter().filter_map(|part| part.column.clone()).collect()).collect();
    let own = table.foreign_keys.iter().filter(|key| {
        let drops = |clause: &&&AlterClause| {
            matches!(clause.class, AlterClass::DropForeignKey | AlterClass::Other)
                && clause.object.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&key.name))
        };
        !all.iter().any(|clause| drops(&clause))
    });
    let needs = own
        .map(|key| (&key.name, &key.columns))
        .chain(scene.children.iter().map(|(_, key)| (&key.name, &key.parent_columns)));
    let serving = |columns: &[String]| {
        let stays = table.indexes.iter().filter(|index| !drops_index(all, &index.name)).map(names);
        stays.chain(added.iter().cloned()).any(|index| serves(&index, columns))
    };
    let dropped = scene.index(name)?;
    needs
        .filter(|(_, columns)| serves(&names(dropped), columns))
        .find(|(_, columns)| !serving(columns))
        .map(|(name, _)| name.clone())
}

fn primary_key(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    let added = all.iter().find(|other| other.class == AlterClass::AddPrimaryKey);
    let drops = all.iter().any(|other| other.class == AlterClass::DropPrimaryKey);
    let standing =
        scene.table.map(|table| table.primary_key().iter().map(|part| part.name.clone()).collect::<Vec<_>>());
    if let (Some(added), Some(standing)) = (added, &standing) {
        let columns: Vec<&str> = added.parts.iter().filter_map(|part| part.column.as_deref()).collect();
        let same = columns.len() == standing.len()
            && columns.iter().zip(standing).all(|(new, old)| new.eq_ignore_ascii_case(old));
        if drops && same {
            return Ok(scene.definition("The primary key stays what it was."));
        }
        if !drops && !standing.is_empty() {
            return Err(Stop::Refused("The table has a primary key (error 1068).".to_owned()));
        }
    }
    Ok(match clause.class {
        AlterClass::DropPrimaryKey if added.is_none() => {
            Way::copy("A table that loses its primary key is copied row by row.")
        }
        _ => {
            scene.rebuild(&[], "InnoDB keeps the rows in the order of the primary key, so a new one writes them anew.")
        }
    })
}

fn foreign_key(scene: &Scene<'_>) -> Way {
    if scene.session.foreign_key_checks {
        Way::copy(
            "With foreign_key_checks = 1 each row is checked against its parent, which the server does by a copy.",
        )
    } else {
        scene.definition("With foreign_key_checks = 0 no row is checked.")
    }
}

fn check(clause: &AlterClause, scene: &Scene<'_>) -> Way {
    use crate::server::ability::Ability as _;
    let enforced = !clause.text.to_ascii_uppercase().contains("NOT ENFORCED");
    if scene.flavor.enforces_checks() && enforced {
        Way::copy("Each row is checked, which the server does by a copy.")
    } else {
        scene.definition("No row is checked.")
    }
}

fn engine(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let to = clause.text.rsplit(['=', ' ']).next().unwrap_or_default().trim_matches(['\'', '"', '`']);
    let same = scene.table.map_or("innodb", |table| table.engine.as_str()).eq_ignore_ascii_case(to);
    let tied = scene.table.is_some_and(|table| !table.foreign_keys.is_empty()) || !scene.children.is_empty();
    match same {
        true => Ok(scene.rebuild(&[], "ENGINE= with the engine that it has writes the table anew.")),
        false if tied => Err(Stop::Refused(format!(
            "A table with foreign keys does not go to the engine {to} (error 3776 or 1217)."
        ))),
        false => Ok(Way::copy(format!("Another engine ({to}) takes the rows over one by one."))),
    }
}

fn row_format(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    let text = clause.text.to_ascii_uppercase();
    let option = |name: &str| text.trim_start().starts_with(name);
    Ok(if option("ROW_FORMAT") || option("KEY_BLOCK_SIZE") {
        let sizes = all.iter().any(|clause| clause.text.to_ascii_uppercase().contains("KEY_BLOCK_SIZE"));
        let leaves = option("ROW_FORMAT") && !text.contains("COMPRESSED") && scene.has_key_block_size() && !sizes;
        if leaves && scene.is_innodb() {
            let why = "The table keeps its KEY_BLOCK_SIZE, which this row format does not have (error 1478): add \
                       KEY_BLOCK_SIZE=0.";
            return Err(Stop::Refused(why.to_owned()));
        }
        scene.rebuild(&[], "Another row format writes the table anew.")
    } else if option("PAGE_COMPRESSED") || option("PAGE_COMPRESSION_LEVEL") {
        // Instant since MDEV-15527 came to 11; on 10.11 it rebuilds (measured).
        match scene.flavor.at_least_mariadb(11, 0, 0) && !text.ends_with('0') {
            true => Way::instant(Work::Metadata, "Pages are compressed from the next time they are written."),
            false => scene.rebuild(&[], "Page compression writes the table anew."),
        }
    } else if option("ENCRYPT") {
        match scene.is_mariadb() {
            true => scene.rebuild(&[], "Encryption writes the table anew."),
            false => Way::copy("Encryption is changed by a copy."),
        }
    } else if option("COMPRESSION") {
        Way::metadata("Pages are compressed from the next time they are written.")
    } else if scene.is_innodb() {
        scene.definition("InnoDB has no use for this option.")
    } else {
        Way::copy("The option is a matter of the table's files, which are written anew.")
    })
}

fn other(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let text = clause.text.to_ascii_uppercase();
    let words: Vec<&str> = text.split([' ', '=', '\t', '\n']).filter(|word| !word.is_empty()).collect();
    let way = match (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default()) {
        ("MAX_ROWS" | "MIN_ROWS" | "AVG_ROW_LENGTH", _) if !scene.is_innodb() => {
            Way::copy("The option is a matter of the table's files, which are written anew.")
        }
        (
            "MAX_ROWS"
            | "MIN_ROWS"
            | "AVG_ROW_LENGTH"
            | "STATS_PERSISTENT"
            | "STATS_AUTO_RECALC"
            | "STATS_SAMPLE_PAGES"
            | "PASSWORD"
            | "CONNECTION"
            | "SECONDARY_ENGINE_ATTRIBUTE"
            | "ENGINE_ATTRIBUTE"
            | "AUTOEXTEND_SIZE",
            _,
        ) => scene.definition("The option is a matter of definition."),
        ("ALTER", "INDEX" | "KEY") => scene.definition("Whether an index is used is a matter of definition."),
        ("ALTER", "CHECK" | "CONSTRAINT") if text.contains("NOT ENFORCED") => {
            scene.definition("No row is checked any more.")
        }
        ("ALTER", "CHECK" | "CONSTRAINT") => Way::copy("Each row is checked, which the server does by a copy."),
        ("DROP", "CONSTRAINT") => {
            let name = clause.object.as_deref().unwrap_or_default();
            if scene.index(name).is_some() {
                return drop_index(clause, &[clause], scene);
            }
            scene.definition("A constraint that goes is a matter of definition.")
        }
        ("ADD" | "DROP", "SYSTEM") if scene.is_mariadb() => {
            Way::copy("System versioning gives each row two more columns.")
        }
        _ => return Err(unknown(clause)),
    };
    Ok(way)
}
