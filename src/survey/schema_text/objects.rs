//! What clauses say beyond columns and keys, and objects that are no tables, read off their words.

use super::definition::partition;
use crate::sql::record::TableName;
use crate::survey::mention::chains;
use crate::survey::record::{PartitionFacts, TriggerFacts};

/// What a foreign key refers to.
pub struct Reference {
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// What happens to the child when a parent row goes; none where nothing is said.
    pub on_delete: Option<String>,
    /// The same for updates.
    pub on_update: Option<String>,
}

/// Reads `… REFERENCES parent (a, b) ON DELETE …`; a parent without a database is of `database`.
pub fn references(text: &str, database: &str) -> Option<Reference> {
    let words = chains(text);
    let at = words.iter().position(|chain| is(chain, "REFERENCES"))?;
    let parent = named(words.get(at + 1)?, database);
    let after = &text[text.to_ascii_uppercase().find("REFERENCES")?..];
    let open = after.find('(')?;
    let close = open + closing(&after[open..])?;
    let parent_columns = chains(&after[open..close]).into_iter().filter_map(|chain| chain.into_iter().next()).collect();
    let rest: Vec<String> =
        chains(&after[close..]).into_iter().flatten().map(|word| word.to_ascii_uppercase()).collect();
    let action = |event: &str| {
        let at = rest.windows(2).position(|pair| pair[0] == "ON" && pair[1] == event)?;
        Some(match rest.get(at + 2)?.as_str() {
            "SET" | "NO" => format!("{} {}", rest[at + 2], rest.get(at + 3)?),
            one => one.to_owned(),
        })
    };
    Some(Reference { parent, parent_columns, on_delete: action("DELETE"), on_update: action("UPDATE") })
}

/// The trigger that a statement creates on a table, and its name.
pub fn trigger(text: &str, table: &TableName) -> Option<(TableName, TriggerFacts)> {
    let words = chains(text);
    let at = words.iter().position(|chain| is(chain, "TRIGGER"))?;
    let skipped = words[at + 1..].iter().take_while(|chain| ["IF", "NOT", "EXISTS"].iter().any(|word| is(chain, word)));
    let at = at + 1 + skipped.count();
    let name = named(words.get(at)?, &table.database);
    let word = |offset: usize| words.get(at + offset)?.first().map(|word| word.to_ascii_uppercase());
    let facts = TriggerFacts {
        table: table.clone(),
        timing: word(1).filter(|timing| matches!(timing.as_str(), "BEFORE" | "AFTER"))?,
        event: word(2).filter(|event| matches!(event.as_str(), "INSERT" | "UPDATE" | "DELETE"))?,
        create: text.to_owned(),
        sql_mode: String::new(),
        touches: Vec::new(),
    };
    Some((name, facts))
}

/// `CREATE … SEQUENCE`, which is read as a table.
pub fn is_sequence(text: &str) -> bool {
    let kind = chains(text).into_iter().find(|chain| is(chain, "TABLE") || is(chain, "SEQUENCE"));
    kind.is_some_and(|chain| is(&chain, "SEQUENCE"))
}

/// The name that follows the first of some words; without a database where none is named.
pub fn name_after(text: &str, kinds: &[&str]) -> Option<TableName> {
    let words = chains(text);
    let at = words.iter().position(|chain| kinds.iter().any(|kind| is(chain, kind)))?;
    let after = words[at + 1..].iter().find(|chain| !["IF", "NOT", "EXISTS"].iter().any(|word| is(chain, word)))?;
    Some(named(after, ""))
}

/// The partitions of `PARTITION BY …`; none when it was not understood.
pub fn partitions(text: &str) -> Option<Vec<PartitionFacts>> {
    let upper = text.to_ascii_uppercase();
    let by = upper.strip_prefix("PARTITION").and_then(|rest| rest.trim_start().strip_prefix("BY"))?.len();
    let from = text.len() - by;
    let open = from + text[from..].find('(')?;
    let method = upper[from..open].split_whitespace().collect::<Vec<_>>().join(" ");
    let method = method.split(" ALGORITHM").next().unwrap_or_default().to_owned();
    let close = open + closing(&text[open..])?;
    let expression = text[open + 1..close].trim();
    let after = &text[close + 1..];
    if method.contains("HASH") || method.contains("KEY") {
        let words: Vec<String> = chains(after).into_iter().flatten().collect();
        let at = words.iter().position(|word| word.eq_ignore_ascii_case("PARTITIONS"));
        let count = at.and_then(|at| words.get(at + 1)?.parse::<u32>().ok()).unwrap_or(1).min(8_192);
        return Some((0..count).map(|number| partition(&format!("p{number}"), &method, expression, "")).collect());
    }
    // SUBPARTITION BY has parentheses of its own; the list is the last one.
    let list = after.rfind("(PARTITION").or_else(|| after.to_ascii_uppercase().find("(PARTITION")).or_else(|| {
        let at = after.find('(')?;
        after[at + 1..].trim_start().to_ascii_uppercase().starts_with("PARTITION").then_some(at)
    })?;
    let inside = &after[list + 1..list + closing(&after[list..])?];
    let each = split_outside(inside).into_iter().map(|part| {
        let name = chains(part).into_iter().nth(1)?.into_iter().next()?;
        let values = part.find('(').and_then(|at| Some(part[at + 1..at + closing(&part[at..])?].trim()));
        let maxvalue = part.to_ascii_uppercase().contains("MAXVALUE").then_some("MAXVALUE");
        Some(partition(&name, &method, expression, values.or(maxvalue).unwrap_or_default()))
    });
    each.collect()
}

/// The word or text after an option's name: `ENGINE=InnoDB`, `= 'x'`, `AUTO_INCREMENT 5`.
pub fn value(text: &str) -> Option<String> {
    let text = text.trim();
    let value = match text.split_once('=') {
        Some((_, value)) => value,
        None => text.rsplit(char::is_whitespace).next()?,
    };
    let value = value.trim().trim_matches(['\'', '"', '`']);
    let end = value.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(value.len());
    (end > 0).then(|| value[..end].to_owned())
}

/// Where the parenthesis closes that `text` opens with; quotes are passed over.
pub fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('\'' | '"'), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts between commas outside of parentheses.
fn split_outside(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        match text.as_bytes()[at] {
            b'(' => at += closing(&text[at..]).unwrap_or(text.len() - at),
            b',' => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

fn is(chain: &[String], word: &str) -> bool {
    matches!(chain, [only] if only.eq_ignore_ascii_case(word))
}

fn named(chain: &[String], database: &str) -> TableName {
    match chain {
        [database, name, ..] => TableName::new(database, name),
        [name] => TableName::new(database, name),
        [] => TableName::new(database, ""),
    }
}
