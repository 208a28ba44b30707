//! The manual: every id that can stand in findings or among what was not looked at, in its own words. The command line and
//! the README give it its form.

use super::catalogue::{self, RULES, SCHEMA};
use super::gate;
use super::policy;
use super::rule::Needs;

/// What there is to say about an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule's id.
    pub id: &'static str,
    /// What the statement does.
    pub what: &'static str,
    /// Why that hurts.
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// What must have been seen before it can be judged.
    pub needs: &'static str,
    /// SQL on which it fires; none for what is no rule on statements.
    pub risky: Option<&'static str>,
    /// SQL for the same purpose on which it does not.
    pub safer: Option<&'static str>,
    /// The tables that the SQL is about.
    pub schema: Option<&'static str>,
}

impl Explanation {
    const fn of(
        id: &'static str,
        needs: &'static str,
        what: &'static str,
        why: &'static str,
        instead: &'static str,
    ) -> Self {
        Self { id, what, why, instead, needs, risky: None, safer: None, schema: None }
    }
}

const CONFIGURATION: &str = "the configuration and the script's remarks";
const REHEARSAL: &str = "a rehearsal";
const BRANCH: &str = "`rehearse check`";

/// What is said of allowances, and the stages that say what they could not look at.
const NOTES: &[Explanation] = &[
    Explanation::of(
        policy::EXPIRED,
        CONFIGURATION,
        "an allowance ran out, or its date cannot be read",
        "Somebody accepted a finding until a day that is past, so the finding counts again.",
        "Mend what was found, or decide again and write the new date and the reason into `allow:` or into the remark \
         `-- rehearse: ignore`.",
    ),
    Explanation::of(
        policy::UNUSED,
        CONFIGURATION,
        "an allowance met no finding",
        "What it accepted is gone or has another name. Left in place, it would one day hide something new.",
        "Take it out of `allow:`, or take the remark `-- rehearse: ignore` out of the script.",
    ),
    Explanation::of(
        policy::INVALID,
        CONFIGURATION,
        "a remark `-- rehearse: ignore` does not count, because it names no rule, an unknown one, or gives no reason",
        "Whoever reads the script later must be able to judge whether the reason still holds. What it was to accept counts \
         meanwhile.",
        "Write `-- rehearse: ignore RULE reason=\"why it is safe here\"` on a line before the statement, with \
         `until=2026-12-31` where it is to end.",
    ),
    Explanation::of(
        gate::EDITED,
        BRANCH,
        "a migration that was there before was edited",
        "Databases that carried it out will not do so again: they keep what the old text made, and Flyway and Prisma refuse \
         to go on because the checksum is another one. Only new databases get the new text.",
        "Put the old text back, and write what is wanted into a new migration.",
    ),
    Explanation::of(
        gate::REMOVED,
        BRANCH,
        "a migration that was there before was removed, or has another name now",
        "Databases that carried it out keep what it made; most tools refuse to go on when one that they know is missing.",
        "Put it back. To take its work back write a new migration.",
    ),
    Explanation::of(
        gate::NOT_SQL,
        BRANCH,
        "a migration is a program that makes its SQL when it runs, so nobody judged it",
        "What a text does not say cannot be judged; passed over in silence it would seem safe.",
        "Print its SQL with the command that the finding names, or record it (rehearse capture), commit that file beside \
         it and check it; or accept the finding with a reason.",
    ),
    Explanation::of(
        gate::EMPTY,
        BRANCH,
        "a migration holds no statement that is carried out",
        "Either it does nothing, or what it does was not seen: the marks of its sections may be misspelt.",
        "Take it out, or write the statements under `-- migrate:up` or `-- +goose Up`.",
    ),
    Explanation::of(
        gate::UNREHEARSED,
        BRANCH,
        "a statement that may block was judged by its text alone",
        "How long something waits behind it is known only where it ran on as many rows as production has.",
        "Say what production holds (--survey, or --schema with --rows, or in rehearse.yaml), and leave --static out.",
    ),
    Explanation::of(
        gate::UNCARRIED,
        REHEARSAL,
        "a setting of production could not be given to the sandbox",
        "What depends on it may go another way there than in production, and nobody would see it.",
        "Rehearse on production's own version, or accept the finding for that setting with a reason \
         (allow: [{rule: setting-not-carried, statement: SETTING, reason: …}]).",
    ),
    Explanation::of(
        "replay",
        REHEARSAL,
        "part of the upgrade did not run, or was not watched all the time",
        "A statement that failed ends an upgrade: what those after it block, break or rebuild was not seen. A gap in \
         watching may hide a wait.",
        "Mend the statement that failed and rehearse again, or go on after it with --keep-going.",
    ),
    Explanation::of(
        "probes",
        REHEARSAL,
        "a table that the upgrade changes was not probed, so nobody knows what waited there",
        "Probes ask at most sixteen tables. What blocks a table is seen only where somebody asks.",
        "Name the table with --probe TABLE.",
    ),
    Explanation::of(
        "scale",
        REHEARSAL,
        "a table was rehearsed with fewer rows than production has",
        "Times and waits grow with the rows, not always in proportion; they are not extrapolated.",
        "Rehearse with --scale 1 before it matters.",
    ),
    Explanation::of(
        "seed",
        REHEARSAL,
        "the sandbox is not in all things like production: a setting was changed, a table could not be filled",
        "What depends on it was not rehearsed.",
        "Read the sentence: it names the setting or the table. A dump (--data) brings real rows.",
    ),
    Explanation::of(
        "trials",
        REHEARSAL,
        "another way to do a statement's work was not tried, or its result could not be compared",
        "Only what ran and left the same rows is recommended.",
        "Read the sentence: it names the statement and what was in the way.",
    ),
    Explanation::of(
        "drills",
        REHEARSAL,
        "what goes wrong (a held table, a kill, a cut) was not rehearsed for a statement",
        "How long a rollback takes and what queues behind a lock is known only where it was tried.",
        "Read the sentence: it names the statement and what was in the way.",
    ),
    Explanation::of(
        "budget",
        REHEARSAL,
        "a limit of the budget was not measured, so it cannot be said to hold",
        "What nobody measured is not within a limit.",
        "Take the limit out, or rehearse what it is about.",
    ),
    Explanation::of(
        "survey",
        "the schema's text, or the survey",
        "part of the schema was not understood, so what rules say of its tables may be wrong",
        "Without a server a schema is read from its text, and not every statement tells what it leaves behind.",
        "Take a survey from a server: rehearse survey --dsn DSN.",
    ),
];

/// The manual of one id; none when there is no such.
pub fn explain(id: &str) -> Option<Explanation> {
    let rule = catalogue::find(id).map(|rule| Explanation {
        id: rule.id,
        what: rule.what,
        why: rule.why,
        instead: rule.instead,
        needs: match rule.needs {
            Needs::Text => "the statement's text; sizes and times make it sharper",
            Needs::Survey => "the text and a survey or schema",
            Needs::Rehearsal => REHEARSAL,
        },
        risky: Some(rule.risky),
        safer: Some(rule.safer),
        schema: Some(SCHEMA),
    });
    rule.or_else(|| NOTES.iter().find(|note| note.id == id).copied())
}

/// Every id that [`explain`] knows, in the manual's order.
pub fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.id).chain(NOTES.iter().map(|note| note.id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::advise::specimen::Specimen;

    #[test]
    fn every_id_is_explained_once() {
        let all: Vec<_> = ids().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for id in all {
            let page = explain(id).expect("a page");
            assert!(page.what.len() > 20 && page.why.len() > 20 && page.instead.len() > 20, "{id}");
        }
    }

    #[test]
    fn what_a_rehearsal_can_say_is_explained() {
        let mut specimen = Specimen::of("DELETE FROM page_views; DROP TABLE orders; CALL p()");
        specimen.loud.steady.clear();
        specimen.loud.unchecked.push((String::new(), "a gap".to_owned()));
        specimen.changes.values_mut().for_each(|change| change.rows_before = Some(1));
        specimen.budget.pool_exhausted = Some("never".to_owned());
        let told = specimen.judge();
        let said = told.findings.iter().map(|finding| &finding.rule).chain(told.unchecked.iter().map(|un| &un.rule));
        let said: BTreeSet<&String> = said.collect();
        assert!(["probes", "scale", "replay", "budget"].iter().all(|id| said.contains(&(*id).to_owned())), "{said:?}");
        assert!(said.iter().all(|id| explain(id).is_some()), "{said:?}");
    }
}
