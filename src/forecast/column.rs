//! Columns that come, go, change and are renamed.

use super::change;
use super::clause;
use super::scene::Scene;
use super::way::{Said, Stop, Way, Work};
use crate::replay::record::DdlLock;
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, ColumnKey, Place};

/// ADD COLUMN.
pub fn add(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    if clause.columns.is_empty() {
        return Err(clause::unknown(clause));
    }
    let mut together: Option<Way> = None;
    for column in &clause.columns {
        let text = clause.text.to_ascii_uppercase();
        if scene.column(&column.name).is_some() {
            if text.contains("IF NOT EXISTS") {
                continue;
            }
            let dropped = |other: &&&AlterClause| {
                other.class == AlterClass::DropColumn
                    && other.object.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&column.name))
            };
            if !all.iter().any(|other| dropped(&other)) {
                return Err(Stop::Refused(format!("There is a column '{}' (error 1060).", column.name)));
            }
        }
        let next = added(column, scene);
        together = Some(match together {
            None => next,
            Some(way) => way.with(next, scene.is_mariadb()),
        });
    }
    let together = together.unwrap_or_else(|| Way::instant(Work::Metadata, "The column is there."));
    if scene.is_mariadb() && scene.is_innodb() && adds_both(all) {
        // Measured on 10.11 and 11.8; its manual does not say so.
        return Ok(Way::copy("MariaDB adds ordinary and virtual columns in one statement by a copy only."));
    }
    Ok(together)
}

/// The statement adds virtual columns and others.
fn adds_both(all: &[&AlterClause]) -> bool {
    let added = all.iter().filter(|clause| clause.class == AlterClass::AddColumn).flat_map(|clause| &clause.columns);
    let is_virtual = |column: &ColumnDefinition| column.generated.as_ref().is_some_and(|generated| !generated.stored);
    let (virtual_ones, others): (Vec<_>, Vec<_>) = added.partition(|column| is_virtual(column));
    !virtual_ones.is_empty() && !others.is_empty()
}

fn added(column: &ColumnDefinition, scene: &Scene<'_>) -> Way {
    if !scene.is_innodb() {
        return Way::copy("Its engine is not InnoDB, so the server copies the table for a new column.");
    }
    let mut way = plainly_added(column, scene);
    match column.key {
        Some(ColumnKey::Primary) => way = way.with(scene.rebuild(&[], "A primary key writes the rows anew."), false),
        Some(ColumnKey::Unique) => {
            way = way.with(Way::index(DdlLock::None, "Its unique index is built."), scene.is_mariadb());
        }
        None => {}
    }
    use crate::server::ability::Ability as _;
    if column.check && scene.flavor.enforces_checks() && !scene.is_mariadb() {
        way = Way::copy("Each row is checked, which the server does by a copy.");
    }
    if column.references && (scene.flavor.at_least_mariadb(10, 5, 0) || scene.flavor.at_least_mysql(9, 0, 0)) {
        way = way.with(Way::copy("Its foreign key is checked row by row."), false);
    }
    way
}

fn plainly_added(column: &ColumnDefinition, scene: &Scene<'_>) -> Way {
    if let Some(generated) = &column.generated {
        return match generated.stored {
            true => Way::copy("A stored column's values are computed row by row."),
            false => Way::instant(Work::Metadata, "A virtual column is a matter of definition."),
        };
    }
    if column.auto_increment {
        return Way::rebuild(DdlLock::Shared, "Each row gets its number while writers are kept out.").keeping_out();
    }
    if let Some(default) = &column.default
        && is_computed(default, scene)
    {
        return Way::copy("The default is an expression, so each row's value is computed.");
    }
    let last = scene.flavor.at_least_mysql(8, 0, 29) || scene.flavor.at_least_mariadb(10, 4, 0);
    let spatial = matches!(
        column.data_type.as_str(),
        "geometry"
            | "point"
            | "linestring"
            | "polygon"
            | "multipoint"
            | "multilinestring"
            | "multipolygon"
            | "geometrycollection"
    ) && column.nullable == Some(false)
        && !scene.is_mariadb();
    match scene.instant_columns(true) {
        Ok(()) if !last && column.place.is_some() => {
            scene.rebuild(&[], "This version adds a column instantly at the end of the table only.")
        }
        Ok(()) if spatial => {
            scene.rebuild(&[], "A spatial column that may not be NULL has no default to add instantly.")
        }
        Ok(()) => Way::instant(Work::Rebuild, "The new column is a matter of definition until a row is written."),
        Err(_) if scene.is_mariadb() && scene.has_indexed_virtual() && column.place.is_some() => {
            Way::copy("A stored column between others is not added in place beside an indexed virtual one.")
        }
        Err(why) => scene.rebuild(&[], why),
    }
}

/// A default that is not the same for all rows, or that the server does not take for constant.
fn is_computed(default: &str, scene: &Scene<'_>) -> bool {
    let text = default.trim().to_ascii_lowercase();
    if !scene.is_mariadb() {
        return text.starts_with('(');
    }
    // MariaDB computes what is constant once: literals, arithmetic, and the time.
    let mut bare = String::new();
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '\'';
        bare.push(if quoted { ' ' } else { c });
    }
    let words = bare.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| {
        word.starts_with(|c: char| c.is_alphabetic())
            && !matches!(
                *word,
                "null" | "true" | "false" | "now" | "current_timestamp" | "localtime" | "localtimestamp"
            )
            && !matches!(
                *word,
                "curdate" | "curtime" | "current_date" | "current_time" | "user" | "current_user" | "b" | "x"
            )
    });
    words.count() > 0
}

/// A clause of the statement adds this column as a virtual one.
pub fn adds_virtual(all: &[&AlterClause], column: Option<&str>) -> bool {
    let added = all.iter().filter(|clause| clause.class == AlterClass::AddColumn).flat_map(|clause| &clause.columns);
    let mut generated = added.filter(|own| own.generated.as_ref().is_some_and(|generated| !generated.stored));
    generated.any(|own| column.is_some_and(|column| column.eq_ignore_ascii_case(&own.name)))
}

/// DROP COLUMN.
pub fn drop(clause: &AlterClause, all: &[&AlterClause], scene: &Scene<'_>) -> Said {
    let Some(name) = clause.object.as_deref() else { return Err(clause::unknown(clause)) };
    if let Some(table) = scene.table {
        if table.column(name).is_none() {
            return match clause.text.to_ascii_uppercase().contains("IF EXISTS") {
                true => Ok(Way::instant(Work::Metadata, "The column is not there.")),
                false => Err(Stop::Unknown(format!("The known definition has no column '{name}'."))),
            };
        }
        let dropped = |key: &str| {
            let names = |other: &&&AlterClause| {
                other.class == AlterClass::DropForeignKey
                    && other.object.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(key))
            };
            all.iter().any(|other| names(&other))
        };
        if let Some(key) = scene.foreign_key_of(name).filter(|key| !dropped(&key.name)) {
            let why = format!("The column '{name}' is needed by the foreign key '{}' (error 1828 or 1553).", key.name);
            return Err(Stop::Refused(why));
        }
        if let Some((child, key)) = scene.referred_by(name) {
            let why = format!("The foreign key '{}' of {child} refers to the column '{name}' (error 1829).", key.name);
            return Err(Stop::Refused(why));
        }
    }
    if !scene.is_innodb() {
        return Ok(Way::copy("Its engine is not InnoDB, so the server copies the table without the column."));
    }
    let indexes: Vec<_> =
        scene.indexes_with(name).into_iter().filter(|index| !clause::drops_index(all, &index.name)).collect();
    let shared = indexes.iter().find(|index| index.unique && index.columns.len() > 1);
    if let Some(index) = shared.filter(|_| scene.is_mariadb()) {
        let why = format!(
            "The unique index '{}' has further columns, and would mean less without '{name}' (error 1072).",
            index.name
        );
        return Err(Stop::Refused(why));
    }
    if scene.is_virtual(name) {
        return Ok(match scene.is_mariadb() && indexes.is_empty() {
            true => Way::instant(Work::Metadata, "A virtual column is a matter of definition."),
            false => Way::metadata("A virtual column, and its index, are a matter of definition."),
        });
    }
    let gone: Vec<&str> =
        indexes.iter().filter(|index| index.columns.len() == 1).map(|index| index.name.as_str()).collect();
    if indexes.iter().any(|index| index.name == "PRIMARY") {
        return Ok(scene.rebuild(&gone, "A column of the primary key goes, so the rows are put in another order."));
    }
    let can = scene.flavor.at_least_mysql(8, 0, 29) || scene.flavor.at_least_mariadb(10, 4, 0);
    let possible = if can { scene.instant_columns(true) } else { Err("This version drops no column instantly.") };
    Ok(match possible {
        Ok(()) if !indexes.is_empty() && !scene.is_mariadb() => {
            scene.rebuild(&gone, "The column is part of an index, so it does not go instantly.")
        }
        // An index on it alone goes with it; one on others besides is built anew, and then nothing is instant.
        Ok(()) if indexes.len() > gone.len() => {
            scene.rebuild(&gone, "An index on the column and others is built anew.")
        }
        Ok(()) if !indexes.is_empty() => {
            Way { work: Work::Metadata, ..Way::metadata("The column goes with its index.") }
        }
        Ok(()) => Way::instant(Work::Rebuild, "The column is a matter of definition until a row is written."),
        Err(_) if scene.is_mariadb() && scene.has_indexed_virtual() && !is_last(name, scene) => {
            Way::copy("A stored column between others does not go in place beside an indexed virtual one.")
        }
        Err(why) => scene.rebuild(&gone, why),
    })
}

fn is_last(name: &str, scene: &Scene<'_>) -> bool {
    let last = scene.table.and_then(|table| table.columns.last());
    last.is_some_and(|column| column.name.eq_ignore_ascii_case(name))
}

/// RENAME COLUMN, and the name of a CHANGE.
pub fn rename(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let Some(name) = clause.object.as_deref() else { return Err(clause::unknown(clause)) };
    renamed(name, scene)
}

fn renamed(name: &str, scene: &Scene<'_>) -> Said {
    if let Some(table) = scene.table {
        if table.column(name).is_none() {
            return Err(Stop::Unknown(format!("The known definition has no column '{name}'.")));
        }
        let uses = |text: &str| text.contains(&format!("`{name}`"));
        let mut generated = table.columns.iter().filter_map(|column| column.generated.as_deref());
        if !scene.is_mariadb() && generated.any(uses) {
            return Err(Stop::Refused(format!("A generated column depends on '{name}' (error 3108).")));
        }
    }
    let why = "A column's name is a matter of definition.";
    if !scene.is_mariadb() && scene.is_innodb() {
        let instant = scene.flavor.at_least_mysql(8, 0, 28) && scene.referred_by(name).is_none();
        return Ok(if instant { Way::instant(Work::Metadata, why) } else { Way::metadata(why) });
    }
    Ok(Way::instant(Work::Metadata, why))
}

/// MODIFY and CHANGE.
pub fn modify(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let (Some(name), Some(new)) = (clause.object.as_deref(), clause.columns.first()) else {
        return Err(clause::unknown(clause));
    };
    if scene.table.is_none() {
        return Err(Stop::Unknown(format!(
            "The present definition of the column '{name}' is not known: the change may be instant or copy every row."
        )));
    }
    let Some(old) = scene.column(name) else {
        return Err(Stop::Unknown(format!("The known definition has no column '{name}'.")));
    };
    let mut way = change::way(old, new, scene)?;
    if !new.name.eq_ignore_ascii_case(name) {
        way = way.with(renamed(name, scene)?, scene.is_mariadb());
    }
    if moves(name, new, scene) {
        way = way.with(moved(scene), scene.is_mariadb());
    }
    match new.key {
        Some(ColumnKey::Primary) if !scene.is_key(name) => {
            way = way.with(scene.rebuild(&[], "A primary key writes the rows anew."), false);
        }
        Some(ColumnKey::Unique) => {
            way = way.with(Way::index(DdlLock::None, "Its unique index is built."), scene.is_mariadb());
        }
        _ => {}
    }
    use crate::server::ability::Ability as _;
    if new.check && scene.flavor.enforces_checks() {
        way = way.with(Way::copy("Each row is checked, which the server does by a copy."), false);
    }
    if way.work == Work::Copy && !way.instant {
        refused_by_keys(name, scene)?;
    }
    Ok(way)
}

/// MySQL copies no table whose copied column another table refers to (error 1833).
fn refused_by_keys(name: &str, scene: &Scene<'_>) -> Result<(), Stop> {
    let checks = scene.session.foreign_key_checks && !scene.is_mariadb();
    match scene.referred_by(name).filter(|_| checks) {
        Some((child, key)) => Err(Stop::Refused(format!(
            "The foreign key '{}' of {child} refers to the column '{name}' (error 1833).",
            key.name
        ))),
        None => Ok(()),
    }
}

/// FIRST or AFTER puts it elsewhere than it is.
fn moves(name: &str, new: &ColumnDefinition, scene: &Scene<'_>) -> bool {
    let Some(table) = scene.table else { return new.place.is_some() };
    let at = |name: &str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    match (&new.place, at(name)) {
        (None, _) => false,
        (Some(Place::First), here) => here != Some(0),
        (Some(Place::After(other)), here) => here != at(other).map(|place| place + 1),
    }
}

fn moved(scene: &Scene<'_>) -> Way {
    let why = "The column is put elsewhere in each row.";
    let possible = scene.flavor.at_least_mariadb(10, 4, 0) && scene.instant_columns(true).is_ok();
    if !scene.is_innodb() {
        Way::copy(why)
    } else if possible {
        Way::instant(Work::Rebuild, "Where a column stands is a matter of definition until a row is written.")
    } else if scene.is_mariadb() && scene.has_indexed_virtual() {
        Way::copy(why)
    } else {
        scene.rebuild(&[], why)
    }
}

/// CONVERT TO CHARACTER SET.
pub fn convert(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let words: Vec<String> = clause.text.split([' ', '=', '\n', '\t']).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let after = |word: &str| {
        let at = words.iter().position(|own| *own == word)?;
        words.get(at + 1).map(|value| value.trim_matches(['\'', '"', '`']).to_owned())
    };
    let Some(table) = scene.table else {
        return Ok(Way::copy("Each text is written anew in the other character set (unless all have it already)."));
    };
    let Some(charset) = after("set").or_else(|| after("charset")).filter(|charset| charset != "default") else {
        return Err(clause::unknown(clause));
    };
    let collation = after("collate");
    let mut together = scene.definition("All texts have this character set and collation already.");
    for old in table.columns.iter().filter(|column| column.collation.is_some()) {
        let new =
            ColumnDefinition { charset: Some(charset.clone()), collation: collation.clone(), ..change::as_it_is(old) };
        let next = match change::text(old, &new, scene) {
            // A TEXT that may hold as many characters as before becomes a larger type.
            _ if change::grows_out_of_its_type(old, &charset) => Way::copy("A TEXT becomes the next larger type."),
            Some(way) if scene.is_mariadb() && way.work < Work::Copy => {
                Way::copy("MariaDB converts a whole table's character set by a copy.")
            }
            Some(way) => way,
            None => continue,
        };
        together = together.with(next, scene.is_mariadb());
    }
    let plain = together.instant || together.work == Work::Metadata;
    if !scene.is_innodb() && !plain {
        together = Way::copy("Each text is written anew in the other character set.");
    }
    Ok(together)
}
