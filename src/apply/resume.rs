//! Whether a statement that was begun has happened: what it should change against what has changed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::signature::{Object, Seen, Signature};
use crate::sql::record::{AlterClass, Kind, Reading, TableName};
use crate::survey::definition::diff;

/// What a statement makes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is gone afterwards.
    Gone,
    /// It is there afterwards.
    There,
    /// It looks another way afterwards.
    Changed,
    /// Its definition is another one afterwards.
    Altered,
    /// Only its ids (or the time of its making) tell: it is emptied, or another one has its name.
    Emptied,
    /// It may look the same afterwards, and nothing tells.
    Blind,
    /// It may change.
    Maybe,
}

/// How it can be told whether a statement happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By what these objects look like.
    Looks(BTreeMap<Object, Expected>),
    /// It need not: running it again changes nothing more.
    Repeatable,
    /// It cannot.
    None,
}

/// What is known of a statement that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did not happen: run it.
    NotHappened,
    /// It happened: go on.
    Happened,
    /// What is seen fits neither; the text says what is seen.
    Unclear(String),
}

/// How it can be told whether a statement that commits by itself happened. `databases` are those of the plan.
pub fn proof(reading: &Reading, databases: &BTreeSet<String>) -> Proof {
    let effect = &reading.effect;
    let mut looks = BTreeMap::new();
    let table = |table: &TableName| Object::Table(table.clone());
    match reading.kind {
        Kind::Analyze | Kind::Optimize | Kind::Repair | Kind::Check | Kind::Flush | Kind::Grant | Kind::Set => {
            return Proof::Repeatable;
        }
        Kind::Select | Kind::Do | Kind::Show | Kind::Explain if effect.writes.is_empty() && !effect.changes_session => {
            return Proof::Repeatable;
        }
        Kind::CreateTable | Kind::CreateView => {
            // OR REPLACE makes an empty table in the place of the old one.
            let made = |name: &TableName| if effect.drops.contains(name) { Expected::Emptied } else { Expected::There };
            looks.extend(effect.defines.iter().map(|name| (table(name), made(name))));
        }
        Kind::DropTable | Kind::DropView => {
            looks.extend(effect.drops.iter().map(|name| (table(name), Expected::Gone)));
        }
        Kind::RenameTable => renamed(reading, &mut looks),
        Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex => {
            // A counter that is set again is as it was set; rows do not show it.
            let counts = |clause: &crate::sql::record::AlterClause| clause.class == AlterClass::AutoIncrement;
            if !effect.clauses.is_empty() && effect.clauses.iter().all(counts) {
                return Proof::Repeatable;
            }
            let expected = altered(reading);
            let others = effect.defines.union(&effect.writes);
            looks.extend(others.map(|name| (table(name), expected)));
            renamed(reading, &mut looks);
        }
        Kind::Truncate => {
            looks.extend(effect.empties.iter().map(|name| (table(name), Expected::Emptied)));
        }
        Kind::CreateTrigger | Kind::DropTrigger => {
            looks.insert(Object::Triggers(databases.clone()), Expected::Changed);
        }
        Kind::CreateRoutine | Kind::DropRoutine => {
            looks.insert(Object::Routines(databases.clone()), Expected::Changed);
        }
        Kind::CreateEvent | Kind::DropEvent => {
            looks.insert(Object::Events(databases.clone()), Expected::Changed);
        }
        Kind::CreateDatabase | Kind::DropDatabase | Kind::AlterDatabase => {
            looks.insert(Object::Databases, Expected::Changed);
        }
        _ => return Proof::None,
    }
    if looks.is_empty() { Proof::None } else { Proof::Looks(looks) }
}

/// What an ALTER makes of its table.
fn altered(reading: &Reading) -> Expected {
    use AlterClass::*;
    let clauses = &reading.effect.clauses;
    let starts =
        |text: &str, word: &str| text.trim_start().get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word));
    let empties = |text: &str| ["truncate", "exchange"].iter().any(|word| starts(text, word));
    if clauses.iter().any(|clause| clause.class == Partition && empties(&clause.text)) {
        return Expected::Emptied;
    }
    let dropped = |name: &str| {
        clauses.iter().any(|clause| {
            clause.class == DropColumn && clause.object.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    };
    let added_again = |clause: &crate::sql::record::AlterClause| {
        clause.class == AddColumn && clause.object.as_deref().is_some_and(dropped)
    };
    if clauses.iter().any(added_again) {
        return Expected::Blind;
    }
    let shows = |class| {
        matches!(
            class,
            AddColumn
                | DropColumn
                | RenameColumn
                | AddIndex
                | AddUnique
                | AddFulltext
                | AddSpatial
                | DropIndex
                | RenameIndex
                | AddForeignKey
                | DropForeignKey
                | AddPrimaryKey
                | DropPrimaryKey
        )
    };
    if clauses.iter().any(|clause| shows(clause.class)) { Expected::Altered } else { Expected::Changed }
}

fn renamed(reading: &Reading, looks: &mut BTreeMap<Object, Expected>) {
    let renames = &reading.effect.renames;
    for (from, to) in renames {
        // What another table takes the name of may look the same afterwards: its id tells.
        let replaced = renames.values().any(|to| to == from);
        looks.insert(Object::Table(from.clone()), if replaced { Expected::Emptied } else { Expected::Changed });
        // A name that is only passed through (a TO x, b TO a, x TO b) is as it was in the end.
        looks.entry(Object::Table(to.clone())).or_insert(Expected::Maybe);
    }
}

/// What became of one object.
enum Fate {
    /// As it should be afterwards.
    Reached,
    /// As it was.
    Untouched,
    /// It tells nothing.
    Neutral,
    /// As it was, as far as can be seen, and that is not far enough.
    Indistinct,
    /// Neither.
    Strange,
}

/// Whether a statement that should make `expected` of what looked like `before` has happened.
pub fn judge(expected: &BTreeMap<Object, Expected>, before: &Signature, now: &Signature) -> Verdict {
    let same_server = before.server == now.server;
    let (mut reached, mut untouched, mut indistinct, mut strange) = (0, 0, 0, 0);
    let mut seen = Vec::new();
    let none = Seen::default();
    for (object, wanted) in expected {
        let name = object.name();
        let (was, is) = (before.objects.get(&name).unwrap_or(&none), now.objects.get(&name).unwrap_or(&none));
        let fate = fate(*wanted, was, is, same_server);
        match fate {
            Fate::Reached => reached += 1,
            Fate::Untouched => untouched += 1,
            Fate::Indistinct => indistinct += 1,
            Fate::Strange => strange += 1,
            Fate::Neutral => {}
        }
        seen.push(told(&name, &fate, was, is));
    }
    match (reached, untouched, indistinct, strange) {
        (_, _, _, 1..) => Verdict::Unclear(seen.join("; ")),
        (0, _, 0, 0) => Verdict::NotHappened,
        (1.., 0, _, 0) => Verdict::Happened,
        _ => Verdict::Unclear(seen.join("; ")),
    }
}

fn fate(wanted: Expected, was: &Seen, is: &Seen, same_server: bool) -> Fate {
    let by_ids = same_server && !was.ids.is_empty() && !is.ids.is_empty();
    let by_time = same_server && is.told_by_time && was.created.is_some();
    let looks_other = was.there != is.there || was.definition != is.definition;
    let made_anew = if by_ids { was.ids != is.ids } else { by_time && was.created != is.created };
    let changed = looks_other || made_anew;
    match wanted {
        Expected::Gone if !was.there => Fate::Neutral,
        Expected::Gone if !is.there => Fate::Reached,
        Expected::Gone if changed => Fate::Strange,
        Expected::There if was.there && !changed => Fate::Neutral,
        Expected::There if is.there => Fate::Reached,
        Expected::Changed | Expected::Altered | Expected::Blind if !was.there && !is.there => Fate::Neutral,
        // Somebody emptied it, or made it anew: that was not the statement.
        Expected::Altered if is.there && !looks_other && made_anew => Fate::Strange,
        Expected::Blind if !changed => Fate::Indistinct,
        // A name that is only passed through.
        Expected::Emptied if !was.there && !is.there => Fate::Neutral,
        Expected::Changed | Expected::Altered | Expected::Blind | Expected::Emptied if changed && is.there => {
            Fate::Reached
        }
        // Renamed away, and nothing in its place.
        Expected::Changed | Expected::Altered | Expected::Blind if !is.there => Fate::Reached,
        Expected::Emptied if !is.there => Fate::Strange,
        Expected::Emptied if !(by_ids || by_time) => Fate::Indistinct,
        Expected::Maybe if changed => Fate::Reached,
        Expected::Maybe => Fate::Neutral,
        _ => Fate::Untouched,
    }
}

fn told(name: &str, fate: &Fate, was: &Seen, is: &Seen) -> String {
    let how = match (was.there, is.there) {
        (false, false) => "is not there, as before".to_owned(),
        (true, false) => "was there and is gone".to_owned(),
        (false, true) => "was not there and is there now".to_owned(),
        (true, true) if was.definition != is.definition => {
            format!("is defined in another way than before:\n{}", diff(&was.definition, &is.definition).trim_end())
        }
        (true, true) => match fate {
            Fate::Indistinct => {
                "looks as before, and nothing that could be read tells whether it was emptied".to_owned()
            }
            Fate::Reached => "was made anew".to_owned(),
            _ => "is as before".to_owned(),
        },
    };
    format!("{name} {how}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::read::read;

    fn seen(definition: &str, id: u64) -> Seen {
        Seen {
            there: true,
            definition: definition.to_owned(),
            ids: if id == 0 { BTreeSet::new() } else { [id].into() },
            created: Some("2026-01-01".to_owned()),
            told_by_time: false,
        }
    }

    fn before_t() -> [(&'static str, Seen); 1] {
        [("t", seen("T", 1))]
    }

    fn signature(objects: &[(&str, Seen)]) -> Signature {
        let objects = objects.iter().map(|(name, seen)| (format!("app.{name}"), seen.clone())).collect();
        Signature { server: "s".to_owned(), objects }
    }

    fn verdict(text: &str, before: &[(&str, Seen)], now: &[(&str, Seen)]) -> Verdict {
        let reading = read(text, "app", "mysql:9.7".parse().expect("a flavor"));
        let Proof::Looks(expected) = proof(&reading, &["app".to_owned()].into()) else { panic!("{text} has no looks") };
        judge(&expected, &signature(before), &signature(now))
    }

    #[test]
    fn a_ddl_happened_when_what_it_changes_has_changed() {
        use Verdict::*;
        let (t, u) = (seen("T", 1), seen("U", 2));
        let gone = Seen::default();
        let trials = [
            ("CREATE TABLE n (a INT)", vec![("n", gone.clone())], vec![("n", t.clone())], Happened),
            ("CREATE TABLE n (a INT)", vec![("n", gone.clone())], vec![("n", gone.clone())], NotHappened),
            ("DROP TABLE t", vec![("t", t.clone())], vec![("t", gone.clone())], Happened),
            ("DROP TABLE IF EXISTS t", vec![("t", gone.clone())], vec![("t", gone.clone())], NotHappened),
            ("ALTER TABLE t ADD b INT", vec![("t", t.clone())], vec![("t", seen("T+b", 1))], Happened),
            ("ALTER TABLE t ADD b INT", vec![("t", t.clone())], vec![("t", t.clone())], NotHappened),
            ("ALTER TABLE t FORCE", vec![("t", t.clone())], vec![("t", seen("T", 9))], Happened),
            ("TRUNCATE TABLE t", vec![("t", t.clone())], vec![("t", seen("T", 9))], Happened),
            ("TRUNCATE TABLE t", vec![("t", t.clone())], vec![("t", t.clone())], NotHappened),
            (
                "RENAME TABLE t TO o, n TO t",
                vec![("t", t.clone()), ("n", seen("T", 2)), ("o", gone.clone())],
                vec![("t", seen("T", 2)), ("n", gone.clone()), ("o", t.clone())],
                Happened,
            ),
            ("CREATE OR REPLACE TABLE t (a INT)", vec![("t", t.clone())], vec![("t", seen("T", 9))], Happened),
            ("CREATE OR REPLACE TABLE t (a INT)", vec![("t", gone.clone())], vec![("t", gone.clone())], NotHappened),
            (
                "RENAME TABLE t TO x, u TO t, x TO u",
                vec![("t", t.clone()), ("u", u.clone()), ("x", gone.clone())],
                vec![("t", u.clone()), ("u", t.clone()), ("x", gone.clone())],
                Happened,
            ),
        ];
        for (text, before, now, wanted) in trials {
            assert_eq!(verdict(text, &before, &now), wanted, "{text}");
        }
    }

    #[test]
    fn something_in_between_is_told_as_it_is_seen() {
        let before = [("a", seen("A", 1)), ("b", seen("B", 2))];
        let Verdict::Unclear(text) = verdict("DROP TABLE a, b", &before, &[("b", seen("B", 2))]) else {
            panic!("half of it")
        };
        assert_eq!(text, "app.a was there and is gone; app.b is as before");
        let blind = [("t", seen("T", 0))];
        let Verdict::Unclear(text) = verdict("TRUNCATE TABLE t", &blind, &blind) else { panic!("nothing tells") };
        assert!(text.contains("nothing that could be read"), "{text}");
        let twin = [("t", seen("T", 0)), ("n", seen("T", 0)), ("x", Seen::default())];
        let exchange = verdict("RENAME TABLE t TO x, n TO t, x TO n", &twin, &twin);
        assert!(matches!(exchange, Verdict::Unclear(_)), "look-alikes changed places, or not: {exchange:?}");
        let again = verdict("ALTER TABLE t DROP COLUMN a, ADD COLUMN a INT", &before_t(), &before_t());
        assert!(matches!(again, Verdict::Unclear(_)), "a column made anew looks the same: {again:?}");
        let emptied = verdict("ALTER TABLE t ADD COLUMN b INT", &before_t(), &[("t", seen("T", 8))]);
        assert!(matches!(emptied, Verdict::Unclear(_)), "somebody else made it anew: {emptied:?}");
    }

    #[test]
    fn the_ids_of_another_server_say_nothing() {
        let reading = read("TRUNCATE TABLE t", "app", "mysql:9.7".parse().expect("a flavor"));
        let Proof::Looks(expected) = proof(&reading, &BTreeSet::new()) else { panic!("looks") };
        let before = signature(&[("t", seen("T", 1))]);
        let now = Signature { server: "another".to_owned(), ..signature(&[("t", seen("T", 7))]) };
        assert!(matches!(judge(&expected, &before, &now), Verdict::Unclear(_)));
    }
}
