//! A column's definition in a statement, and a key's columns, read off the tokens.

use crate::sql::record::{ColumnDefinition, ColumnKey, Generated, KeyPart, Place, values_of};
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// The columns that a clause from token `first` to before `last` defines: `ADD [COLUMN] a INT`, `ADD (a INT, b INT)`,
/// `MODIFY a INT`, `CHANGE a b INT`. The clause is known to be one of these.
pub fn columns(tokens: &Tokens<'_>, first: usize, last: usize) -> Vec<ColumnDefinition> {
    let change = tokens.is(first, "CHANGE");
    let mut at = tokens.skip_if_exists(tokens.skip(first + 1, &["COLUMN"]));
    if change {
        at += 1; // the name that it had
    }
    if !tokens.is_symbol(at, "(") {
        return column(tokens, at, last).into_iter().collect();
    }
    let close = tokens.after_parenthesis(at).min(last).saturating_sub(1);
    let parts = tokens.parts(at + 1, close);
    let keys = ["PRIMARY", "UNIQUE", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "FOREIGN", "CONSTRAINT", "CHECK"];
    parts
        .into_iter()
        .filter(|(first, _)| !tokens.is_any(*first, &keys))
        .filter_map(|(first, last)| column(tokens, first, last))
        .collect()
}

/// The parts of the first key list `(a, b(10) DESC, (expression))` between the tokens.
pub fn key_parts(tokens: &Tokens<'_>, first: usize, last: usize) -> Vec<KeyPart> {
    let Some(open) = (first..last).find(|at| tokens.is_symbol(*at, "(")) else { return Vec::new() };
    let close = tokens.after_parenthesis(open).min(last).saturating_sub(1);
    let part = |(first, _): (usize, usize)| match tokens.is_symbol(first, "(") {
        true => KeyPart { column: None, prefix: None },
        false => KeyPart { column: tokens.name(first), prefix: Reader::numbers(tokens, first + 1).0 },
    };
    tokens.parts(open + 1, close).into_iter().map(part).collect()
}

/// `name type …` between the tokens; none without a name and a type.
fn column(tokens: &Tokens<'_>, first: usize, last: usize) -> Option<ColumnDefinition> {
    if first + 1 >= last || tokens.kind(first + 1) != Some(TokenKind::Word) {
        return None;
    }
    let definition = ColumnDefinition { name: tokens.name(first)?, ..ColumnDefinition::default() };
    let mut reader = Reader { tokens, at: first + 1, last, definition };
    reader.data_type();
    while reader.at < last {
        reader.attribute();
    }
    Some(reader.definition)
}

/// Reads one definition, word by word.
struct Reader<'a, 'b> {
    tokens: &'a Tokens<'b>,
    at: usize,
    last: usize,
    definition: ColumnDefinition,
}

impl Reader<'_, '_> {
    fn is(&self, words: &[&str]) -> bool {
        self.at + words.len() <= self.last && self.tokens.are(self.at, words)
    }

    /// Passes over these words when they stand here.
    fn take(&mut self, words: &[&str]) -> bool {
        let found = self.is(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// The numbers of `(n)` or `(n, m)` at `at`.
    fn numbers(tokens: &Tokens<'_>, at: usize) -> (Option<u64>, Option<u64>) {
        if !tokens.is_symbol(at, "(") {
            return (None, None);
        }
        let number = |at: usize| tokens.at(at).parse().ok();
        (number(at + 1), if tokens.is_symbol(at + 2, ",") { number(at + 3) } else { None })
    }

    fn data_type(&mut self) {
        let mut word = self.tokens.at(self.at).to_ascii_lowercase();
        self.at += 1;
        if word == "national" || (word == "long" && self.tokens.is_any(self.at, &["VARCHAR", "VARBINARY", "CHAR"])) {
            let next = self.tokens.at(self.at).to_ascii_lowercase();
            word = if word == "long" { format!("long {next}") } else { format!("n{next}") };
            self.at += 1;
        }
        let varying = self.take(&["VARYING"]) || self.take(&["PRECISION"]);
        let (name, implied) = canonical(&word, varying);
        let definition = &mut self.definition;
        definition.data_type = name.to_owned();
        match implied {
            Implied::Nothing => {}
            Implied::Length(length) => definition.length = Some(length),
            Implied::National => definition.charset = Some("utf8".to_owned()),
            Implied::Serial => {
                definition.unsigned = true;
                definition.nullable = Some(false);
                definition.auto_increment = true;
                definition.key = Some(ColumnKey::Unique);
            }
        }
        if self.tokens.is_symbol(self.at, "(") && self.at < self.last {
            self.parenthesis();
        }
        if self.definition.length.is_none() {
            self.definition.length = default_length(&self.definition.data_type);
        }
        if self.definition.data_type == "decimal" && self.definition.scale.is_none() {
            self.definition.scale = Some(0);
        }
    }

    fn parenthesis(&mut self) {
        let (open, close) = (self.at, self.tokens.after_parenthesis(self.at).min(self.last));
        self.at = close;
        if matches!(self.definition.data_type.as_str(), "enum" | "set") {
            // From the text: tokens of a long list are folded.
            self.definition.values = values_of(&format!("enum{}", self.tokens.text_of(open, close)));
            return;
        }
        let (length, scale) = Self::numbers(self.tokens, open);
        let data_type = self.definition.data_type.as_str();
        if ColumnDefinition::is_integer(data_type) {
            self.definition.length = length.filter(|width| data_type == "tinyint" && *width == 1);
        } else if matches!(data_type, "text" | "blob") {
            let sized = sized(data_type, length.unwrap_or(0)).to_owned();
            self.definition.data_type = sized;
        } else if data_type == "float" && scale.is_none() {
            if length.is_some_and(|bits| bits > 24) {
                self.definition.data_type = "double".to_owned();
            }
        } else if data_type != "year" {
            (self.definition.length, self.definition.scale) = (length, scale);
        }
    }

    fn attribute(&mut self) {
        let from = self.at;
        if self.take(&["NOT", "NULL"]) {
            self.definition.nullable = Some(false);
        } else if self.take(&["NULL"]) {
            self.definition.nullable = Some(true);
        } else if self.take(&["UNSIGNED"]) {
            self.definition.unsigned = true;
        } else if self.take(&["SIGNED"]) || self.take(&["VISIBLE"]) {
        } else if self.take(&["ZEROFILL"]) {
            (self.definition.zerofill, self.definition.unsigned) = (true, true);
        } else if self.take(&["AUTO_INCREMENT"]) {
            self.definition.auto_increment = true;
        } else if self.take(&["INVISIBLE"]) {
            self.definition.invisible = true;
        } else if self.take(&["CHARACTER", "SET"]) || self.take(&["CHAR", "SET"]) || self.take(&["CHARSET"]) {
            self.definition.charset = self.option();
        } else if self.take(&["ASCII"]) {
            self.definition.charset = Some("latin1".to_owned());
        } else if self.take(&["COLLATE"]) {
            self.definition.collation = self.option();
        } else if self.take(&["COMMENT"]) {
            self.definition.comment = Some(self.tokens.at(self.at).to_owned());
            self.at += 1;
        } else if self.take(&["DEFAULT"]) {
            self.definition.default = Some(self.value());
        } else if self.take(&["ON", "UPDATE"]) {
            self.value();
            self.definition.on_update = true;
        } else if self.take(&["UNIQUE"]) {
            self.take(&["KEY"]);
            self.definition.key = Some(ColumnKey::Unique);
        } else if self.take(&["PRIMARY", "KEY"]) || self.take(&["PRIMARY"]) || self.take(&["KEY"]) {
            (self.definition.key, self.definition.nullable) = (Some(ColumnKey::Primary), Some(false));
        } else if self.take(&["FIRST"]) {
            self.definition.place = Some(Place::First);
        } else if self.take(&["AFTER"]) {
            self.definition.place = self.tokens.name(self.at).map(Place::After);
            self.at += 1;
        } else if self.take(&["REFERENCES"]) {
            self.references();
        } else {
            self.longer_attribute();
        }
        if self.at <= from {
            self.definition.unread.push(self.tokens.at(from).to_owned());
            self.at = from + 1;
        }
    }

    fn longer_attribute(&mut self) {
        if self.take(&["GENERATED", "ALWAYS"]) || self.is(&["AS"]) {
            if self.take(&["AS"]) && self.tokens.is_symbol(self.at, "(") {
                let close = self.tokens.after_parenthesis(self.at).min(self.last);
                let expression = self.tokens.text_of(self.at + 1, close.saturating_sub(1)).to_owned();
                self.at = close;
                let stored = self.take(&["STORED"]) || self.take(&["PERSISTENT"]);
                if !stored {
                    self.take(&["VIRTUAL"]);
                }
                self.definition.generated = Some(Generated { expression, stored });
            }
        } else if self.take(&["CONSTRAINT"]) {
            if !self.is(&["CHECK"]) && !self.is(&["REFERENCES"]) {
                self.at += 1;
            }
        } else if self.take(&["CHECK"]) {
            self.at = self.tokens.after_parenthesis(self.at).min(self.last);
            let _enforced = self.take(&["NOT", "ENFORCED"]) || self.take(&["ENFORCED"]);
            self.definition.check = true;
        } else if self.take(&["COLUMN_FORMAT"]) || self.take(&["STORAGE"]) || self.take(&["SRID"]) {
            self.at += 1;
        } else if self.take(&["BINARY"]) {
            // `CHAR(5) BINARY`: the binary collation of its character set.
            self.definition.collation = Some("binary collation".to_owned());
        }
    }

    /// `=` and a word or text.
    fn option(&mut self) -> Option<String> {
        self.at += usize::from(self.tokens.is_symbol(self.at, "="));
        let name = self.tokens.name(self.at).map(|name| name.to_ascii_lowercase());
        self.at += 1;
        name
    }

    /// A literal, a word, a call or an expression in parentheses.
    fn value(&mut self) -> String {
        let from = self.at;
        if self.tokens.is_symbol(self.at, "-") || self.tokens.is_symbol(self.at, "+") {
            self.at += 1;
        }
        if !self.tokens.is_symbol(self.at, "(") {
            self.at += 1;
        }
        if self.tokens.is_symbol(self.at, "(") {
            self.at = self.tokens.after_parenthesis(self.at);
        }
        self.at = self.at.min(self.last);
        self.tokens.text_of(from, self.at).to_owned()
    }

    fn references(&mut self) {
        self.definition.references = true;
        if let Some((_, after)) = self.tokens.table(self.at, "") {
            self.at = after;
        }
        if self.tokens.is_symbol(self.at, "(") {
            self.at = self.tokens.after_parenthesis(self.at);
        }
        while self.take(&["ON", "DELETE"]) || self.take(&["ON", "UPDATE"]) || self.take(&["MATCH"]) {
            let two = self.take(&["SET", "NULL"]) || self.take(&["SET", "DEFAULT"]) || self.take(&["NO", "ACTION"]);
            self.at += usize::from(!two);
        }
    }
}

/// What a type's name implies besides.
enum Implied {
    Nothing,
    Length(u64),
    National,
    Serial,
}

/// The information schema's word for a type (both manuals, "Using Data Types from Other Database Engines").
fn canonical(word: &str, varying: bool) -> (&str, Implied) {
    use Implied::{Length, National, Nothing, Serial};
    match word {
        "bool" | "boolean" => ("tinyint", Length(1)),
        "int1" => ("tinyint", Nothing),
        "int2" => ("smallint", Nothing),
        "int3" | "middleint" => ("mediumint", Nothing),
        "integer" | "int4" => ("int", Nothing),
        "int8" => ("bigint", Nothing),
        "serial" => ("bigint", Serial),
        "dec" | "numeric" | "fixed" | "number" => ("decimal", Nothing),
        "real" | "float8" => ("double", Nothing),
        "float4" => ("float", Nothing),
        "char" | "character" if varying => ("varchar", Nothing),
        "character" => ("char", Nothing),
        "varcharacter" | "varchar2" => ("varchar", Nothing),
        "nchar" | "ncharacter" if varying => ("varchar", National),
        "nchar" | "ncharacter" => ("char", National),
        "nvarchar" | "nvarcharacter" => ("varchar", National),
        "long" | "long varchar" | "long char" => ("mediumtext", Nothing),
        "long varbinary" => ("mediumblob", Nothing),
        "clob" => ("longtext", Nothing),
        "raw" => ("varbinary", Nothing),
        other => (other, Nothing),
    }
}

fn default_length(data_type: &str) -> Option<u64> {
    match data_type {
        "char" | "binary" | "bit" => Some(1),
        "decimal" => Some(10),
        _ => None,
    }
}

/// The smallest TEXT or BLOB that holds so many characters or bytes.
fn sized(data_type: &str, length: u64) -> &'static str {
    match (data_type, length) {
        ("text", 0) => "text",
        ("blob", 0) => "blob",
        ("text", ..=255) => "tinytext",
        ("text", ..=65_535) => "text",
        ("text", ..=16_777_215) => "mediumtext",
        ("text", _) => "longtext",
        (_, ..=255) => "tinyblob",
        (_, ..=65_535) => "blob",
        (_, ..=16_777_215) => "mediumblob",
        _ => "longblob",
    }
}

#[cfg(test)]
mod tests;
