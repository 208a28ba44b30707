//! Table definitions in one spelling, so that two of them differ only where the tables do. Pure.

use similar::TextDiff;

/// A `SHOW CREATE TABLE` in one spelling: without `AUTO_INCREMENT=`, secondary indexes sorted, foreign keys and checks
/// without their (often generated) names and sorted by content, defaults that are written out left out. What is no
/// `CREATE TABLE` with a column list comes back trimmed.
pub fn normalise(create: &str) -> String {
    let Some(parts) = Parts::of(create) else { return create.trim().to_owned() };
    let tail = normal_tail(parts.tail);
    let (charset, collation) = (option(&tail, "DEFAULT CHARSET="), option(&tail, "COLLATE="));
    let (mut columns, mut primary, mut indexes, mut foreign, mut checks) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in &parts.items {
        let item = fold_space(item);
        let content = without_constraint_name(&item);
        let upper = content.to_ascii_uppercase();
        if upper.starts_with("PRIMARY KEY") {
            primary.push(content.to_owned());
        } else if ["UNIQUE ", "KEY ", "INDEX ", "FULLTEXT ", "SPATIAL ", "VECTOR "]
            .iter()
            .any(|word| upper.starts_with(word))
        {
            indexes.push(item.clone());
        } else if upper.starts_with("FOREIGN KEY") {
            foreign.push(content.to_owned());
        } else if upper.starts_with("CHECK") {
            checks.push(content.to_owned());
        } else {
            columns.push(normal_column(&item, charset.as_deref(), collation.as_deref()));
        }
    }
    indexes.sort();
    foreign.sort();
    checks.sort();
    let items: Vec<String> = [columns, primary, indexes, foreign, checks].concat();
    let items: Vec<String> = items.iter().map(|item| format!("  {item}")).collect();
    format!("{} (\n{}\n) {tail}", fold_space(parts.head), items.join(",\n")).trim_end().to_owned()
}

/// What differs between two normalised definitions as a unified diff; empty when they are equal.
pub fn diff(left: &str, right: &str) -> String {
    if left == right {
        return String::new();
    }
    let (left, right) = (format!("{left}\n"), format!("{right}\n"));
    TextDiff::from_lines(&left, &right).unified_diff().context_radius(2).header("before", "after").to_string()
}

/// A definition of a view or program without the account that made it: ``DEFINER=`a`@`b` ``.
pub fn without_definer(create: &str) -> String {
    let Some((head, rest)) = create.split_once(" DEFINER=") else { return create.to_owned() };
    let name = |text: &str| {
        if text.starts_with('`') { quoted_name(text) } else { text.find([' ', '@']).unwrap_or(text.len()) }
    };
    let user = name(rest);
    // A role has no host.
    let end = if rest[user..].starts_with('@') { user + 1 + name(&rest[user + 1..]) } else { user };
    format!("{head}{}", &rest[end..])
}

/// A definition's three parts.
struct Parts<'a> {
    head: &'a str,
    items: Vec<&'a str>,
    tail: &'a str,
}

impl<'a> Parts<'a> {
    fn of(create: &'a str) -> Option<Self> {
        let create = create.trim().trim_end_matches(';');
        if !create.get(..6)?.eq_ignore_ascii_case("create") {
            return None;
        }
        let mut items = Vec::new();
        let (mut depth, mut open, mut start) = (0_u32, None, 0);
        let mut at = 0;
        while let Some(c) = create[at..].chars().next() {
            let mut taken = c.len_utf8();
            match c {
                '\'' | '"' | '`' => taken = quoted(&create[at..], c),
                '(' => {
                    depth += 1;
                    if open.is_none() {
                        open = Some(at);
                        start = at + 1;
                    }
                }
                ')' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        items.push(create[start..at].trim());
                        let head = create[..open?].trim();
                        return Some(Self { head, items, tail: create[at + 1..].trim() });
                    }
                }
                ',' if depth == 1 => {
                    items.push(create[start..at].trim());
                    start = at + 1;
                }
                _ => {}
            }
            at += taken;
        }
        None
    }
}

/// Length of the quoted text that `text` begins with, quotes included; all of it when the quote is not closed. A doubled
/// quote reads as the end of one and the begin of the next text, which comes to the same here.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// White space outside of quotes as single blanks.
fn fold_space(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let taken = match c {
            '\'' | '"' | '`' => {
                let taken = quoted(&text[at..], c);
                folded.push_str(&text[at..at + taken]);
                taken
            }
            c if c.is_whitespace() => {
                if !folded.is_empty() && !folded.ends_with(' ') {
                    folded.push(' ');
                }
                c.len_utf8()
            }
            c => {
                folded.push(c);
                c.len_utf8()
            }
        };
        at += taken;
    }
    folded.trim_end().to_owned()
}

/// ``CONSTRAINT `name` FOREIGN KEY …`` without the first two words.
fn without_constraint_name(item: &str) -> &str {
    let Some(rest) = strip_word(item, "CONSTRAINT") else { return item };
    if rest.starts_with('`') {
        return rest[quoted_name(rest)..].trim_start();
    }
    let upper = rest.to_ascii_uppercase();
    if ["CHECK", "FOREIGN", "PRIMARY", "UNIQUE"].iter().any(|word| upper.starts_with(word)) {
        return rest;
    }
    rest.find(' ').map_or(rest, |end| rest[end..].trim_start())
}

/// Length of a quoted identifier, doubled backticks in it included.
fn quoted_name(text: &str) -> usize {
    let mut end = quoted(text, '`');
    while text[end..].starts_with('`') {
        end += quoted(&text[end..], '`');
    }
    end
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

/// The table options without what says nothing about the table.
fn normal_tail(tail: &str) -> String {
    let folded = fold_space(tail);
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    let mut start = 0;
    let mut words = Vec::new();
    while let Some(c) = folded[at..].chars().next() {
        match c {
            '\'' | '"' | '`' => at += quoted(&folded[at..], c),
            ' ' => {
                words.push(&folded[start..at]);
                at += 1;
                start = at;
            }
            c => at += c.len_utf8(),
        }
    }
    words.push(&folded[start..]);
    for word in words {
        let upper = word.to_ascii_uppercase();
        let noise =
            upper.starts_with("AUTO_INCREMENT=") || upper == "ROW_FORMAT=DYNAMIC" || upper == "ROW_FORMAT=DEFAULT";
        if !noise {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// The value of a table option as `SHOW CREATE TABLE` prints it.
fn option(tail: &str, name: &str) -> Option<String> {
    let at = tail.find(name)?;
    tail[at + name.len()..].split(' ').next().map(str::to_owned)
}

/// A column without the character set and collation that it has from its table anyway.
fn normal_column(item: &str, charset: Option<&str>, collation: Option<&str>) -> String {
    let mut column = item.to_owned();
    if let Some(charset) = charset {
        column = without_words(&column, &format!(" CHARACTER SET {charset}"));
    }
    if let Some(collation) = collation {
        column = without_words(&column, &format!(" COLLATE {collation}"));
    }
    column
}

/// The text without the first place where `words` stand as whole words outside of quotes.
fn without_words(text: &str, words: &str) -> String {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if matches!(c, '\'' | '"' | '`') {
            at += quoted(&text[at..], c);
            continue;
        }
        if text[at..].starts_with(words) && text[at + words.len()..].chars().next().is_none_or(|next| next == ' ') {
            return format!("{}{}", &text[..at], &text[at + words.len()..]);
        }
        at += c.len_utf8();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "CREATE TABLE `orders` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(20) DEFAULT 'a, (b' COMMENT 'it''s ) here',
  `user_id` int,
  PRIMARY KEY (`id`),
  KEY `b` (`name`,`user_id`),
  UNIQUE KEY `a` (`user_id`),
  CONSTRAINT `orders_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`),
  CONSTRAINT `orders_chk_1` CHECK ((`user_id` > 0))
) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='x AUTO_INCREMENT=3 y'";

    #[test]
    fn what_only_looks_different_is_equal() {
        let other = ORDERS
            .replace("AUTO_INCREMENT=42", "AUTO_INCREMENT=7 ROW_FORMAT=DYNAMIC")
            .replace("orders_ibfk_1", "fk_7f`` x")
            .replace("orders_chk_1", "positive")
            .replace("varchar(20)", "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci")
            .replace(
                "  KEY `b` (`name`,`user_id`),\n  UNIQUE KEY `a` (`user_id`),",
                "  UNIQUE KEY `a` (`user_id`),\n  KEY `b` (`name`,`user_id`),",
            );
        assert_ne!(other, ORDERS);
        assert_eq!(diff(&normalise(ORDERS), &normalise(&other)), "");
    }

    #[test]
    fn what_is_different_stays_different() {
        let changes = [
            ("`id` bigint", "`id` int"),
            ("'a, (b'", "'a, (B'"),
            ("it''s ) here", "it''s )  here"),
            ("KEY `b`", "KEY `bb`"),
            ("REFERENCES `users`", "REFERENCES `people`"),
            ("`user_id` > 0", "`user_id` > 1"),
            ("x AUTO_INCREMENT=3 y", "x y"),
            ("ENGINE=InnoDB", "ENGINE=MyISAM"),
            ("COLLATE=utf8mb4_0900_ai_ci", "COLLATE=utf8mb4_bin"),
            ("  `name` varchar(20)", "  `nick` int,\n  `name` varchar(20)"),
        ];
        for (from, to) in changes {
            let other = ORDERS.replace(from, to);
            assert_ne!(other, ORDERS, "{from}");
            let diff = diff(&normalise(ORDERS), &normalise(&other));
            assert!(diff.lines().skip(2).any(|line| line.starts_with('+')), "{from} → {to}: {diff}");
        }
    }

    #[test]
    fn the_order_of_columns_counts() {
        let swapped = ORDERS.replace("  `user_id` int,\n", "").replace("  `name`", "  `user_id` int,\n  `name`");
        assert_ne!(normalise(ORDERS), normalise(&swapped));
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form() {
        let once = normalise(ORDERS);
        assert_eq!(normalise(&once), once);
        assert!(!once.contains("AUTO_INCREMENT=42") && !once.contains("orders_ibfk_1"), "{once}");
    }

    #[test]
    fn who_made_it_is_left_out() {
        for definer in ["`a`@`%`", "`a b``c`@`10.%`", "`role`", "a@b"] {
            let create =
                format!("CREATE ALGORITHM=UNDEFINED DEFINER={definer} SQL SECURITY DEFINER VIEW `v` AS select 1");
            let plain = "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1";
            assert_eq!(without_definer(&create), plain);
        }
        assert_eq!(without_definer("CREATE VIEW v AS select 1"), "CREATE VIEW v AS select 1");
    }

    #[test]
    fn a_text_without_a_column_list_is_kept() {
        for text in ["CREATE TABLE t LIKE u", "", "create", "CREATE TABLE t (a int", "CREATE TABLE `t", "é"] {
            assert_eq!(normalise(text), text);
        }
    }
}
