//! What a script says of findings that its author knows of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `-- rehearse: ignore RULE[, RULE] [until=DATE] reason="why"` before a statement: what is found there is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignore {
    /// The rules.
    pub rules: Vec<String>,
    /// Why it is accepted; none where nothing was said, and then it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day on which it is (`2026-12-31`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The line that it stands on.
    pub line: u64,
    /// What in it could not be read; it then does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strange: Option<String>,
}

impl Ignore {
    /// Reads what follows the word `ignore`.
    pub fn read(text: &str, line: u64) -> Self {
        let mut ignore = Self { line, ..Self::default() };
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '=')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let Some(value) = after.trim_start().strip_prefix('=') else {
                if !word.is_empty() {
                    ignore.rules.push(word.to_owned());
                }
                rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                continue;
            };
            let (value, after) = value_of(value.trim_start());
            match word {
                "reason" => ignore.reason = Some(value.trim().to_owned()).filter(|reason| !reason.is_empty()),
                "until" => ignore.until = Some(value.to_owned()),
                other => ignore.strange = Some(other.to_owned()),
            }
            rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        }
        ignore
    }
}

/// As it is written after `-- rehearse:`.
impl fmt::Display for Ignore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ignore {}", self.rules.join(", "))?;
        if let Some(until) = &self.until {
            write!(f, " until={until}")?;
        }
        match &self.reason {
            Some(reason) if reason.contains('"') => write!(f, " reason='{}'", reason.replace('\'', "’")),
            Some(reason) => write!(f, " reason=\"{reason}\""),
            None => Ok(()),
        }
    }
}

/// A value, in quotes or up to the next blank, and what follows it.
fn value_of(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_a_reason_and_a_date_are_read() {
        let ignore = Ignore::read(" drop-table, table-rebuild until=2026-12-31 reason=\"it's small\"", 3);
        assert_eq!(ignore.rules, ["drop-table", "table-rebuild"]);
        assert_eq!((ignore.reason.as_deref(), ignore.until.as_deref()), (Some("it's small"), Some("2026-12-31")));
        assert_eq!((&ignore.strange, ignore.line), (&None, 3));
        let again = |ignore: &Ignore| Ignore::read(ignore.to_string().strip_prefix("ignore").expect("the word"), 3);
        assert_eq!(again(&ignore), ignore, "it reads back as it was written");
        let quoted = Ignore { reason: Some("the \"old\" one".to_owned()), ..ignore };
        assert_eq!(again(&quoted), quoted);
    }

    #[test]
    fn what_is_missing_or_misspelt_is_kept_to_be_told() {
        assert_eq!(Ignore::read("drop-table", 1).reason, None);
        assert_eq!(Ignore::read("drop-table reason=\"  \"", 1).reason, None);
        assert_eq!(Ignore::read("reason=\"why\"", 1).rules, Vec::<String>::new());
        assert_eq!(Ignore::read("drop-table resaon=\"why\"", 1).strange.as_deref(), Some("resaon"));
        assert_eq!(Ignore::read("drop-table reason = 'a, b' , x", 1).rules, ["drop-table", "x"]);
    }
}
