//! An ALTER said otherwise: with its algorithm made explicit, clause by clause, or together with the ones after it.

use super::compose::Composer;
use super::tools::tools;
use super::words::words;
use crate::advise::record::Alternative;
use crate::quantity::grouped;
use crate::replay::record::{Algorithm, DdlFacts, Observation, Outcome};
use crate::server::flavor::Flavor;
use crate::sql::record::{AlterClass, AlterClause, Confidence, Kind, Statement, TableName};
use crate::survey::record::{Survey, TableFacts};

/// Tables with fewer rows than this are copied before anybody minds.
const FEW_ROWS: u64 = 100_000;

/// The alternatives to an ALTER TABLE, CREATE INDEX or DROP INDEX that ran: explicit where it went well, clause by clause
/// where it copied or rebuilt, and the tools where only a copy will do.
pub fn of(statement: &Statement, observed: &Observation, survey: &Survey, flavor: Flavor) -> Vec<Alternative> {
    let Some((table, facts)) = target(statement, survey) else { return Vec::new() };
    let Some(ddl) = observed.ddl.filter(|_| observed.outcome == Outcome::Done && observed.count == 1) else {
        return Vec::new();
    };
    if facts.rows < FEW_ROWS {
        return Vec::new();
    }
    let writes_anew = ddl.algorithm == Algorithm::Copy || ddl.rebuilds;
    let mut all = Vec::new();
    if ddl.algorithm != Algorithm::Copy {
        all.extend(explicit(statement, table, facts, ddl, flavor));
    }
    if writes_anew {
        all.extend(split(statement, table));
    }
    if ddl.algorithm == Algorithm::Copy {
        all.extend(tools(statement, survey, flavor));
    }
    all
}

/// The table that is altered, where it is one of production's that can roll back, and stays where it is.
pub fn target<'a>(statement: &'a Statement, survey: &'a Survey) -> Option<(&'a TableName, &'a TableFacts)> {
    let effect = &statement.reading.effect;
    let alters = matches!(statement.reading.kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex);
    if !alters || effect.temporary || !effect.renames.is_empty() || statement.reading.confidence == Confidence::Unknown
    {
        return None;
    }
    let mut tables = effect.defines.iter();
    let table = tables.next().filter(|_| tables.next().is_none())?;
    Some((table, survey.tables.get(table).filter(|facts| facts.is_transactional())?))
}

/// Clauses that say how, or that stand apart from the others.
pub fn is_odd(clause: &AlterClause) -> bool {
    use AlterClass::*;
    matches!(clause.class, Algorithm | Lock | Partition | RenameTable | Tablespace | OrderBy | Other)
}

/// The same statement with what it did made a demand, so that the server refuses (error 1845 or 1846) rather than copies.
fn explicit(
    statement: &Statement,
    table: &TableName,
    facts: &TableFacts,
    ddl: DdlFacts,
    flavor: Flavor,
) -> Option<Alternative> {
    let clauses = &statement.reading.effect.clauses;
    if clauses.is_empty() || clauses.iter().any(is_odd) {
        return None;
    }
    let demand = demand(clauses, facts, ddl, flavor);
    let mut script = Composer::new(statement, "explicit");
    if statement.reading.kind == Kind::AlterTable {
        script.alter(table, &parts(statement, table).ok()?, &demand);
    } else {
        let words = words(&statement.text).ok()?;
        let end = words.iter().rev().find(|word| !word.is_symbol(";"))?.end;
        script.restate(format!("{} {}", &statement.text[..end], demand.join(" ")));
    }
    let demand = demand.join(", ");
    Some(Alternative {
        caveats: vec![format!(
            "It is the same statement. Where the server cannot do it so (another version, another row format, 64 INSTANT \
             changes before, a FULLTEXT index), it refuses with error 1845 or 1846, and nothing has changed. Without {demand} \
             it would copy the table instead, unasked."
        )],
        ..alternative("explicit", statement, format!("the same with {demand}"), script)
    })
}

/// What to demand of a statement that went this way. MySQL's INPLACE may rebuild; MariaDB's INPLACE means "at most that",
/// hence NOCOPY where nothing was rebuilt. A new full-text or spatial index, and on MySQL a new AUTO_INCREMENT column,
/// keep writers out whatever one asks (manual).
fn demand(clauses: &[AlterClause], facts: &TableFacts, ddl: DdlFacts, flavor: Flavor) -> Vec<&'static str> {
    use AlterClass::{AddColumn, AddFulltext, AddSpatial, ColumnDefault, DropColumn, ModifyColumn, RenameColumn};
    let all = |classes: &[AlterClass]| clauses.iter().all(|clause| classes.contains(&clause.class));
    if ddl.algorithm == Algorithm::Instant {
        let of_columns = [AddColumn, DropColumn, RenameColumn, ColumnDefault];
        if all(&of_columns) || flavor.is_mariadb() && all(&[&of_columns[..], &[ModifyColumn]].concat()) {
            return vec!["ALGORITHM=INSTANT"];
        }
    }
    let has = |classes: &[AlterClass]| clauses.iter().any(|clause| classes.contains(&clause.class));
    let counts = clauses.iter().any(|clause| clause.text.to_ascii_uppercase().contains("AUTO_INCREMENT"));
    let full_text = facts.indexes.iter().any(|index| index.kind.eq_ignore_ascii_case("fulltext")) && ddl.rebuilds;
    let shared = has(&[AddFulltext, AddSpatial]) || counts || full_text;
    let nocopy = flavor.at_least_mariadb(10, 3, 0) && !ddl.rebuilds;
    vec![
        if nocopy { "ALGORITHM=NOCOPY" } else { "ALGORITHM=INPLACE" },
        if shared { "LOCK=SHARED" } else { "LOCK=NONE" },
    ]
}

/// Each clause in a statement of its own: the one that needs the copy no longer drags the others along.
fn split(statement: &Statement, table: &TableName) -> Option<Alternative> {
    if statement.reading.kind != Kind::AlterTable {
        return None;
    }
    let clauses = parts(statement, table).ok()?;
    if clauses.len() < 2 || clauses.iter().any(is_odd) {
        return None;
    }
    let mut script = Composer::new(statement, "split");
    for clause in &clauses {
        script.alter(table, std::slice::from_ref(clause), &[]);
    }
    Some(Alternative {
        caveats: vec![
            "Between its statements the application sees the table half altered; cut off, those before are done and the rest \
             is left to do."
                .to_owned(),
        ],
        ..alternative("split", statement, format!("its {} clauses one by one", clauses.len()), script)
    })
}

/// ALTERs of one table that follow each other and each write it, as one; none where they cannot be said in one. The first
/// of `group` is the statement that it stands in for, with the others.
pub fn merged(group: &[&Observation], survey: &Survey) -> Option<Alternative> {
    let first = group.first().filter(|_| group.len() > 1)?;
    let (table, facts) = target(&first.statement, survey)?;
    let fits = |seen: &&&Observation| {
        let works = seen.ddl.is_some_and(|ddl| ddl.algorithm != Algorithm::Instant);
        let same = target(&seen.statement, survey).is_some_and(|(other, _)| other == table);
        works
            && same
            && seen.count == 1
            && seen.outcome == Outcome::Done
            && seen.transaction.is_none()
            && seen.statement.session == first.statement.session
    };
    if facts.rows < FEW_ROWS || group.iter().filter(fits).count() < group.len() {
        return None;
    }
    let mut clauses = Vec::new();
    for seen in group {
        clauses.extend(parts(&seen.statement, table).ok()?);
    }
    if clauses.iter().any(is_odd) {
        return None;
    }
    let mut script = Composer::new(&first.statement, "merged");
    script.alter(table, &clauses, &[]);
    let last = group.last()?.statement.label();
    Some(Alternative {
        also: group[1..].iter().map(|seen| seen.statement.id.clone()).collect(),
        caveats: vec![
            format!("It stands in for {} to {last}: the table is written once.", first.statement.label()),
            "One clause that needs a copy makes all of them wait for it, with writers kept out: what it blocked is said beside \
             it. Cut off, it leaves the table as it was before the first."
                .to_owned(),
        ],
        ..alternative("merged", &first.statement, format!("one ALTER in place of {}", grouped(group.len() as u64)), script)
    })
}

fn alternative(id: &str, statement: &Statement, title: String, script: Composer<'_>) -> Alternative {
    Alternative {
        id: id.to_owned(),
        statement: statement.id.clone(),
        also: Vec::new(),
        commands: Vec::new(),
        title,
        eligible: true,
        reason: None,
        actions: script.actions(),
        without_cure: Vec::new(),
        caveats: Vec::new(),
        expected_leftovers: Vec::new(),
        counters_ahead: Default::default(),
    }
}

/// The clauses of `ALTER TABLE name clause, clause`, when that is the whole of its text.
///
/// # Errors
/// What else it says.
pub fn parts(statement: &Statement, table: &TableName) -> Result<Vec<AlterClause>, &'static str> {
    let odd = "it says more than ALTER TABLE, a name and clauses";
    if statement.reading.kind != Kind::AlterTable {
        return Err("it is no ALTER TABLE");
    }
    let all = words(&statement.text)?;
    let all: &[_] = match all.as_slice() {
        [most @ .., last] if last.is_symbol(";") => most,
        all => all,
    };
    let named = |from: usize| all.get(from).and_then(|word| word.name());
    let is_table = |name: Option<String>| name.is_some_and(|name| name.eq_ignore_ascii_case(&table.table));
    let head = match (all.get(3).is_some_and(|word| word.is_symbol(".")), is_table(named(2)), is_table(named(4))) {
        (true, _, true) => 5,
        (false, true, _) => 3,
        _ => return Err(odd),
    };
    if !all.first().is_some_and(|word| word.is("ALTER")) || !all.get(1).is_some_and(|word| word.is("TABLE")) {
        return Err(odd);
    }
    let clauses = &statement.reading.effect.clauses;
    let mut inside = 0;
    for clause in clauses {
        inside += words(&clause.text)?.len();
    }
    // What is left are the commas between them; options need none.
    let commas = all.len().checked_sub(head + inside).ok_or(odd)?;
    if clauses.is_empty() || commas >= clauses.len() { Err(odd) } else { Ok(clauses.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::{flavor, mariadb, observation, statement, survey};

    fn ran(place: usize, text: &str, algorithm: Algorithm, rebuilds: bool) -> Observation {
        let mut seen = observation(statement(place, text), 0, 3.0);
        seen.ddl = Some(DdlFacts { algorithm, rebuilds, lock: None });
        seen
    }

    fn texts(text: &str, algorithm: Algorithm, rebuilds: bool, flavor: Flavor) -> Vec<String> {
        let seen = ran(7, text, algorithm, rebuilds);
        let all = of(&seen.statement, &seen, &survey(), flavor);
        let copies = algorithm == Algorithm::Copy && text.starts_with("ALTER TABLE page_views");
        assert_eq!(all.iter().any(|own| own.id == "online-copy"), copies, "{text}");
        all.iter().flat_map(|own| &own.actions).map(|action| action.statement().text.clone()).collect()
    }

    #[test]
    fn what_a_statement_did_is_demanded_of_it() {
        let add = "ALTER TABLE page_views ADD COLUMN note varchar(10), DROP COLUMN url -- soon";
        let instant = "ALTER TABLE `shop`.`page_views` ADD COLUMN note varchar(10), DROP COLUMN url, ALGORITHM=INSTANT";
        assert_eq!(texts(add, Algorithm::Instant, false, flavor()), [instant]);
        let index = "ALTER TABLE shop.page_views ADD INDEX u (user_id);";
        let inplace = "ALTER TABLE `shop`.`page_views` ADD INDEX u (user_id), ALGORITHM=INPLACE, LOCK=NONE";
        assert_eq!(texts(index, Algorithm::Inplace, false, flavor()), [inplace]);
        assert_eq!(
            texts("CREATE INDEX u ON page_views (user_id)", Algorithm::Inplace, false, mariadb()),
            ["CREATE INDEX u ON page_views (user_id) ALGORITHM=NOCOPY LOCK=NONE"]
        );
        let full = texts("ALTER TABLE page_views ADD FULLTEXT f (url)", Algorithm::Inplace, true, flavor());
        assert!(full[0].ends_with("ALGORITHM=INPLACE, LOCK=SHARED"), "{full:?}");
        for (text, algorithm) in [
            ("ALTER TABLE page_views ADD INDEX u (user_id), LOCK=NONE", Algorithm::Inplace),
            ("ALTER TABLE page_views MODIFY user_id bigint", Algorithm::Copy),
            ("ALTER IGNORE TABLE page_views ADD COLUMN x int", Algorithm::Instant),
            ("ALTER TABLE customers2 ADD COLUMN x int", Algorithm::Instant),
        ] {
            assert!(texts(text, algorithm, false, flavor()).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_compound_that_copies_is_split_and_several_are_merged() {
        let compound = "ALTER TABLE page_views ADD COLUMN note int, MODIFY user_id bigint NOT NULL";
        assert_eq!(
            texts(compound, Algorithm::Copy, true, flavor()),
            [
                "ALTER TABLE `shop`.`page_views` ADD COLUMN note int",
                "ALTER TABLE `shop`.`page_views` MODIFY user_id bigint NOT NULL"
            ]
        );
        let one = ran(2, "ALTER TABLE page_views MODIFY user_id bigint NOT NULL", Algorithm::Copy, true);
        let two = ran(3, "ALTER TABLE page_views ADD KEY c (created_at)", Algorithm::Inplace, false);
        let merged = merged(&[&one, &two], &survey()).expect("one ALTER");
        assert_eq!(merged.also, ["s3"]);
        assert_eq!(
            merged.actions[0].statement().text,
            "ALTER TABLE `shop`.`page_views` MODIFY user_id bigint NOT NULL, ADD KEY c (created_at)"
        );
        assert_eq!(merged.actions[0].statement().reading.effect.clauses.len(), 2);
        let instant = ran(3, "ALTER TABLE page_views ADD COLUMN x int", Algorithm::Instant, false);
        assert!(super::merged(&[&one, &instant], &survey()).is_none(), "what is instant stays by itself");
        let other = ran(3, "ALTER TABLE orders ADD KEY s (status)", Algorithm::Inplace, false);
        assert!(super::merged(&[&one, &other], &survey()).is_none());
        assert!(super::merged(&[&one], &survey()).is_none());
    }
}
