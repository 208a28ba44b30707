//! A lint as markdown, for a pull request's comment or a job's summary.

use std::fmt::Write as _;

use super::issues::{Issue, Issues};
use super::markdown::{LIMIT, prose, tick};
use super::wording;
use crate::advise::record::Severity;
use crate::quantity::counted;

/// Things that nobody looked at that are listed.
const UNCHECKED: usize = 30;

/// The issues as markdown under a title and a sentence, at most [`LIMIT`] characters: of issues that do not fit the least
/// severe go first, counted.
pub fn render(issues: &Issues, passes: bool, sentence: &str) -> String {
    let mark = if passes { "✅" } else { "❌" };
    under(&format!("## {mark} {}\n\n**{}**\n", prose(&issues.name), prose(sentence)), issues)
}

/// The issues as markdown under a head that is markdown already, at most [`LIMIT`] characters in all.
pub fn under(head: &str, issues: &Issues) -> String {
    let head = head.to_owned();
    let mut tail = String::new();
    if !issues.unchecked.is_empty() {
        let count = counted(issues.unchecked.len() as u64, "thing");
        let _ = writeln!(tail, "\n<details><summary>Not looked at: {count}</summary>\n");
        for why in issues.unchecked.iter().take(UNCHECKED) {
            let why: String = why.chars().take(500).collect();
            let _ = writeln!(tail, "- {}", prose(&why));
        }
        if issues.unchecked.len() > UNCHECKED {
            let _ = writeln!(tail, "- and {} more", issues.unchecked.len() - UNCHECKED);
        }
        tail.push_str("\n</details>\n");
    }
    let mut lines: Vec<(Severity, String)> = issues.issues.iter().map(|one| (one.severity, line(one))).collect();
    let all = lines.len();
    // Worst first; within a severity in the order of the files.
    lines.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let size = |text: &str| text.chars().count();
    let mut used = size(&head) + size(&tail) + 300 + lines.iter().map(|(_, line)| size(line)).sum::<usize>();
    while used > LIMIT
        && let Some((_, line)) = lines.pop()
    {
        used -= size(&line);
    }
    let mut out = head;
    if all > 0 {
        out.push_str("\n| | rule | where | what |\n| --- | --- | --- | --- |\n");
    }
    out.extend(lines.iter().map(|(_, line)| line.as_str()));
    if lines.len() < all {
        let _ = writeln!(out, "\n{} more findings, the least severe, did not fit.", all - lines.len());
    }
    out.push_str(&tail);
    out
}

fn line(one: &Issue) -> String {
    let place = one.place.as_ref().map(|place| format!("`{}:{}`", tick(&place.file), place.line)).unwrap_or_default();
    let message: String = one.message.chars().take(2_000).collect();
    format!("| **{}** | `{}` | {place} | {} |\n", wording::severity(one.severity), tick(&one.rule), prose(&message))
}
