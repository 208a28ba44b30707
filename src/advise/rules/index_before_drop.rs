//! An index that is dropped while nothing serves in its place.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::heirs::{Heirs, begins};
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::sql::record::{AlterClass, AlterClause, TableName};
use crate::survey::record::TableFacts;

/// The rule.
pub const RULE: Rule = Rule {
    id: "index-before-drop",
    what: "an index is dropped before another one serves in its place",
    why: "From that moment every query that went by the index reads the whole table, and every UPDATE and DELETE by it locks \
          all rows that it reads. Building the new index takes as long as the table is large, and nothing helps meanwhile. \
          An index that a foreign key needs cannot be dropped (1553); MariaDB with foreign_key_checks=0 drops it all the \
          same, and each change of a parent row then reads the whole child.",
    instead: "Add the new index first, see that queries use it, then drop the old one: or do both in one ALTER TABLE. Where \
              nothing shall replace it, make it INVISIBLE (MySQL) or IGNORED (MariaDB) for a week before it goes.",
    needs: Needs::Survey,
    check,
    risky: include_str!("index-before-drop/risky.sql"),
    safer: include_str!("index-before-drop/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(altered) = Altered::of(subject) else { return Verdict::Clear };
    let Some(facts) = subject.facts(altered.table) else { return Verdict::Clear };
    let dropped = altered.clauses_of(&[AlterClass::DropIndex]);
    dropped.filter_map(|clause| risk(subject, &altered, facts, clause)).collect::<Vec<_>>().into()
}

fn risk(subject: &Subject<'_>, altered: &Altered<'_>, facts: &TableFacts, clause: &AlterClause) -> Option<Risk> {
    let Altered { table, size, .. } = altered;
    let name = clause.object.as_deref()?;
    let index = facts.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))?;
    let columns: Vec<&str> = index.columns.iter().map(|column| column.name.as_str()).collect();
    let heirs = Heirs { altered, facts, past: subject.history.table(table), dropped: name };
    let mut keys = keys_on(subject, table, facts);
    keys.retain(|key| begins(&columns, |column| Some(column), &key.columns));
    if let Some(key) = keys.iter().find(|key| !heirs.serve(&key.columns)) {
        return Some(for_key(subject, altered, name, key));
    }
    let leading = columns.first().filter(|leading| !leading.is_empty())?;
    if size.is_small() || heirs.serve(&[leading]) {
        return None;
    }
    let harm = if index.kind == "FULLTEXT" {
        format!("queries with MATCH on {table}.{leading} fail with error 1191 from here on")
    } else {
        format!("queries by {table}.{leading} read {} from here on", size.all())
    };
    let unique = if index.unique { ", and nothing keeps duplicates out any more" } else { "" };
    let message = format!(
        "{harm}: {name} is dropped and no other index leads with {leading}{unique}; add the index that replaces it first, or \
         in the same ALTER TABLE"
    );
    Some(size.on(table, Risk::new(Severity::Warning, message)).with("index", name).with("column", *leading))
}

/// A foreign key that leans on an index of the table, with that index's columns.
struct Key<'a> {
    name: &'a str,
    columns: Vec<&'a str>,
    child: &'a TableName,
}

/// Foreign keys of the table, and of others to it.
fn keys_on<'a>(subject: &Subject<'a>, table: &'a TableName, facts: &'a TableFacts) -> Vec<Key<'a>> {
    let key = |name: &'a str, columns: &'a [String], child: &'a TableName| {
        let columns = columns.iter().map(String::as_str).collect();
        Key { name, columns, child }
    };
    let own = facts.foreign_keys.iter().map(|foreign| key(&foreign.name, &foreign.columns, table));
    let surveyed = subject.evidence.survey.into_iter().flat_map(|survey| &survey.tables);
    let to_it = surveyed.flat_map(|(child, facts)| {
        let keys = facts.foreign_keys.iter().filter(|foreign| foreign.parent == *table);
        keys.map(move |foreign| key(&foreign.name, &foreign.parent_columns, child))
    });
    own.chain(to_it).collect()
}

fn for_key(subject: &Subject<'_>, altered: &Altered<'_>, name: &str, key: &Key<'_>) -> Risk {
    let Altered { table, size, .. } = altered;
    // MySQL refuses with the checks off, too (measured on 9.7).
    let unguarded = subject.session().switch("foreign_key_checks") == Some(false)
        && subject.evidence.flavor.is_some_and(|flavor| flavor.is_mariadb());
    let harm = if unguarded {
        format!("each change of a parent row reads {} of {}", Size::of(subject, key.child).all(), key.child)
    } else {
        "fails with error 1553".to_owned()
    };
    let message = format!(
        "{harm}: the foreign key {} needs an index on {table} ({}), and {name} is the only one; add the one that replaces \
         it first, or in the same ALTER TABLE",
        key.name,
        key.columns.join(", ")
    );
    size.on(table, Risk::new(Severity::Error, message)).with("index", name).with("foreign_key", key.name)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, add_index, shop};

    fn specimen(sql: &str) -> Specimen {
        let mut specimen = Specimen::of(sql);
        add_index(&mut specimen.survey, "page_views", "user", &["user_id"]);
        add_index(&mut specimen.survey, "orders", "customer", &["customer_id"]);
        specimen
    }

    #[test]
    fn an_index_that_goes_before_its_heir_is_found_and_one_that_goes_after_it_is_not() {
        let found = specimen(RULE.risky).found("index-before-drop");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        assert!(
            found[0]
                .message
                .starts_with("queries by shop.page_views.user_id read all 9,000,000 rows (858.3 MiB) from here"),
            "{}",
            found[0].message
        );
        for safe in [
            RULE.safer,
            "ALTER TABLE page_views DROP INDEX user, ADD INDEX heir (user_id, url)",
            "CREATE INDEX heir ON page_views (user_id, url); DROP INDEX user ON page_views",
            "ALTER TABLE page_views DROP INDEX nowhere",
        ] {
            assert!(specimen(safe).found("index-before-drop").is_empty(), "{safe}");
        }
        let gone =
            "CREATE INDEX heir ON page_views (user_id); DROP INDEX heir ON page_views; DROP INDEX user ON page_views";
        assert_eq!(specimen(gone).found("index-before-drop").len(), 1, "the heir went again");
    }

    #[test]
    fn what_a_foreign_key_needs_cannot_go() {
        let messages = specimen("DROP INDEX customer ON orders").messages("index-before-drop");
        assert!(messages[0].starts_with("fails with error 1553: the foreign key orders_customer needs an index"));
        let safe = "ALTER TABLE orders DROP INDEX customer, ADD INDEX heir (customer_id, status)";
        assert!(specimen(safe).found("index-before-drop").is_empty());
    }

    #[test]
    fn an_index_of_a_small_table_may_go() {
        let mut specimen = specimen("DROP INDEX user ON page_views");
        specimen.survey.tables.get_mut(&shop("page_views")).expect("the table").rows = 500;
        specimen.changes.get_mut(&shop("page_views")).expect("the table").rows_before = Some(500);
        assert!(specimen.found("index-before-drop").is_empty());
    }
}
