//! Findings as SARIF 2.1.0 (OASIS), which code hosts and editors read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::issues::{Issue, Issues};
use crate::advise::record::{Place, Severity};
use crate::artifact::sha256;

/// What is said of a rule: id, what it finds, why that hurts and what to do.
pub type RuleWords = (&'static str, &'static str, String);

/// The issues as one SARIF document; `rules` is the manual, of which those that were found are described.
pub fn render(issues: &Issues, rules: &[RuleWords], successful: bool) -> String {
    let found: Vec<&RuleWords> =
        rules.iter().filter(|(id, ..)| issues.issues.iter().any(|one| one.rule == *id)).collect();
    let index: BTreeMap<&str, usize> = found.iter().enumerate().map(|(at, (id, ..))| (*id, at)).collect();
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = issues.issues.iter().map(|one| result(issues, one, &index, &mut seen)).collect();
    let notes: Vec<Value> = issues
        .unchecked
        .iter()
        .map(|why| json!({"level": "note", "message": {"text": plain(why)}, "descriptor": {"id": "not-looked-at"}}))
        .collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "rehearse",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": found.iter().map(|words| rule(words)).collect::<Vec<_>>(),
                "notifications": if notes.is_empty() { json!([]) } else {
                    json!([{"id": "not-looked-at", "shortDescription": {"text": "What nobody looked at, and why."}}])
                },
            }},
            "automationDetails": {"id": format!("rehearse/{}/", issues.name)},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
            "invocations": [{"executionSuccessful": successful, "toolExecutionNotifications": notes}],
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule((id, what, help): &RuleWords) -> Value {
    json!({
        "id": id,
        "shortDescription": {"text": plain(what)},
        "fullDescription": {"text": plain(what)},
        "help": {"text": plain(help), "markdown": help},
    })
}

fn result(
    issues: &Issues,
    one: &Issue,
    index: &BTreeMap<&str, usize>,
    seen: &mut BTreeMap<(String, String), u64>,
) -> Value {
    let level = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let file = one.place.as_ref().map_or_else(|| issues.file(), |place| Some(place.file.as_str()));
    let location = file.map(|file| {
        let mut place = json!({"artifactLocation": {"uri": uri(file), "uriBaseId": "%SRCROOT%"}});
        if file.starts_with('/') {
            place = json!({"artifactLocation": {"uri": format!("file://{}", uri(file))}});
        }
        if let Some(exact) = &one.place {
            place["region"] = region(exact);
        }
        json!({"physicalLocation": place})
    });
    // Of several alike in one file the first, second, … keep their names when others move.
    let times = seen.entry((one.rule.clone(), one.key.clone())).or_insert(0);
    *times += 1;
    let print = sha256(&format!("{}\n{}\n{}\n{times}", one.rule, file.unwrap_or_default(), one.key));
    let mut result = json!({
        "ruleId": one.rule,
        "level": level,
        "message": {"text": plain(&one.message)},
        "locations": location.into_iter().collect::<Vec<_>>(),
        "partialFingerprints": {"rehearse/v1": print},
    });
    if let Some(at) = index.get(one.rule.as_str()) {
        result["ruleIndex"] = (*at).into();
    }
    if let Some(reason) = &one.accepted {
        result["suppressions"] = json!([{"kind": "inSource", "status": "accepted", "justification": reason}]);
    }
    result
}

/// Lines and characters from 1; the end's character is the one after the last. Where nobody counted, the line.
fn region(place: &Place) -> Value {
    if place.column == 0 {
        return json!({"startLine": place.line.max(1)});
    }
    let (line, column) = (place.line.max(1), place.column);
    let end_line = place.end_line.max(line);
    let end_column = if end_line == line { place.end_column.max(column) } else { place.end_column.max(1) };
    json!({"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column})
}

/// A path as a URI reference: what is no unreserved character of RFC 3986 is encoded, and no first part passes for a scheme.
pub fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// In a message's text `[words](target)` would be a link.
fn plain(text: &str) -> String {
    if text.contains("](") {
        text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
    } else {
        text.to_owned()
    }
}
