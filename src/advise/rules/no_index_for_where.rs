//! An UPDATE or DELETE whose condition no index serves.

use crate::advise::condition::{self, Arms};
use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{Kind, TableName};

/// Rows read for one that is changed, from where on an index would have been worth having.
const WASTE: u64 = 10;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-index-for-where",
    what: "no index serves the condition of an UPDATE or DELETE, so it reads and locks rows that it does not change",
    why: "InnoDB locks what it reads, not what it changes: under REPEATABLE READ an UPDATE of one row that has to search the \
          whole table locks every row and every gap until the commit (measured: 2,035 locks for one row of 2,000). Under \
          READ COMMITTED the locks go, the reading stays.",
    instead: "Add an index on the columns of the condition first (ALGORITHM=INPLACE, LOCK=NONE). Or find the rows by a SELECT, \
              which locks nothing, and change them by their primary key.",
    needs: Needs::Survey,
    check,
    risky: include_str!("no-index-for-where/risky.sql"),
    safer: include_str!("no-index-for-where/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if !matches!(subject.kind(), Kind::Update | Kind::Delete) || !effect.has_where || effect.temporary {
        return Verdict::Clear;
    }
    let Some(table) = subject.target() else { return Verdict::Clear };
    let Some(rows) = subject.rows_of(table).filter(|_| !subject.created_here(table)) else { return Verdict::Clear };
    if rows.rows <= MANY_ROWS {
        return Verdict::Clear;
    }
    let measured = subject.observed().and_then(|seen| seen.rows.examined.map(|examined| (seen, examined)));
    let unserved = unserved(subject, table);
    let (reads, changes) = match measured {
        Some((seen, examined)) => {
            let each = examined / subject.count();
            let changed = seen.rows.affected.max(seen.rows.matched.unwrap_or(0)) / subject.count();
            // What searches the whole of a smaller table searches the whole of production's.
            let in_production = (each as f64 * subject.evidence.enlargement(table)) as u64;
            if in_production <= MANY_ROWS || each < changed.saturating_mul(WASTE) {
                return Verdict::Clear;
            }
            (Some(each), Some((changed, seen.rows.locked.map(|locked| locked / subject.count()))))
        }
        None => (None, None),
    };
    let why = match &unserved {
        Ok(None) if reads.is_none() => return Verdict::Clear,
        Ok(None) => "the index that its condition has did not narrow it".to_owned(),
        Ok(Some(columns)) if columns.is_empty() => "its condition compares no column as it stands".to_owned(),
        Ok(Some(columns)) => format!("no index begins with {columns}"),
        Err(why) if reads.is_none() => return Verdict::Unchecked(format!("which rows it reads is not known: {why}")),
        Err(_) => "no index served its condition".to_owned(),
    };
    let verb = subject.kind().name().to_uppercase();
    let committed = subject.session().is_read_committed();
    let locked = changes.and_then(|(_, locked)| locked).filter(|locked| *locked > MANY_ROWS);
    let harm = match (locked, reads) {
        (Some(locked), _) => format!("locks {} rows of {table}", grouped(locked)),
        (None, Some(reads)) => format!("reads {} rows of {table}", grouped(reads)),
        (None, None) if committed => format!("reads {} of {table}", phrase::all_rows(rows)),
        (None, None) => format!("locks {} of {table}", phrase::all_rows(rows)),
    };
    let measured = match reads {
        Some(_) if subject.evidence.enlargement(table) > 1.0 => format!(" {}", phrase::measured(subject, table)),
        _ => String::new(),
    };
    let for_what = changes.map_or_else(String::new, |(changed, _)| format!(" to change {}", grouped(changed)));
    let each = phrase::each(subject, &verb);
    let message = format!(
        "{harm}{for_what}{measured}: {each} has to read the whole table, for {why}; add an index for it first, or change the rows by \
         their primary key"
    );
    let otherwise = if committed && locked.is_none() { Severity::Info } else { Severity::Warning };
    let mut risk =
        Risk::new(subject.weigh(otherwise), message).with("table", table.to_string()).with("rows", rows.rows);
    for (name, value) in [("rows_examined", reads), ("rows_locked", locked), ("rows_changed", changes.map(|own| own.0))]
    {
        if let Some(value) = value {
            risk = risk.with(name, value);
        }
    }
    risk.into()
}

/// The columns of the condition that no index begins with; none where each arm has one that an index does.
fn unserved(subject: &Subject<'_>, table: &TableName) -> Result<Option<String>, &'static str> {
    let facts = subject.facts(table).ok_or("the table is not in the survey")?;
    let past = subject.history.table(table);
    let is_column =
        |name: &str| facts.column(name).is_some() || past.is_some_and(|past| past.column(name).flatten().is_some());
    let arms: Arms = condition::arms(subject.statement, &is_column)?;
    let dropped = |name: &str| past.is_some_and(|past| past.dropped().contains_key(&name.to_ascii_lowercase()));
    let surveyed = facts.indexes.iter().filter(|index| !dropped(&index.name));
    let mut leading = Vec::new();
    for index in surveyed {
        match index.columns.first() {
            Some(first) if first.expression.is_some() => return Err("the table has an index on an expression"),
            Some(first) => leading.push(first.name.to_lowercase()),
            None => {}
        }
    }
    for deed in past.iter().flat_map(|past| past.made().values()) {
        leading.extend(deed.parts.first().and_then(|part| part.column.as_ref()).map(|name| name.to_lowercase()));
    }
    let open = arms.into_iter().find(|arm| !arm.iter().any(|column| leading.contains(column)));
    Ok(open.map(|arm| arm.into_iter().collect::<Vec<_>>().join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    fn unmeasured(sql: &str) -> Vec<String> {
        Specimen::of(sql).messages(RULE.id)
    }

    #[test]
    fn a_condition_without_an_index_locks_every_row() {
        let said = unmeasured(RULE.risky);
        assert!(said[0].starts_with("locks all 9,000,000 rows of shop.page_views: one UPDATE"), "{said:?}");
        assert!(said[0].contains("no index begins with url"), "{said:?}");
        assert!(unmeasured(RULE.safer).is_empty(), "the upgrade has just made the index");
        assert!(unmeasured("UPDATE page_views SET user_id = 1 WHERE id = 5 AND url = 'x'").is_empty());
        assert_eq!(unmeasured("DELETE FROM page_views WHERE id = 5 OR url = 'x'").len(), 1, "one arm reads all");
        assert_eq!(unmeasured("DELETE FROM page_views WHERE id % 7 = 0").len(), 1);
    }

    #[test]
    fn what_was_measured_decides() {
        let seen = |examined, locked, affected| {
            Specimen::of("DELETE FROM page_views WHERE id % 7 = 0").with(1, |seen| {
                seen.rows.examined = Some(examined);
                seen.rows.locked = Some(locked);
                seen.rows.affected = affected;
            })
        };
        let found = seen(9_000_000, 9_000_035, 12).found(RULE.id);
        assert!(found[0].message.starts_with("locks 9,000,035 rows of shop.page_views to change 12: "), "{found:?}");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(seen(9_000_000, 9_000_035, 8_000_000).found(RULE.id).is_empty(), "nearly all are changed");
        assert!(seen(12, 12, 12).found(RULE.id).is_empty());
    }

    #[test]
    fn under_read_committed_it_reads_but_does_not_lock() {
        let sql = format!("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; {}", RULE.risky);
        let found = Specimen::of(&sql).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].message.starts_with("reads all 9,000,000 rows"));
    }
}
