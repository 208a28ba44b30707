//! Which part of a statement a finding is about, and the lines to show of it.

use crate::advise::alternatives::words::words;
use crate::advise::record::{Finding, Place, Spot};
use crate::sql::record::{Origin, Statement, TableName};

/// Bytes of the longest line that is kept whole; of a longer one, what is around the part.
const WIDTH: usize = 1_000;
/// Lines that are shown of one part.
const LINES: usize = 4;

/// A place of which only file and line are known.
pub fn elsewhere(label: &str, file: &str, line: u64) -> Spot {
    let from = Origin { file: file.to_owned(), line, column: 1 };
    Spot { label: label.to_owned(), from, end_line: line, end_column: 1, ..Spot::default() }
}

/// Where a finding stands: at the line that it names, else in its statement; none where nobody can tell.
pub fn place_of(statement: Option<&Statement>, finding: &Finding) -> Option<Place> {
    let line = finding.evidence.get("line").and_then(serde_json::Value::as_u64);
    let file = finding.evidence.get("file").and_then(serde_json::Value::as_str);
    match (statement, line, file) {
        (_, Some(line), Some(file)) => Some(elsewhere("", file, line).place()),
        (Some(statement), ..) => Some(spot(statement, finding).place()),
        _ => None,
    }
}

/// Where in its statement a finding stands.
pub fn spot(statement: &Statement, finding: &Finding) -> Spot {
    let (start, end) = part(statement, finding);
    let (line, column) = place(statement, start);
    let (end_line, end_column) = place(statement, end);
    let (excerpt, span) = excerpt(statement, start, end);
    Spot {
        label: statement.label().to_owned(),
        from: Origin { file: statement.origin.file.clone(), line, column },
        end_line,
        end_column,
        excerpt,
        span,
    }
}

/// Line and character of a byte of a statement.
fn place(statement: &Statement, at: usize) -> (u64, u64) {
    let before = &statement.text[..at];
    let lines = before.matches('\n').count() as u64;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u64;
    let first = if lines == 0 { statement.origin.column.max(1) } else { 1 };
    (statement.origin.line + lines, first + column)
}

/// The part that a finding names by its evidence: a clause, a column or its like, a table after its verb; else the first
/// line.
fn part(statement: &Statement, finding: &Finding) -> (usize, usize) {
    let text = statement.text.as_str();
    let said = |key: &str| finding.evidence.get(key).and_then(serde_json::Value::as_str);
    let clauses = &statement.reading.effect.clauses;
    let find = |part: &str| text.find(part).map(|at| (at, at + part.len())).filter(|(from, to)| from < to);
    if let Some(found) = said("clause").and_then(find) {
        return found;
    }
    let objects = ["column", "index", "constraint", "partition", "foreign_key"];
    for object in objects.into_iter().filter_map(said) {
        let named = clauses.iter().find(|clause| clause.object.as_deref().is_some_and(|own| own == object));
        if let Some(found) = named.and_then(|clause| find(&clause.text)).or_else(|| word(text, object, 0)) {
            return found;
        }
    }
    let first_line = text.lines().next().unwrap_or("").trim_end().len();
    if let Some(table) = said("table").and_then(|table| TableName::parse(table, "").ok())
        && let Some((from, to)) = word(text, &table.table, 0)
    {
        // The verb belongs to it where it stands near.
        return if to <= first_line.max(60) && !text[..from].contains('\n') { (0, to) } else { (from, to) };
    }
    (0, first_line)
}

/// The first word of a text that spells a name.
fn word(text: &str, name: &str, from: usize) -> Option<(usize, usize)> {
    // Of a long list of values the words are not wanted.
    let end = (0..=text.len().min(4096)).rev().find(|at| text.is_char_boundary(*at))?;
    let spelled = words(&text[from..end]).ok()?;
    let found = spelled.iter().find(|word| word.name().is_some_and(|own| own.eq_ignore_ascii_case(name)))?;
    Some((from + found.start, from + found.end))
}

/// The lines of a part, and the part in them. What stands before the statement on its line is shown as blanks.
fn excerpt(statement: &Statement, start: usize, end: usize) -> (String, (usize, usize)) {
    let text = statement.text.as_str();
    let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = if first == 0 { statement.origin.column.saturating_sub(1).min(WIDTH as u64) } else { 0 };
    let (mut shown, mut span) = (" ".repeat(indent as usize), None);
    let mut at = first;
    for (number, line) in text[first..].split('\n').enumerate() {
        let line_end = at + line.len();
        if at > end || (number > 0 && at == end) || number >= LINES {
            break;
        }
        let (from, to) = (start.clamp(at, line_end) - at, end.clamp(at, line_end) - at);
        if number > 0 {
            shown.push('\n');
        }
        let (cut, from, to) = cut(line, from, to);
        let (from, to) = (shown.len() + from, shown.len() + to);
        shown.push_str(&cut);
        span = Some((span.map_or(from, |(first, _)| first), to));
        at = line_end + 1;
    }
    (shown, span.unwrap_or_default())
}

/// A line cut to [`WIDTH`] around `from..to`, and where that part then stands.
fn cut(line: &str, from: usize, to: usize) -> (String, usize, usize) {
    let line = line.trim_end();
    let (from, to) = (from.min(line.len()), to.min(line.len()));
    if line.len() <= WIDTH {
        return (line.to_owned(), from, to);
    }
    let boundary = |at: usize| (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let begin = if from > WIDTH / 2 { boundary(from - WIDTH / 4) } else { 0 };
    let finish = boundary(begin + WIDTH);
    let (head, tail) = (if begin > 0 { "…" } else { "" }, if finish < line.len() { "…" } else { "" });
    let shift = |at: usize| at.clamp(begin, finish) - begin + head.len();
    (format!("{head}{}{tail}", &line[begin..finish]), shift(from), shift(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::record::Severity;
    use crate::advise::specimen::statement;

    fn found(text: &str, evidence: &[(&str, &str)]) -> (Spot, String) {
        let finding = Finding {
            rule: "x".to_owned(),
            severity: Severity::Warning,
            statement: Some("s7".to_owned()),
            message: String::new(),
            evidence: evidence.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
            place: None,
        };
        let spot = spot(&statement(7, text), &finding);
        let part = spot.excerpt[spot.span.0..spot.span.1].to_owned();
        (spot, part)
    }

    #[test]
    fn the_part_that_is_meant_is_found_by_the_evidence() {
        let (spot, part) = found("DELETE FROM\n  page_views WHERE 1", &[("table", "shop.page_views")]);
        assert_eq!((part.as_str(), spot.from.line, spot.from.column, spot.end_column), ("page_views", 8, 3, 13));
        let (_, part) = found("DELETE FROM `page_views` WHERE 1", &[("table", "shop.page_views")]);
        assert_eq!(part, "DELETE FROM `page_views`");
        let (spot, part) =
            found("ALTER TABLE t\n  ADD a INT,\n  DROP COLUMN b", &[("table", "shop.t"), ("column", "b")]);
        assert_eq!((part.as_str(), spot.excerpt.as_str(), spot.from.line), ("DROP COLUMN b", "  DROP COLUMN b", 9));
        assert_eq!(found("CALL p()\n", &[]).1, "CALL p()");
    }

    #[test]
    fn a_long_line_is_cut_around_the_part() {
        let text = format!("INSERT INTO t VALUES ({}) ON DUPLICATE KEY UPDATE abc = 1", "1, ".repeat(900));
        let (spot, part) = found(&text, &[("column", "abc")]);
        assert_eq!(part, "abc");
        assert!(spot.excerpt.len() <= WIDTH + 6 && spot.excerpt.starts_with('…'), "{}", spot.excerpt);
        assert_eq!(spot.from.column, text.find("abc").map_or(0, |at| at as u64 + 1));
        let (spot, part) = found(&format!("SELECT 'é{}'", "é".repeat(5_000)), &[]);
        assert!(spot.excerpt.ends_with('…') && part.starts_with("SELECT"), "{}", spot.excerpt);
    }

    #[test]
    fn a_part_over_many_lines_shows_a_few() {
        let text = "CREATE TRIGGER t\nBEFORE\nINSERT\nON x\nFOR EACH ROW\nSET @a = 1";
        let (spot, _) = found(text, &[("clause", text)]);
        assert_eq!((spot.excerpt.lines().count(), spot.end_line), (4, 12));
    }
}
