//! A column as it is against a column as it is to be.

use super::scene::Scene;
use super::way::{Said, Stop, Way, Work};
use crate::replay::record::DdlLock;
use crate::sql::record::{ColumnDefinition, Generated, values_of};
use crate::survey::record::ColumnFacts;

/// The way from one definition to the other.
pub fn way(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Said {
    let mut way = match (&old.generated, &new.generated) {
        (None, None) => Way::instant(Work::Metadata, "The column's default and comment are a matter of definition."),
        (was, to) => generated(old, was.as_deref(), to.as_ref(), scene)?,
    };
    if let Some(changed) = retyped(old, new, scene) {
        foreign_key(old, &changed, scene)?;
        way = way.with(changed, scene.is_mariadb());
    }
    if let Some(changed) = text(old, new, scene) {
        way = way.with(changed, scene.is_mariadb());
    }
    if let Some(changed) = nullability(old, new, scene)? {
        way = way.with(changed, scene.is_mariadb());
    }
    if old.auto_increment != new.auto_increment {
        way = way.with(numbered(new.auto_increment, scene), scene.is_mariadb());
    }
    Ok(if scene.is_innodb() { way } else { elsewhere(way, old, new) })
}

/// Other engines change names, defaults, comments and lists of values by definition, and copy for all else.
fn elsewhere(way: Way, old: &ColumnFacts, new: &ColumnDefinition) -> Way {
    let longer = old.data_type == "varchar" && old.length != new.length;
    match way.instant && !longer {
        true => way,
        false => Way::copy(format!("{} Its engine is not InnoDB, so the server copies it.", way.why)),
    }
}

fn generated(old: &ColumnFacts, was: Option<&str>, to: Option<&Generated>, scene: &Scene<'_>) -> Said {
    let is_virtual = scene.is_virtual(&old.name);
    match (was, to) {
        (Some(was), Some(to)) if to.stored == is_virtual => Err(Stop::Refused(format!(
            "A generated column does not change between VIRTUAL and STORED ('{was}', error 3106 or 1907)."
        ))),
        (Some(was), Some(to)) if plain(was) == plain(&to.expression) => {
            Ok(Way::instant(Work::Metadata, "The column's default and comment are a matter of definition."))
        }
        (Some(_), Some(_)) if is_virtual && scene.is_mariadb() => {
            Ok(Way::instant(Work::Metadata, "A virtual column's expression is a matter of definition."))
        }
        (Some(_), Some(_)) => Ok(Way::copy("Another expression computes each row's value anew.")),
        _ if is_virtual => {
            Err(Stop::Refused("A virtual column becomes no ordinary one, nor the other way.".to_owned()))
        }
        _ => Ok(Way::copy("Each row's value is kept, or computed, anew.")),
    }
}

/// An expression without what servers add to it.
fn plain(expression: &str) -> String {
    expression
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '`' | '(' | ')'))
        .collect::<String>()
        .to_lowercase()
}

/// Another type, length, sign or list of values; none when they are the same.
fn retyped(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Option<Way> {
    let (was, to) = (old.data_type.as_str(), new.data_type.as_str());
    let copied =
        || Some(Way::copy(format!("{} becomes {}, so each row is written anew.", old.column_type, spelt(new))));
    let texts = [("tinytext", "tinyblob"), ("text", "blob"), ("mediumtext", "mediumblob"), ("longtext", "longblob")];
    if !scene.is_mariadb() && texts.contains(&(was, to)) {
        // Measured on 9.7: the bytes stay what they are.
        return Some(Way::metadata("A TEXT that becomes a BLOB keeps its bytes."));
    }
    if was != to {
        return copied();
    }
    let unsigned = old.column_type.to_ascii_lowercase().contains("unsigned");
    match was {
        _ if ColumnDefinition::is_integer(was) => {
            if unsigned == new.unsigned {
                None
            } else {
                copied()
            }
        }
        "decimal" => {
            let same = (old.precision, old.scale.or(Some(0))) == (new.length, new.scale.or(Some(0)));
            if same && unsigned == new.unsigned { None } else { copied() }
        }
        "float" | "double" => {
            let pair = old.column_type.contains('(');
            if pair == new.scale.is_some() && unsigned == new.unsigned { None } else { copied() }
        }
        "varchar" | "varbinary" => {
            if old.length == new.length {
                None
            } else {
                Some(lengthened(old, new, scene))
            }
        }
        "char" | "binary" | "bit" => {
            let length = old.length.or(old.precision);
            if length == new.length { None } else { copied() }
        }
        "datetime" | "timestamp" | "time" => {
            if old.scale.unwrap_or(0) == new.length.unwrap_or(0) {
                None
            } else {
                copied()
            }
        }
        "enum" | "set" => values(old, new, scene),
        _ => None,
    }
}

fn spelt(new: &ColumnDefinition) -> String {
    let sign = if new.unsigned { " unsigned" } else { "" };
    match (new.length, new.scale) {
        (Some(length), Some(scale)) => format!("{}({length},{scale}){sign}", new.data_type),
        (Some(length), None) => format!("{}({length}){sign}", new.data_type),
        _ => format!("{}{sign}", new.data_type),
    }
}

fn values(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Option<Way> {
    let was = values_of(&old.column_type);
    if was == new.values {
        return None;
    }
    let bytes = |count: usize| match (old.data_type.as_str(), count) {
        ("enum", ..=255) | ("set", ..=8) => 1,
        ("enum", _) | ("set", 9..=16) => 2,
        ("set", 17..=24) => 3,
        ("set", 25..=32) => 4,
        _ => 8,
    };
    let instant = scene.flavor.at_least_mysql(8, 0, 12) || scene.flavor.at_least_mariadb(10, 3, 2);
    Some(if !new.values.starts_with(&was) {
        Way::copy("Values that are there change their numbers, so each row is written anew.")
    } else if bytes(was.len()) != bytes(new.values.len()) {
        Way::copy("So many values need more bytes, so each row is written anew.")
    } else if instant {
        Way::instant(Work::Metadata, "Values at the end of the list are a matter of definition.")
    } else {
        Way::metadata("Values at the end of the list are a matter of definition.")
    })
}

/// Another length of a VARCHAR or VARBINARY.
fn lengthened(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Way {
    let old_set = old.charset.as_deref().unwrap_or("binary");
    let (new_set, _) = charset_of(new, scene);
    let was = old.length.unwrap_or(0) * width(old_set);
    let to = new.length.unwrap_or(0) * if new.data_type == "varbinary" { 1 } else { width(&new_set) };
    if new.length < old.length || to < was {
        return Way::copy(format!("It gets shorter ({was} to {to} bytes), so each row is checked and written anew."));
    }
    // MariaDB 10.4.3 (MDEV-15563): up to 127 bytes may grow to any length, and REDUNDANT rows do not mind.
    let free = scene.flavor.at_least_mariadb(10, 4, 3) && (was <= 127 || scene.is_redundant());
    if was <= 255 && to > 255 && !free {
        return Way::copy(format!(
            "It grows from {was} to {to} bytes: past 255 each row needs a second byte for its length, and is written anew."
        ));
    }
    scene.definition("It grows without another byte for its length.")
}

/// A column as it stands, as a definition.
pub fn as_it_is(old: &ColumnFacts) -> ColumnDefinition {
    ColumnDefinition {
        name: old.name.clone(),
        data_type: old.data_type.clone(),
        length: old.length,
        values: values_of(&old.column_type),
        nullable: Some(old.nullable),
        ..ColumnDefinition::default()
    }
}

/// `TEXT` (65,535 bytes) in a wider character set becomes `MEDIUMTEXT` when a whole table is converted (both manuals).
pub fn grows_out_of_its_type(old: &ColumnFacts, charset: &str) -> bool {
    matches!(old.data_type.as_str(), "tinytext" | "text" | "mediumtext")
        && width(charset) > width(old.charset.as_deref().unwrap_or("binary"))
}

/// Another character set or collation of a text; none when it is the same, or no text.
pub fn text(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Option<Way> {
    let (was, old_collation) = (old.charset.as_deref()?, old.collation.as_deref()?);
    if !ColumnDefinition::is_text(&new.data_type) || old.data_type != new.data_type {
        return None; // the other type has said it already
    }
    let (to, collation) = charset_of(new, scene);
    let was = alias(was);
    let indexed = scene.indexes_with(&old.name);
    if was == to {
        if alias(old_collation) == collation {
            return None;
        }
        let listed = matches!(old.data_type.as_str(), "enum" | "set");
        return Some(match (scene.is_mariadb(), indexed.is_empty()) {
            (_, true) | (true, _) if listed => {
                Way::instant(Work::Metadata, "A list's collation is a matter of definition.")
            }
            (_, true) => scene.definition("The collation of a column without an index is a matter of definition."),
            (true, false) if indexed.iter().any(|index| index.name == "PRIMARY") => {
                Way::copy("The primary key's order changes with its collation.")
            }
            (true, false) => Way::index(DdlLock::None, "The column's indexes are built anew in the other order."),
            (false, false) => Way::copy("The column's indexes change their order with its collation."),
        });
    }
    let widens = was == "utf8mb3" && to == "utf8mb4";
    let (bytes_was, bytes_to) =
        (old.length.unwrap_or(0) * width(&was), new.length.or(old.length).unwrap_or(0) * width(&to));
    let crosses = old.data_type == "varchar" && bytes_was <= 255 && bytes_to > 255;
    Some(if matches!(old.data_type.as_str(), "enum" | "set") {
        match scene.is_mariadb() || !widens {
            true => Way::copy("Its values are written anew in the other character set."),
            false => Way::instant(Work::Metadata, "The rows hold numbers, not the values' text."),
        }
    } else if widens && indexed.is_empty() && !crosses {
        scene.definition("What utf8mb3 holds is utf8mb4 already.")
    } else {
        Way::copy(format!("Each text is written anew, from {was} to {to}."))
    })
}

/// Whether NULL is allowed changes; none when it does not.
fn nullability(old: &ColumnFacts, new: &ColumnDefinition, scene: &Scene<'_>) -> Result<Option<Way>, Stop> {
    let key = scene.is_key(&old.name);
    let silent_timestamp = new.data_type == "timestamp" && new.nullable.is_none();
    if silent_timestamp && !scene.flavor.at_least_mysql(8, 0, 0) && !scene.flavor.at_least_mariadb(10, 10, 0) {
        return Ok(None); // depends on explicit_defaults_for_timestamp
    }
    let to = new.nullable.unwrap_or(!key && !new.auto_increment);
    if old.generated.is_some() || to == old.nullable {
        return Ok(None);
    }
    if to && key {
        return match scene.is_mariadb() {
            true => Ok(None), // it stays NOT NULL, and nobody says so
            false => Err(Stop::Refused(format!("'{}' is part of the primary key (error 1171).", old.name))),
        };
    }
    if to {
        let why = "Each row gets a bit for NULL.";
        return Ok(Some(if scene.is_mariadb() && scene.is_redundant() {
            Way::instant(Work::Metadata, "Rows of this format have the bit for NULL already.")
        } else {
            scene.rebuild(&[], why)
        }));
    }
    let sets_null = |action: &str| action.eq_ignore_ascii_case("set null");
    if let Some(key) = scene.foreign_key_of(&old.name)
        && (sets_null(&key.on_delete) || sets_null(&key.on_update))
    {
        let why = format!("The foreign key '{}' sets '{}' to NULL (error 1830).", key.name, old.name);
        return Err(Stop::Refused(why));
    }
    let why = "Each row loses its bit for NULL, and is checked for one.";
    let timed = new
        .default
        .as_deref()
        .is_some_and(|text| !text.starts_with('\'') && text.contains(|c: char| c.is_alphabetic()));
    Ok(Some(if !scene.is_mariadb() && !scene.session.strict {
        Way::copy("Without a strict sql_mode NULLs are turned into defaults, which the server does by a copy.")
    } else if scene.is_mariadb() && timed {
        Way::copy("NULLs are replaced by a default that is not constant, which the server does by a copy.")
    } else if scene.is_mariadb() && scene.has_indexed_virtual() {
        Way::copy("Beside an indexed virtual column, NULL is ruled out by a copy only.")
    } else {
        scene.rebuild(&[], why)
    }))
}

/// AUTO_INCREMENT comes or goes.
fn numbered(comes: bool, scene: &Scene<'_>) -> Way {
    match (comes, scene.is_mariadb()) {
        (false, true) => Way::instant(Work::Metadata, "AUTO_INCREMENT that goes is a matter of definition."),
        (false, false) => Way::copy("A column loses AUTO_INCREMENT by a copy."),
        (true, _) => Way::copy("A column gets AUTO_INCREMENT by a copy.").keeping_out(),
    }
}

/// A column that a foreign key ties to another keeps its type.
fn foreign_key(old: &ColumnFacts, changed: &Way, scene: &Scene<'_>) -> Result<(), Stop> {
    if changed.work < Work::Copy {
        return Ok(());
    }
    let own = scene.foreign_key_of(&old.name).map(|key| key.name.clone());
    let other = scene.referred_by(&old.name).map(|(_, key)| key.name.clone());
    match own.or(other) {
        Some(key) => Err(Stop::Refused(format!(
            "The foreign key '{key}' ties the type of '{}' to its other side's (error 3780, 1832 or 1833).",
            old.name
        ))),
        None => Ok(()),
    }
}

/// The character set and collation that a definition gets, with the table's where it names none.
fn charset_of(new: &ColumnDefinition, scene: &Scene<'_>) -> (String, String) {
    let collation = new.collation.as_deref().map(alias);
    let by_collation = || collation.as_deref().and_then(|name| name.split('_').next()).map(str::to_owned);
    let named = new.charset.as_deref().map(alias).or_else(by_collation);
    let (charset, default) = match named {
        Some(charset) => (charset, None),
        None => {
            let (charset, collation) = scene.charset();
            (charset.map_or_else(|| "binary".to_owned(), |name| alias(&name)), collation.map(|name| alias(&name)))
        }
    };
    let own = collation.or(default).unwrap_or_else(|| default_collation(&charset, scene));
    (charset, own)
}

/// `utf8` → `utf8mb3`, in lower case.
fn alias(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("utf8") {
        Some(rest) if rest.is_empty() || rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name,
    }
}

fn default_collation(charset: &str, scene: &Scene<'_>) -> String {
    let end = match charset {
        "binary" => return "binary".to_owned(),
        "utf8mb4" if scene.flavor.at_least_mysql(8, 0, 1) => "0900_ai_ci",
        // MariaDB 11.6, character_set_collations (MDEV-25829).
        "utf8mb4" | "utf8mb3" | "ucs2" | "utf16" | "utf32" if scene.flavor.at_least_mariadb(11, 6, 0) => {
            "uca1400_ai_ci"
        }
        "latin1" => "swedish_ci",
        "gbk" | "big5" | "gb2312" | "gb18030" => "chinese_ci",
        "sjis" | "cp932" | "ujis" | "eucjpms" => "japanese_ci",
        "euckr" => "korean_ci",
        _ => "general_ci",
    };
    format!("{charset}_{end}")
}

/// Bytes that one character may take.
fn width(charset: &str) -> u64 {
    match alias(charset).as_str() {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "gbk" | "big5" | "gb2312" | "sjis" | "cp932" | "euckr" => 2,
        _ => 1,
    }
}
