//! All statements that would be sent, in order. Pure.

use super::atom::{Atom, Batches, End, Work};
use super::course::{Course, Leg};
use super::journal::Journal;
use super::transact::copy_rows;
use crate::plan::work::Copy;
use crate::sql::record::quote_identifier;

/// All statements that a course would send, in order, as a script that people read. What depends on the rows that are there
/// (the ends of a batch, what the journal notes) is written as `…`.
pub fn statements(course: &Course, journal_database: &str) -> Vec<String> {
    let journal = Journal::new(journal_database, &course.digest, course.phase, "");
    let mut out = vec!["-- the journal, where it is not there".to_owned()];
    out.extend(journal.create().map(|text| format!("{text};")));
    for leg in &course.legs {
        out.push(format!("\n-- {}: {} (a session of its own)", leg.name, leg.title));
        out.push("SET NAMES utf8mb4;".to_owned());
        for atom in &leg.atoms {
            of_atom(atom, journal_database, &mut out);
        }
        out.push(note(journal_database, leg_unit(leg), "done"));
    }
    out
}

fn leg_unit(leg: &Leg) -> &str {
    &leg.name
}

fn note(database: &str, unit: &str, state: &str) -> String {
    let table = format!("{}.`{}`", quote_identifier(database), super::record::JOURNAL_TABLE);
    format!("INSERT INTO {table} … '{unit}', '{state}' …;")
}

fn of_atom(atom: &Atom, database: &str, out: &mut Vec<String>) {
    let done = note(database, &atom.id, "done");
    let begun = note(database, &atom.id, "begun");
    let mut say = |text: &str| out.push(format!("{};", text.trim().trim_end_matches(';')));
    for piece in &atom.prelude {
        say(&piece.text);
    }
    match &atom.work {
        Work::Session(piece) | Work::Look(piece) => say(&piece.text),
        Work::Verify(verify) => {
            let wanted = verify.equals.as_ref().map_or(verify.expect.clone(), |wanted| format!("must answer {wanted}"));
            out.push(format!("{}; -- {wanted}", verify.query));
        }
        Work::Change { begin, body, end } => {
            begin.iter().for_each(|text| say(text));
            body.iter().for_each(|piece| say(&piece.text));
            match end {
                End::Commit => out.extend([done, "COMMIT;".to_owned()]),
                End::Rollback => out.extend(["ROLLBACK;".to_owned(), done]),
            }
        }
        Work::Kept { change, factor, condition, copy } => {
            say("BEGIN");
            kept(copy, factor, condition.as_deref(), &change.text, out);
            out.extend([done, "COMMIT;".to_owned()]);
        }
        Work::Define(pieces) | Work::Locked(pieces) => {
            out.push(begun);
            out.push("SET SESSION lock_wait_timeout = 1;".to_owned());
            out.extend(pieces.iter().map(|piece| format!("{};", piece.text.trim())));
            out.push(done);
        }
        Work::Opaque(piece) => {
            out.push(begun);
            out.push(format!("{};", piece.text.trim()));
            out.push(done);
        }
        Work::Batches(batches) => walk(atom, batches, database, begun, out),
    }
}

fn walk(atom: &Atom, batches: &Batches, database: &str, begun: String, out: &mut Vec<String>) {
    let key = batches.key.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
    let table = batches.table.quoted();
    let own = batches.condition.as_ref().map(|text| format!(" AND ({text})")).unwrap_or_default();
    out.push(format!(
        "SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1; -- the last key: later rows are left alone"
    ));
    out.push(begun);
    out.push(format!(
        "-- again and again, about {} rows of {table} at a time:",
        crate::quantity::grouped(batches.rows)
    ));
    out.push(format!("SELECT {key} FROM {table} WHERE ({key}) > (…) ORDER BY {key} LIMIT 1 OFFSET …;"));
    out.push("BEGIN;".to_owned());
    let range = format!("({key}) > (…) AND ({key}) <= (…){own}");
    let change = format!("{} WHERE {range}", batches.head.trim());
    match &batches.copy {
        Some(copy) => kept(copy, &table, Some(&range), &change, out),
        None => out.push(format!("{change};")),
    }
    out.push(note(database, &atom.id, "begun, and done up to …"));
    out.push("COMMIT;".to_owned());
    if batches.pause_seconds > 0.0 {
        out.push(format!("-- a rest of {} s", batches.pause_seconds));
    }
}

fn kept(copy: &Copy, factor: &str, condition: Option<&str>, change: &str, out: &mut Vec<String>) {
    let counts = if copy.exact { "as many rows as were copied" } else { "at most as many rows as were copied" };
    out.push("-- under the session's sql_mode without its strictness, so that rows are copied as they are:".to_owned());
    out.push(format!("{};", copy_rows(copy, factor, condition)));
    out.push(format!("{}; -- {counts}, else ROLLBACK", change.trim()));
}
