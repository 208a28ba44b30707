//! A branch's migrations, as a gate judged them: for a terminal, a comment, programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::issues::Issues;
use super::markdown::{self, LIMIT, prose, tick};
use super::record::{Report, Tool, Verdict};
use super::{lint, lint_markdown, text, verdict};
use crate::advise::record::{Finding, Located, Severity};
use crate::quantity::counted;

/// The version of the keys of a check as JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// Migrations that a list shows.
const SHOWN: usize = 50;

/// What a check comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Always [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Whether the branch may go on.
    pub verdict: Verdict,
    /// What made it.
    pub tool: Tool,
    /// The server that texts were read for.
    pub server: String,
    /// The revision that it was compared with; none: nothing was compared.
    pub since: Option<String>,
    /// The migrations, in the order in which they are carried out.
    pub migrations: Vec<Line>,
    /// All that was found: of files, of texts, of the rehearsal.
    pub findings: Vec<Finding>,
    /// What nobody looked at, in sentences.
    pub unchecked: Vec<String>,
    /// What was rehearsed; none when nothing was.
    pub rehearsal: Option<Report>,
    /// For the forms of other programs.
    #[serde(skip)]
    pub issues: Issues,
    /// What is said of files.
    #[serde(skip)]
    pub of_files: Vec<Finding>,
    /// What texts tell, with what to show of them.
    #[serde(skip)]
    pub located: Vec<Located>,
}

/// A migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its file.
    pub file: String,
    /// Whose it is: `flyway`, `rails`, …, `sql`.
    pub framework: String,
    /// `added`, `edited`, `removed`; `given` where nothing was compared.
    pub change: String,
    /// How it was judged.
    pub judged: Judged,
    /// Statements that it holds.
    pub statements: u64,
    /// Of a program: the file with the SQL that its command printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
}

impl Line {
    /// The file whose text is judged.
    pub fn text(&self) -> &str {
        self.printed.as_deref().unwrap_or(&self.file)
    }

    /// How it was judged, in words.
    fn how(&self) -> String {
        let text = match &self.printed {
            Some(printed) => format!("by the SQL that it prints, {printed}"),
            None => "by its text".to_owned(),
        };
        match &self.judged {
            Judged::Rehearsed(why) => format!("rehearsed: {why}"),
            Judged::ByText => text,
            Judged::Not(why) => format!("not judged: {why}"),
        }
    }
}

/// How a migration was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// It ran on production's size; why it had to.
    Rehearsed(String),
    /// By its text, which is enough.
    ByText,
    /// Nobody judged it, and why.
    Not(String),
}

impl Check {
    /// In one sentence: whether it passes, and the worst.
    pub fn sentence(&self) -> String {
        let word = if self.verdict == Verdict::Pass { "PASS" } else { "FAIL" };
        if self.migrations.is_empty() {
            let since = self.since.as_deref().unwrap_or("the last revision");
            return format!("{word}: no migration was changed since {since}.");
        }
        let count = |severity| self.findings.iter().filter(|one| one.severity == severity).count() as u64;
        let sum = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")]
            .map(|(severity, noun)| counted(count(severity), noun))
            .join(", ");
        let rehearsed = self.migrations.iter().filter(|line| matches!(line.judged, Judged::Rehearsed(_))).count();
        let rehearsed = match rehearsed {
            0 => "nothing was rehearsed".to_owned(),
            count => format!("{count} rehearsed"),
        };
        let migrations = counted(self.migrations.len() as u64, "migration");
        format!("{word}: {sum} in {migrations}; {rehearsed}.")
    }

    /// For a terminal of this width.
    pub fn text(&self, colour: bool, width: u16) -> String {
        let mut out = String::new();
        for line in self.migrations.iter().take(SHOWN) {
            let how = line.how();
            let statements = counted(line.statements, "statement");
            let _ = writeln!(out, "  {}  ({}, {}, {statements})  {how}", line.file, line.framework, line.change);
        }
        if self.migrations.len() > SHOWN {
            let _ = writeln!(out, "  and {} more", self.migrations.len() - SHOWN);
        }
        if !out.is_empty() {
            out.push('\n');
        }
        for finding in &self.of_files {
            out.push_str(&lint::whole(finding, colour, width));
        }
        for located in &self.located {
            out.push_str(&lint::text(located, colour, width));
        }
        if let Some(report) = &self.rehearsal {
            out.push_str(&text::render_for(report, colour, width));
            out.push('\n');
        } else {
            let (mut of_rehearsal, mut others) = (0, Vec::new());
            for why in &self.unchecked {
                if why.contains("nobody can tell without a") {
                    of_rehearsal += 1;
                } else {
                    others.push(why);
                }
            }
            for why in others.iter().take(SHOWN) {
                let _ = writeln!(out, "  · {why}");
            }
            if of_rehearsal > 0 {
                let rules = counted(of_rehearsal, "rule");
                let _ = writeln!(out, "  · {rules} could not be judged by the text alone; --format json lists them");
            }
            if !self.unchecked.is_empty() {
                out.push('\n');
            }
        }
        out + &self.sentence() + "\n"
    }

    /// For a comment or a job's summary, at most [`LIMIT`] characters.
    pub fn markdown(&self) -> String {
        let mark = if self.verdict == Verdict::Pass { "✅" } else { "❌" };
        let mut head = format!("## {mark} Migrations\n\n**{}**\n", prose(&self.sentence()));
        if !self.migrations.is_empty() {
            head.push_str("\n| migration | | how it was judged |\n| --- | --- | --- |\n");
        }
        for line in self.migrations.iter().take(SHOWN) {
            let how = match &line.judged {
                Judged::Not(why) => format!("**not judged**: {}", prose(why)),
                _ => prose(&line.how()),
            };
            let _ = writeln!(head, "| `{}` | {}, {} | {how} |", tick(&line.file), line.framework, line.change);
        }
        if self.migrations.len() > SHOWN {
            let _ = writeln!(head, "\nAnd {} more.", self.migrations.len() - SHOWN);
        }
        let Some(report) = &self.rehearsal else { return lint_markdown::under(&head, &self.issues) };
        // The rehearsal tells its own findings; here are those that it does not know.
        let mut others = self.issues.clone();
        others.unchecked.clear();
        others
            .issues
            // Of what a command printed the place stands behind the same words.
            .retain(|issue| {
                !report.findings.iter().any(|own| own.rule == issue.rule && issue.message.starts_with(&own.message))
            });
        let first: String = lint_markdown::under(&head, &others).chars().take(LIMIT / 2).collect();
        let rest = markdown::render_within(report, LIMIT.saturating_sub(first.chars().count() + 1));
        format!("{first}\n{rest}")
    }

    /// What was rehearsed, in two sentences.
    pub fn rehearsed(&self) -> Option<String> {
        self.rehearsal.as_ref().map(verdict::sentences)
    }
}
