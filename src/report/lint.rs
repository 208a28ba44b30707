//! A lint for a terminal and for programs: each finding at its place, then what could not be told, then the sum.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::page::wrap;
use crate::advise::record::{Finding, LintSummary, Located, Severity, Untold};
use crate::quantity::{counted, grouped};

/// The version of the keys of a lint as JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// Notes of one rule that a terminal is shown: an upgrade of a hundred `ADD COLUMN` is told once more that it cannot be run
/// twice, not a hundred times. Errors and warnings are all shown.
const NOTES: u64 = 3;

/// What was left out of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    notes: BTreeMap<String, u64>,
}

impl Fold {
    /// True when the finding is to be shown.
    pub fn shows(&mut self, finding: &Finding) -> bool {
        if finding.severity != Severity::Info {
            return true;
        }
        let count = self.notes.entry(finding.rule.clone()).or_default();
        *count += 1;
        *count <= NOTES
    }

    /// How many notes of which rule were not shown; empty when all were.
    pub fn rest(&self) -> String {
        let more = self.notes.iter().filter(|(_, count)| **count > NOTES);
        let more = more.map(|(rule, count)| format!("{} of {rule}", counted(count - NOTES, "more note")));
        let more: Vec<String> = more.collect();
        if more.is_empty() { String::new() } else { format!("{}: --format json has all\n\n", more.join(", ")) }
    }
}

/// One finding for a terminal of this width: where it stands, the harm and its cause, and what to do instead.
pub fn text(located: &Located, colour: bool, width: u16) -> String {
    let width = usize::from(width.clamp(60, 200));
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let finding = &located.finding;
    let (level, title, cure) = parts(finding, width);
    let title = level.primary_title(title).id(finding.rule.as_str());
    let spot = &located.spot;
    let line = spot.from.line as usize;
    let place: Element<'_> = if spot.excerpt.is_empty() {
        Origin::path(spot.from.file.as_str()).line(line).into()
    } else {
        let part = AnnotationKind::Primary.span(spot.span.0..spot.span.1);
        Snippet::source(spot.excerpt.as_str()).path(spot.from.file.as_str()).line_start(line).annotation(part).into()
    };
    let mut elements = vec![place];
    if located.count > 1 {
        elements
            .push(Level::NOTE.message(format!("it stands for {} look-alikes in a row", grouped(located.count))).into());
    }
    if let Some((more, last)) = &located.more {
        let note = format!("the same on {} further on, the last at {last}", counted(*more, "look-alike"));
        elements.push(Level::NOTE.message(note).into());
    }
    if let Some(cure) = cure {
        elements.push(Level::HELP.message(cure).into());
    }
    format!("{}\n\n", renderer.render(&[title.elements(elements)]).trim_end())
}

/// One finding on a file as a whole, for a terminal of this width.
pub fn whole(finding: &Finding, colour: bool, width: u16) -> String {
    let width = usize::from(width.clamp(60, 200));
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let (level, title, cure) = parts(finding, width);
    let title = level.primary_title(title).id(finding.rule.as_str());
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(place) = &finding.place {
        elements.push(Origin::path(place.file.as_str()).into());
    }
    if let Some(cure) = cure {
        elements.push(Level::HELP.message(cure).into());
    }
    format!("{}\n\n", renderer.render(&[title.elements(elements)]).trim_end())
}

/// A finding's level, harm and cause, and what to do, wrapped.
fn parts(finding: &Finding, width: usize) -> (Level<'static>, String, Option<String>) {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let (cause, cure) = match finding.message.split_once("; ") {
        Some((cause, cure)) => (cause, Some(cure)),
        None => (finding.message.as_str(), None),
    };
    let title = wrap(cause, width.saturating_sub(finding.rule.len() + 12).max(40)).join("\n");
    (level, title, cure.map(|cure| wrap(cure, width.saturating_sub(16)).join("\n")))
}

fn column(column: u64) -> usize {
    column.max(1) as usize
}

/// What could not be told, each thing once, and the sum of it all, for a terminal of this width.
pub fn text_summary(summary: &LintSummary, server: &str, width: u16) -> String {
    let width = usize::from(width.clamp(60, 200));
    let mut out = String::new();
    let mut item = |text: &str| {
        for (place, line) in wrap(text, width - 4).iter().enumerate() {
            out.push_str(&format!("  {} {line}\n", if place == 0 { "·" } else { " " }));
        }
    };
    let whole = whole_rules(&summary.unchecked);
    for (why, rules) in &whole {
        item(&format!("{why}: {}", rules.join(", ")));
    }
    for untold in &summary.unchecked {
        if untold.first.is_none() && !untold.why.starts_with(NOBODY) {
            item(&untold.why);
        }
        if let Some((label, origin)) = &untold.first {
            let on = if untold.count == 1 {
                "one statement".to_owned()
            } else {
                format!("{} statements, the first", grouped(untold.count))
            };
            item(&format!("{} on {on} {label} ({origin}): {}", untold.rule, untold.why));
        }
    }
    if !out.is_empty() {
        out.insert_str(0, "What this could not tell\n");
        out.push('\n');
    }
    out.push_str(&sum(summary, server));
    out
}

/// `1 error, 2 warnings in 12 statements of 2 files, read as mysql:9.7; 5 rules could not be judged without a rehearsal`.
pub fn sum(summary: &LintSummary, server: &str) -> String {
    let whole = whole_rules(&summary.unchecked);
    let found: Vec<String> = [(summary.errors, "error"), (summary.warnings, "warning"), (summary.infos, "note")]
        .into_iter()
        .filter(|(count, noun)| *count > 0 || *noun != "note")
        .map(|(count, noun)| counted(count, noun))
        .collect();
    let (statements, files) = (counted(summary.statements, "statement"), counted(summary.files, "file"));
    let mut sum = format!("{} in {statements} of {files}, read as {server}", found.join(", "));
    for (place, (why, rules)) in whole.iter().enumerate() {
        let missing = why.strip_prefix(NOBODY).unwrap_or(why);
        let verb = if place == 0 { "; " } else { ", " };
        let rules = counted(rules.len() as u64, "rule");
        let could = if place == 0 { " could not be judged" } else { "" };
        sum.push_str(&format!("{verb}{rules}{could} {missing}"));
    }
    sum.push('\n');
    sum
}

/// What rules say that lack something altogether.
const NOBODY: &str = "nobody can tell ";

/// Rules that could not be judged at all, by what they lack.
fn whole_rules(unchecked: &[Untold]) -> BTreeMap<String, Vec<&str>> {
    let mut rules: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for untold in unchecked.iter().filter(|untold| untold.first.is_none() && untold.why.starts_with(NOBODY)) {
        rules.entry(untold.why.clone()).or_default().push(&untold.rule);
    }
    rules
}

/// What stands before the findings of a lint as JSON.
pub fn json_head(server: &str) -> String {
    let tool = json!({"version": env!("CARGO_PKG_VERSION")});
    format!("{{\"schema_version\":{SCHEMA_VERSION},\"tool\":{tool},\"server\":{},\"findings\":[", json!(server))
}

/// One finding as JSON, on a line of its own.
pub fn json(located: &Located, first: bool) -> String {
    let Located { finding, spot, count, more } = located;
    let more =
        more.as_ref().map(|(count, last)| json!({"count": count, "last": {"file": last.file, "line": last.line}}));
    let value = json!({
        "rule": finding.rule,
        "severity": finding.severity,
        "statement": finding.statement,
        "label": spot.label,
        "file": spot.from.file,
        "line": spot.from.line,
        "column": column(spot.from.column),
        "end_line": spot.end_line,
        "end_column": spot.end_column,
        "message": finding.message,
        "evidence": finding.evidence,
        "count": count,
        "more": more,
    });
    format!("{}\n{value}", if first { "" } else { "," })
}

/// What stands after the findings of a lint as JSON.
pub fn json_tail(summary: &LintSummary) -> String {
    let unchecked: Vec<Value> = summary
        .unchecked
        .iter()
        .map(|untold| {
            let place = untold.first.as_ref().map(|(label, origin)| (label, &origin.file, origin.line));
            json!({
                "rule": untold.rule,
                "why": untold.why,
                "count": untold.first.as_ref().map(|_| untold.count),
                "statement": place.map(|(label, ..)| label),
                "file": place.map(|(_, file, _)| file),
                "line": place.map(|(.., line)| line),
            })
        })
        .collect();
    let LintSummary { files, statements, errors, warnings, infos, .. } = summary;
    let sum = json!({"files": files, "statements": statements, "errors": errors, "warnings": warnings, "infos": infos});
    format!("\n],\"unchecked\":{},\"summary\":{sum}}}\n", Value::from(unchecked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::record::Spot;
    use crate::sql::record;

    fn located(severity: Severity, message: &str, excerpt: &str) -> Located {
        let from = record::Origin { file: "upgrade.sql".to_owned(), line: 12, column: 3 };
        let finding = Finding {
            rule: "delete-all-rows".to_owned(),
            severity,
            statement: Some("s3".to_owned()),
            message: message.to_owned(),
            evidence: BTreeMap::from([("rows".to_owned(), 9.into())]),
            place: None,
        };
        let span = (2, excerpt.len().max(2));
        let spot =
            Spot { label: "s3".to_owned(), from, end_line: 12, end_column: 20, excerpt: excerpt.to_owned(), span };
        Located { finding, spot, count: 5_000, more: None }
    }

    #[test]
    fn a_finding_shows_its_place_the_part_and_what_to_do() {
        let shown = text(&located(Severity::Error, "removes all rows; swap it", "  DELETE FROM t"), false, 100);
        let expected = "error[delete-all-rows]: removes all rows\n  --> upgrade.sql:12:3\n   |\n12 |   DELETE FROM t\n   |   ^^^^^^^^^^^^^\n   |\n   = note: it stands for 5,000 look-alikes in a row\n   = help: swap it\n\n";
        assert_eq!(shown, expected);
        let coloured = text(&located(Severity::Info, "x", ""), true, 100);
        assert!(coloured.contains("\x1b[") && coloured.contains("upgrade.sql:12"), "{coloured}");
    }

    #[test]
    fn of_one_rules_notes_three_are_shown_and_of_its_warnings_all() {
        let mut fold = Fold::default();
        let shown =
            |severity, fold: &mut Fold| (0..6).filter(|_| fold.shows(&located(severity, "x", "").finding)).count();
        assert_eq!((shown(Severity::Info, &mut fold), shown(Severity::Warning, &mut fold)), (3, 6));
        assert_eq!(fold.rest(), "3 more notes of delete-all-rows: --format json has all\n\n");
        assert_eq!(Fold::default().rest(), "");
    }

    #[test]
    fn the_sum_says_what_was_missing_once() {
        let untold = |rule: &str, why: &str, first: Option<u64>| Untold {
            rule: rule.to_owned(),
            why: why.to_owned(),
            first: first.map(|line| ("s1".to_owned(), record::Origin { file: "a.sql".to_owned(), line, column: 1 })),
            count: 7,
        };
        let summary = LintSummary {
            files: 2,
            statements: 12,
            errors: 3,
            warnings: 1,
            infos: 0,
            unchecked: vec![
                untold("a", "nobody can tell without a rehearsal", None),
                untold("b", "nobody can tell without a survey", None),
                untold("c", "nobody can tell without a rehearsal", None),
                untold("d", "it hides", Some(4)),
            ],
        };
        let shown = text_summary(&summary, "mysql:9.7", 100);
        assert!(shown.contains("  · nobody can tell without a rehearsal: a, c\n"), "{shown}");
        assert!(shown.contains("  · d on 7 statements, the first s1 (a.sql:4): it hides\n"), "{shown}");
        assert!(shown.ends_with(
            "3 errors, 1 warning in 12 statements of 2 files, read as mysql:9.7; 2 rules could not be judged without a \
             rehearsal, 1 rule without a survey\n"
        ), "{shown}");
    }

    #[test]
    fn as_json_it_is_one_document() {
        let finding = located(Severity::Warning, "x; y", "  DELETE");
        let whole = format!(
            "{}{}{}{}",
            json_head("mysql:9.7"),
            json(&finding, true),
            json(&finding, false),
            json_tail(&LintSummary { files: 1, statements: 2, warnings: 2, ..LintSummary::default() })
        );
        let value: Value = serde_json::from_str(&whole).expect("JSON");
        assert_eq!(value["findings"][1]["line"], 12);
        assert_eq!(value["findings"][0]["evidence"]["rows"], 9);
        assert_eq!(value["summary"]["warnings"], 2);
    }
}
