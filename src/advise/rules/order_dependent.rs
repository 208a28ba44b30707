//! What depends on the order in which the server happens to read rows.

use crate::advise::alternatives::words::{Word, words};
use crate::advise::condition;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, Kind};
use crate::survey::record::IndexColumn;

/// The rule.
pub const RULE: Rule = Rule {
    id: "order-dependent",
    what: "the result depends on the order in which the server happens to read rows",
    why: "Without ORDER BY the order is whatever the chosen index gives. It may be another one in production than in the \
          rehearsal, on a replica than on its source, after an ANALYZE than before: the same rows then get other numbers, or \
          other rows are taken. Two runs that agree prove nothing.",
    instead: "Add an ORDER BY over a unique key: to the SELECT that feeds an AUTO_INCREMENT, to every LIMIT, to what counts with \
              a user variable. Give a new AUTO_INCREMENT column its numbers by an UPDATE in a known order first.",
    needs: Needs::Text,
    check,
    risky: include_str!("order-dependent/risky.sql"),
    safer: include_str!("order-dependent/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if effect.temporary || effect.writes.iter().chain(&effect.defines).all(|table| subject.created_here(table)) {
        return Verdict::Clear;
    }
    let found = match subject.kind() {
        Kind::Update | Kind::Delete if effect.has_limit && !effect.has_order_by && !pins_rows(subject) => {
            Some(("which rows it takes", "it has a LIMIT without ORDER BY"))
        }
        Kind::Insert | Kind::Replace if !effect.reads.is_empty() && effect.has_limit && !effect.has_order_by => {
            Some(("which rows it copies", "its SELECT has a LIMIT without ORDER BY"))
        }
        Kind::Insert | Kind::Replace if numbers_rows(subject) => {
            Some(("which row gets which AUTO_INCREMENT number", "its SELECT has no ORDER BY"))
        }
        Kind::AlterTable if adds_numbers(subject) => {
            Some(("which row gets which number", "the new AUTO_INCREMENT column numbers rows as they are read"))
        }
        _ => None,
    };
    let counts = || subject.kind().is_dml() && !effect.has_order_by && counts_by_variable(&subject.statement.text);
    let Some((what, why)) =
        found.or_else(|| counts().then_some(("what each row gets", "it counts with a user variable")))
    else {
        return Verdict::Clear;
    };
    // Small batches that are said again and again until nothing is left end in the same state.
    let severity = if subject.count() > 1 { Severity::Info } else { Severity::Warning };
    let message = format!(
        "{what} may differ between rehearsal, production and its replicas: {why}, so the server's choice of an index decides; \
         order it by a unique key"
    );
    Risk::new(severity, message).into()
}

/// The condition gives a value for each column of a unique key, so that its LIMIT leaves nothing to choose: `WHERE id = 5
/// LIMIT 1`. Without a survey, LIMIT 1 beside an equation is taken for that.
pub(super) fn pins_rows(subject: &Subject<'_>) -> bool {
    let Some((start, end)) = subject.statement.reading.effect.condition else { return false };
    let Ok(all) = words(subject.statement.text.get(start..end).unwrap_or_default()) else { return false };
    let loose = ["OR", "IN", "BETWEEN", "LIKE", "NOT", "SELECT"];
    if all.iter().any(|word| word.is_symbol("<") || word.is_symbol(">") || loose.iter().any(|own| word.is(own))) {
        return false;
    }
    match subject.target().and_then(|table| subject.facts(table)) {
        Some(facts) => {
            let arms = condition::arms(subject.statement, &|name| facts.column(name).is_some()).unwrap_or_default();
            let [arm] = arms.as_slice() else { return false };
            let pinned = |part: &IndexColumn| arm.contains(&part.name.to_lowercase());
            facts.indexes.iter().any(|index| index.unique && index.columns.iter().all(pinned))
        }
        None => subject.statement.text.trim_end().ends_with("LIMIT 1") && all.iter().any(|word| word.is_symbol("=")),
    }
}

/// An INSERT … SELECT that leaves the numbers to AUTO_INCREMENT.
fn numbers_rows(subject: &Subject<'_>) -> bool {
    let effect = &subject.statement.reading.effect;
    if effect.reads.is_empty() || effect.has_order_by {
        return false;
    }
    let Some(facts) = effect.writes.first().and_then(|table| subject.facts(table)) else { return false };
    let Some(numbered) = facts.columns.iter().find(|column| column.auto_increment) else { return false };
    let Ok(all) = words(&subject.statement.text) else { return false };
    let Some(select) = all.iter().position(|word| word.is("SELECT") || word.is("WITH")) else { return false };
    // `(SELECT …)` stands in parentheses of its own, and a sub-select in VALUES gives one row.
    if all[..select].iter().any(|word| word.is("VALUES") || word.is("VALUE") || word.is("SET")) {
        return false;
    }
    let list = &all[..select];
    let named = list.iter().any(|word| word.name().is_some_and(|name| name.eq_ignore_ascii_case(&numbered.name)));
    let has_list = list.iter().filter(|word| word.is_symbol("(")).count() > usize::from(all[select - 1].is_symbol("("));
    let ordered = all[select..].windows(2).any(|pair| pair[0].is("ORDER") && pair[1].is("BY"));
    has_list && !named && !ordered
}

/// ADD COLUMN … AUTO_INCREMENT on a table that has rows.
fn adds_numbers(subject: &Subject<'_>) -> bool {
    let effect = &subject.statement.reading.effect;
    let rows = effect.defines.first().and_then(|table| subject.rows_of(table));
    if rows.is_some_and(|figure| figure.rows <= 1) {
        return false;
    }
    let adds = effect.clauses.iter().filter(|clause| clause.class == AlterClass::AddColumn);
    adds.filter_map(|clause| words(&clause.text).ok()).any(|words| words.iter().any(|word| word.is("AUTO_INCREMENT")))
}

/// `@n := @n + 1`.
fn counts_by_variable(text: &str) -> bool {
    let Ok(all) = (if text.contains('@') { words(text) } else { return false }) else { return false };
    let variable = |at: usize| all.get(at).is_some_and(|word: &Word<'_>| word.is_symbol("@"));
    let assigned = |at: usize| {
        let symbol = |at: usize, text| all.get(at).is_some_and(|word: &Word<'_>| word.is_symbol(text));
        symbol(at + 2, ":") && symbol(at + 3, "=")
    };
    (0..all.len()).any(|at| variable(at) && !variable(at + 1) && (at == 0 || !variable(at - 1)) && assigned(at))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;

    #[test]
    fn what_the_order_of_reading_decides_is_told() {
        for (sql, what) in [
            (RULE.risky, "which row gets which AUTO_INCREMENT number"),
            ("DELETE FROM page_views WHERE user_id = 5 LIMIT 100", "which rows it takes"),
            ("UPDATE orders SET status = 'x' WHERE id > 5 LIMIT 1", "which rows it takes"),
            ("INSERT INTO customers SELECT * FROM customers LIMIT 5", "which rows it copies"),
            (
                "ALTER TABLE orders ADD COLUMN number BIGINT NOT NULL AUTO_INCREMENT UNIQUE",
                "which row gets which number",
            ),
            ("UPDATE orders SET customer_id = (@n := @n + 1)", "what each row gets"),
        ] {
            let said = Specimen::of(sql).messages(RULE.id);
            assert!(said.first().is_some_and(|said| said.starts_with(what)), "{sql}: {said:?}");
        }
    }

    #[test]
    fn what_has_an_order_or_numbers_of_its_own_is_quiet() {
        for quiet in [
            RULE.safer,
            "DELETE FROM page_views WHERE user_id = 5 ORDER BY id LIMIT 100",
            "INSERT INTO customers (id, email) SELECT id, url FROM page_views",
            "INSERT INTO customers SELECT * FROM page_views",
            "INSERT INTO customers (email) VALUES ((SELECT MAX(url) FROM page_views))",
            "INSERT INTO customers (email) (SELECT url FROM page_views ORDER BY id)",
            "CREATE TABLE f (id INT AUTO_INCREMENT PRIMARY KEY, a INT); INSERT INTO f (a) SELECT user_id FROM page_views",
            "UPDATE orders SET customer_id = @n",
            "UPDATE orders SET status = 'x' WHERE id = 5 LIMIT 1",
        ] {
            assert!(Specimen::of(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
    }
}
