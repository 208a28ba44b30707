//! Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.

use std::fmt::Write as _;

use super::issues::{Issue, Issues};
use crate::advise::record::{Place, Severity};
use crate::quantity::counted;

/// Annotations of one level that GitHub shows of a step (docs.github.com, "Workflow commands", limits of annotations).
const PER_LEVEL: usize = 10;

/// A line for each issue, at most ten of a level, the worst first; then, as an ordinary line, how many had no room.
pub fn render(issues: &Issues) -> String {
    let mut out = String::new();
    let mut left_out = 0;
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let of_level = issues.issues.iter().filter(|issue| issue.severity == severity && issue.accepted.is_none());
        for (place, issue) in of_level.enumerate() {
            if place < PER_LEVEL {
                out.push_str(&annotation(issue));
            } else {
                left_out += 1;
            }
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "rehearse: {} without an annotation: GitHub shows {PER_LEVEL} of each level of a step",
            counted(left_out, "further finding")
        );
    }
    out
}

fn annotation(issue: &Issue) -> String {
    let level = match issue.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties =
        issue.place.as_ref().filter(|place| !place.file.starts_with('<')).map(place).unwrap_or_default();
    properties.push(format!("title={}", property(&issue.rule)));
    format!("::{level} {}::{}\n", properties.join(","), data(&issue.message))
}

/// Columns are only taken where a part does not go over a line's end.
fn place(place: &Place) -> Vec<String> {
    let mut properties = vec![format!("file={}", property(&place.file)), format!("line={}", place.line)];
    if place.end_line > place.line {
        properties.push(format!("endLine={}", place.end_line));
    } else if place.column > 0 && place.end_column > place.column {
        properties.push(format!("endLine={}", place.line));
        properties.push(format!("col={}", place.column));
        properties.push(format!("endColumn={}", place.end_column));
    }
    properties
}

/// The message of a command: a line's end or a percent sign would end or change it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which `:` and `,` would end, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(severity: Severity, message: &str, place: Option<Place>) -> Issue {
        Issue {
            rule: "delete-all-rows".to_owned(),
            severity,
            message: message.to_owned(),
            accepted: None,
            statement: None,
            place,
            key: String::new(),
        }
    }

    fn at(line: u64, end_line: u64) -> Option<Place> {
        Some(Place { file: "a,b:c%/ü.sql".to_owned(), line, column: 3, end_line, end_column: 9 })
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let issues = Issues {
            issues: vec![
                issue(Severity::Error, "100 % gone::\nnow, or later: never", at(4, 4)),
                issue(Severity::Warning, "over lines", at(4, 6)),
                issue(Severity::Info, "nowhere", None),
            ],
            ..Issues::default()
        };
        assert_eq!(
            render(&issues),
            "::error file=a%2Cb%3Ac%25/ü.sql,line=4,endLine=4,col=3,endColumn=9,title=delete-all-rows::100 %25 \
             gone::%0Anow, or later: never\n\
             ::warning file=a%2Cb%3Ac%25/ü.sql,line=4,endLine=6,title=delete-all-rows::over lines\n\
             ::notice title=delete-all-rows::nowhere\n"
        );
    }

    #[test]
    fn no_more_are_given_than_github_shows_and_the_rest_is_counted() {
        let warnings = (0..25).map(|_| issue(Severity::Warning, "w", at(1, 1)));
        let issues = warnings.chain([issue(Severity::Error, "the one", at(1, 1))]).collect();
        let issues = Issues { issues, ..Issues::default() };
        let shown = render(&issues);
        assert_eq!(shown.matches("::warning ").count(), PER_LEVEL);
        assert!(shown.starts_with("::error "), "the worst first: {shown}");
        assert!(shown.ends_with(
            "rehearse: 15 further findings without an annotation: GitHub shows 10 of each level of a step\n"
        ));
    }

    #[test]
    fn what_was_accepted_is_not_annotated() {
        let accepted = Issue { accepted: Some("small".to_owned()), ..issue(Severity::Info, "x", at(1, 1)) };
        assert_eq!(render(&Issues { issues: vec![accepted], ..Issues::default() }), "");
    }
}
