//! Where a path of a YAML document stands in its text.

/// The line (from 1) of a path of keys and places, as far down as it can be followed; none when not even its first key
/// stands in the text. Block style only: of what is written in one line it is that line.
pub fn of(text: &str, path: &[String]) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut from, mut until, mut indent) = (0, lines.len(), 0);
    let mut found = None;
    for part in path {
        let place = match part.parse::<usize>() {
            Ok(place) => item(&lines, from, until, indent, place),
            Err(_) => key(&lines, from, until, indent, part),
        };
        let Some(place) = place else { break };
        found = Some(place + 1);
        (from, until, indent) = body(&lines, place, until, indent, part.parse::<usize>().is_ok());
    }
    found
}

/// Spaces before a line's text, a list's dashes counted as such.
fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn dashes_at(line: &str, indent: usize) -> bool {
    line.get(indent..).is_some_and(|rest| rest.starts_with("- ") || rest == "-") && line[..indent].trim().is_empty()
}

fn key(lines: &[&str], from: usize, until: usize, indent: usize, name: &str) -> Option<usize> {
    let is_it = |line: &str| {
        let rest = line.get(indent..).unwrap_or_default();
        let bare = |quote: &str| rest.strip_prefix(quote)?.strip_prefix(name)?.strip_prefix(quote);
        indent_of(line) == indent
            && ["", "'", "\""].iter().any(|quote| bare(quote).is_some_and(|rest| rest.starts_with(':')))
    };
    (from..until).find(|place| is_it(lines[*place]))
}

fn item(lines: &[&str], from: usize, until: usize, indent: usize, place: usize) -> Option<usize> {
    // A list may stand as far in as its key, or further.
    let first = (from..until).find(|at| lines[*at].trim_start().starts_with('-'))?;
    let own = lines[first].len() - lines[first].trim_start().len();
    let _ = indent;
    (first..until).filter(|at| dashes_at(lines[*at], own)).nth(place)
}

/// What belongs to the key or item at a line: the lines, and how far in its keys stand.
fn body(lines: &[&str], place: usize, until: usize, indent: usize, is_item: bool) -> (usize, usize, usize) {
    if is_item {
        let own = lines[place].len() - lines[place].trim_start().len();
        let end = (place + 1..until).find(|at| {
            let line = lines[*at];
            !line.trim().is_empty() && (dashes_at(line, own) || line.len() - line.trim_start().len() < own + 1)
        });
        (place, end.unwrap_or(until), indent_of(lines[place]))
    } else {
        let ends = |line: &str| {
            let spaces = line.len() - line.trim_start().len();
            !line.trim().is_empty()
                && (spaces < indent || indent_of(line) == indent && !line.trim_start().starts_with('-'))
        };
        let end = (place + 1..until).find(|at| ends(lines[*at]));
        let end = end.unwrap_or(until);
        let inner =
            (place + 1..end).find(|at| !lines[*at].trim().is_empty()).map_or(indent + 2, |at| indent_of(lines[at]));
        (place + 1, end, inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name: x\nsteps:\n- id: step-001\n  guard:\n    settings:\n    - SET a\n    - SET b\n  know: []\n- id: \
                        step-002\n  guard:\n    settings:\n    - SET c\n    - SET d\nsign_off:\n- me\n- you\n";

    fn line(path: &str) -> Option<usize> {
        of(TEXT, &path.split('.').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_path_leads_to_its_line_and_as_far_as_it_can() {
        assert_eq!(line("name"), Some(1));
        assert_eq!(line("steps.0.id"), Some(3));
        assert_eq!(line("steps.0.guard.settings.1"), Some(7));
        assert_eq!(line("steps.1"), Some(9));
        assert_eq!(line("steps.1.guard.settings.0"), Some(12));
        assert_eq!(line("sign_off.1"), Some(16));
        assert_eq!(line("steps.1.nothing"), Some(9));
        assert_eq!(line("nothing"), None);
    }
}
