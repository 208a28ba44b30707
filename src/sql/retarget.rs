//! The same DDL on another table: what is asked of an empty twin, instead of the table itself.

use std::collections::BTreeMap;

use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::sql::tokens::Tokens;

/// A DDL whose tables have other names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retargeted {
    /// The text up to the clauses: `ALTER TABLE name`, or all of it for CREATE INDEX, DROP INDEX and OPTIMIZE.
    pub head: String,
    /// The clauses of an ALTER TABLE; empty for the others.
    pub clauses: String,
    /// What it asks itself: `ALGORITHM=INPLACE, LOCK=NONE`; empty where it asks nothing. Left out of the text.
    pub own: String,
}

impl Retargeted {
    /// The statement with an `ALGORITHM=…, LOCK=…`. In an ALTER it goes first: behind partition clauses no server
    /// takes it.
    pub fn asking(&self, options: &str) -> String {
        match (self.clauses.is_empty(), options.is_empty()) {
            (true, true) => self.head.clone(),
            (true, false) => format!("{} {}", self.head, options.replace(", ", " ")),
            (false, true) => format!("{} {}", self.head, self.clauses),
            (false, false) => format!("{} {options}, {}", self.head, self.clauses),
        }
    }
}

/// Rewrites the names of an ALTER TABLE, CREATE INDEX, DROP INDEX or OPTIMIZE of one table. A table that `names` does not
/// have keeps its own, with its database. None when the text is another statement, or its table is not in `names`.
pub fn ddl(text: &str, database: &str, flavor: Flavor, names: &BTreeMap<TableName, TableName>) -> Option<Retargeted> {
    let tokens = Tokens::new(text, flavor);
    let of = |at: usize| Some(at).filter(|at| *at < tokens.len());
    let target = if tokens.is(0, "ALTER") {
        let table = tokens.skip_any(1, &["ONLINE", "OFFLINE", "IGNORE"]);
        tokens.is(table, "TABLE").then(|| tokens.skip_if_exists(table + 1))?
    } else if tokens.is(0, "OPTIMIZE") {
        let table = tokens.skip_any(1, &["NO_WRITE_TO_BINLOG", "LOCAL"]);
        if tokens.parts(0, tokens.len()).len() > 1 {
            return None;
        }
        tokens.is_any(table, &["TABLE", "TABLES"]).then_some(table + 1)?
    } else if tokens.is_any(0, &["CREATE", "DROP"]) {
        let index = (1..6).find(|at| tokens.is(*at, "INDEX"))?;
        of((index + 1..tokens.len()).find(|at| tokens.is(*at, "ON"))? + 1)?
    } else {
        return None;
    };
    let mut edits = Edits::new(&tokens, database, names);
    let mut after = edits.rename(target, true)?;
    if tokens.is(after, "WAIT") {
        after += 2;
    }
    after = tokens.skip_any(after, &["NOWAIT"]);
    edits.references(after);
    if !tokens.is(0, "ALTER") {
        let (rest, own) = without_options(&tokens, after, tokens.len(), true);
        return Some(Retargeted { head: edits.text(0, rest), clauses: String::new(), own: own.join(", ") });
    }
    let (mut clauses, mut own) = (Vec::new(), Vec::new());
    for (first, last) in tokens.parts(after, tokens.len()) {
        if tokens.is(first, "RENAME") && !tokens.is_any(first + 1, &["COLUMN", "INDEX", "KEY"]) {
            let name = tokens.skip_any(first + 1, &["TO", "AS"]) + usize::from(tokens.is_symbol(first + 1, "="));
            edits.rename(name, true)?;
        } else if tokens.is(first, "EXCHANGE") {
            return None; // needs a second table with rows of its own
        }
        let (rest, options) = without_options(&tokens, first, last, false);
        own.extend(options);
        if rest > first {
            clauses.push(edits.text(first, rest));
        }
    }
    Some(Retargeted { head: edits.text(0, after), clauses: clauses.join(", "), own: own.join(", ") })
}

/// The end of the part `first..last` without the ALGORITHM and LOCK at its end, and these.
fn without_options(tokens: &Tokens<'_>, first: usize, last: usize, of_index: bool) -> (usize, Vec<String>) {
    let option = |at: usize| {
        let value = at + 1 + usize::from(tokens.is_symbol(at + 1, "="));
        let stands_alone = of_index || at == first || tokens.is_symbol(at + 1, "=");
        (tokens.is_any(at, &["ALGORITHM", "LOCK"]) && stands_alone && value < last).then_some(value)
    };
    let Some(rest) = tokens.find_outside(first, last, |at| option(at).is_some()) else { return (last, Vec::new()) };
    let (mut at, mut options) = (rest, Vec::new());
    while let Some(value) = option(at) {
        options.push(format!("{}={}", tokens.at(at).to_ascii_uppercase(), tokens.at(value).to_ascii_uppercase()));
        at = value + 1;
    }
    (rest, options)
}

/// A `SHOW CREATE TABLE` under another name, its foreign keys to the same parents.
pub fn create(text: &str, database: &str, flavor: Flavor, names: &BTreeMap<TableName, TableName>) -> Option<String> {
    let tokens = Tokens::new(text, flavor);
    if !tokens.are(0, &["CREATE", "TABLE"]) {
        return None;
    }
    let mut edits = Edits::new(&tokens, database, names);
    let after = edits.rename(2, true)?;
    edits.references(after);
    // What closes the frame of an executed comment (`/*!50100 PARTITION BY … */`) is no token.
    Some(edits.text(0, tokens.len()) + &text[tokens.end(tokens.len() - 1)..])
}

/// Table names of a text and what stands in their place.
struct Edits<'a, 'b> {
    tokens: &'a Tokens<'b>,
    database: &'a str,
    names: &'a BTreeMap<TableName, TableName>,
    /// First token, one past the last, and the new text, in order of the text.
    list: BTreeMap<usize, (usize, String)>,
}

impl<'a, 'b> Edits<'a, 'b> {
    fn new(tokens: &'a Tokens<'b>, database: &'a str, names: &'a BTreeMap<TableName, TableName>) -> Self {
        Self { tokens, database, names, list: BTreeMap::new() }
    }

    /// Renames the table at `at`; gives the token after it. None where there is no name, or a `known` one is wanted.
    fn rename(&mut self, at: usize, known: bool) -> Option<usize> {
        let (table, after) = self.tokens.table(at, self.database)?;
        // Servers may fold the case of names; a survey has them as they are stored.
        let same = |name: &&TableName| {
            name.database.eq_ignore_ascii_case(&table.database) && name.table.eq_ignore_ascii_case(&table.table)
        };
        let new = self.names.get(&table).or_else(|| self.names.keys().find(same).and_then(|name| self.names.get(name)));
        if new.is_none() && known {
            return None;
        }
        self.list.insert(at, (after, new.unwrap_or(&table).quoted()));
        Some(after)
    }

    fn references(&mut self, from: usize) {
        for at in from..self.tokens.len() {
            if self.tokens.is(at, "REFERENCES") {
                self.rename(at + 1, false);
            }
        }
    }

    fn text(&self, first: usize, last: usize) -> String {
        let mut text = String::new();
        let mut at = first;
        for (from, (to, new)) in self.list.range(first..last) {
            let gap = &self.tokens.text[self.tokens.start(at)..self.tokens.start(*from)];
            text.push_str(gap);
            text.push_str(new);
            // A reserved word may follow the name directly.
            text.push(' ');
            at = *to;
        }
        text.push_str(self.tokens.text_of(at, last));
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeMap<TableName, TableName> {
        let to = |name: &str| TableName::new("twin", name);
        [("orders", "t"), ("orders_new", "t2"), ("lines", "c")]
            .map(|(from, name)| (TableName::new("app", from), to(name)))
            .into()
    }

    fn asked(text: &str) -> String {
        let flavor = "mariadb:10.11".parse().expect("a flavor");
        ddl(text, "app", flavor, &names()).expect(text).asking("ALGORITHM=INPLACE, LOCK=NONE")
    }

    #[test]
    fn an_alter_names_the_twin_and_asks_before_its_clauses() {
        let ask = "ALGORITHM=INPLACE, LOCK=NONE";
        assert_eq!(asked("ALTER TABLE orders ADD a INT"), format!("ALTER TABLE `twin`.`t` {ask}, ADD a INT"));
        assert_eq!(
            asked("alter ignore table `app`.`Orders` NOWAIT DROP PARTITION p0, p1"),
            format!("alter ignore table `twin`.`t` NOWAIT {ask}, DROP PARTITION p0, p1")
        );
        assert_eq!(
            asked("ALTER TABLE orders RENAME TO orders_new, ADD FOREIGN KEY (u) REFERENCES users(id)"),
            format!(
                "ALTER TABLE `twin`.`t` {ask}, RENAME TO `twin`.`t2`, ADD FOREIGN KEY (u) REFERENCES `app`.`users` (id)"
            )
        );
    }

    #[test]
    fn indexes_and_optimize_ask_at_the_end() {
        let ask = "ALGORITHM=INPLACE LOCK=NONE";
        assert_eq!(
            asked("CREATE UNIQUE INDEX i ON orders(a)"),
            format!("CREATE UNIQUE INDEX i ON `twin`.`t` (a) {ask}")
        );
        assert_eq!(asked("DROP INDEX i ON app.orders"), format!("DROP INDEX i ON `twin`.`t` {ask}"));
        assert_eq!(asked("OPTIMIZE LOCAL TABLE orders"), format!("OPTIMIZE LOCAL TABLE `twin`.`t` {ask}"));
    }

    #[test]
    fn what_a_statement_asks_itself_is_told_apart() {
        let flavor = "mysql:9.7".parse().expect("a flavor");
        for (text, rest, own) in [
            (
                "ALTER TABLE orders ADD `lock` INT, ALGORITHM = inplace, LOCK=NONE",
                "ALTER TABLE `twin`.`t` ADD `lock` INT",
                "ALGORITHM=INPLACE, LOCK=NONE",
            ),
            ("ALTER TABLE orders ENGINE=InnoDB LOCK=SHARED", "ALTER TABLE `twin`.`t` ENGINE=InnoDB", "LOCK=SHARED"),
            ("ALTER TABLE orders ADD lock INT", "ALTER TABLE `twin`.`t` ADD lock INT", ""),
            (
                "CREATE INDEX i ON orders (a) ALGORITHM INPLACE LOCK=NONE",
                "CREATE INDEX i ON `twin`.`t` (a)",
                "ALGORITHM=INPLACE, LOCK=NONE",
            ),
        ] {
            let seen = ddl(text, "app", flavor, &names()).expect(text);
            assert_eq!((seen.asking("").as_str(), seen.own.as_str()), (rest, own));
        }
    }

    #[test]
    fn what_a_twin_cannot_stand_in_for_is_not_rewritten() {
        let flavor = "mysql:9.7".parse().expect("a flavor");
        for text in [
            "ALTER TABLE others ADD a INT",
            "OPTIMIZE TABLE orders, lines",
            "DROP TABLE orders",
            "ALTER TABLE orders EXCHANGE PARTITION p WITH TABLE lines",
        ] {
            assert_eq!(ddl(text, "app", flavor, &names()), None, "{text}");
        }
    }

    #[test]
    fn a_definition_keeps_its_parents() {
        let text = "CREATE TABLE `lines` (\n  `id` int,\n  CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `orders` (`id`),\n  \
                    CONSTRAINT `fk2` FOREIGN KEY (`id`) REFERENCES `other`.`users` (`id`)\n)";
        let flavor = "mysql:9.7".parse().expect("a flavor");
        let seen = create(text, "app", flavor, &names()).expect("a definition");
        assert!(seen.starts_with("CREATE TABLE `twin`.`c` (\n"), "{seen}");
        assert!(seen.contains("REFERENCES `twin`.`t` (`id`)") && seen.contains("REFERENCES `other`.`users` (`id`)"));
    }
}
