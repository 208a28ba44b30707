//! LOCK TABLES and FLUSH TABLES WITH READ LOCK.

use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "lock-tables",
    what: "LOCK TABLES or FLUSH TABLES WITH READ LOCK shuts other sessions out",
    why: "A WRITE lock stops everybody else's reads and writes, a READ lock their writes, until UNLOCK TABLES or the session's \
          end: also when the script stops half-way and its session stays open. Foreign keys carry it to parents and \
          children. FLUSH TABLES WITH READ LOCK stops every commit on the server.",
    instead: "Let InnoDB lock rows: BEGIN, SELECT … FOR UPDATE of the rows that matter, the change, COMMIT. For a consistent \
              backup read from one snapshot (--single-transaction).",
    needs: Needs::Text,
    check,
    risky: include_str!("lock-tables/risky.sql"),
    safer: include_str!("lock-tables/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    let flush = subject.kind() == Kind::Flush && effect.changes_session;
    if subject.kind() != Kind::LockTables && !flush {
        return Verdict::Clear;
    }
    // A dump locks the table that it has just made.
    let others = |tables: &std::collections::BTreeSet<TableName>| -> Vec<String> {
        tables.iter().filter(|table| !subject.created_here(table)).map(ToString::to_string).collect()
    };
    let (written, read) = (others(&effect.writes), others(&effect.reads));
    let whole = flush && effect.reads.is_empty();
    if written.is_empty() && read.is_empty() && !whole {
        return Verdict::Clear;
    }
    let (stops, of) = if whole {
        ("every commit", "on the server".to_owned())
    } else if written.is_empty() {
        ("every write", format!("to {}", read.join(", ")))
    } else {
        ("every read and write", format!("of {}", written.join(", ")))
    };
    let harm = phrase::harm(subject);
    let cause = match &harm {
        Some(_) => "LOCK TABLES".to_owned(),
        None => format!("stops {stops} {of} by other sessions until it is given back"),
    };
    let cause =
        if harm.is_some() { format!("{cause} stops {stops} {of}{}", phrase::kept_locks(subject)) } else { cause };
    let cure = Some("lock the rows by SELECT … FOR UPDATE in a transaction instead".to_owned());
    Risk::new(subject.weigh(Severity::Warning), phrase::message(harm, cause, cure))
        .with("written", written)
        .with("read", read)
        .into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_lock_on_a_table_that_others_use_is_told() {
        let said = Specimen::of(RULE.risky).messages(RULE.id);
        assert!(said[0].starts_with("stops every read and write of shop.customers by other sessions"), "{said:?}");
        let read = Specimen::of("LOCK TABLES orders READ, customers READ").messages(RULE.id);
        assert!(read[0].starts_with("stops every write to shop.customers, shop.orders"), "{read:?}");
        let whole = Specimen::of("FLUSH TABLES WITH READ LOCK").messages(RULE.id);
        assert!(whole[0].starts_with("stops every commit on the server"), "{whole:?}");
        let measured = Specimen::of(RULE.risky).blocks(1, "customers", ProbeKind::Read, 4.0).messages(RULE.id);
        assert!(measured[0].starts_with("blocks reads to shop.customers for 4.00 s (measured): LOCK TABLES stops"));
    }

    #[test]
    fn a_dump_that_locks_what_it_made_is_quiet() {
        let dump = "CREATE TABLE fresh (id INT); LOCK TABLES fresh WRITE; INSERT INTO fresh VALUES (1); UNLOCK TABLES";
        assert!(Specimen::of(dump).found(RULE.id).is_empty());
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
        assert!(Specimen::of("FLUSH TABLES").found(RULE.id).is_empty());
    }
}
