//! Findings as GitLab's code-quality report (docs.gitlab.com, "Code Quality report format").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::issues::{Issue, Issues};
use crate::advise::record::Severity;
use crate::artifact::sha256;

/// The issues as a list; those that somebody accepted are left out, for GitLab knows no such thing.
pub fn render(issues: &Issues) -> String {
    let mut seen = BTreeMap::new();
    let list: Vec<Value> =
        issues.issues.iter().filter(|one| one.accepted.is_none()).map(|one| item(issues, one, &mut seen)).collect();
    format!("{:#}\n", Value::from(list))
}

fn item(issues: &Issues, one: &Issue, seen: &mut BTreeMap<String, u64>) -> Value {
    let severity = match one.severity {
        Severity::Error => "critical",
        Severity::Warning => "major",
        Severity::Info => "info",
    };
    // GitLab wants a file for each; what concerns the whole stands at the first one.
    let file =
        one.place.as_ref().map_or_else(|| issues.file(), |place| Some(place.file.as_str())).unwrap_or("rehearse.yaml");
    let (line, column) = one.place.as_ref().map_or((1, 1), |place| (place.line.max(1), place.column.max(1)));
    let (end_line, end_column) =
        one.place.as_ref().map_or((line, column), |place| (place.end_line.max(line), place.end_column.max(1)));
    // Names stay when lines move; of several alike each has its own.
    let same = format!("{}\n{file}\n{}", one.rule, one.key);
    let times = seen.entry(same.clone()).or_insert(0);
    *times += 1;
    json!({
        "description": one.message,
        "check_name": one.rule,
        "fingerprint": sha256(&format!("{same}\n{times}")),
        "severity": severity,
        "location": {
            "path": file,
            "positions": {"begin": {"line": line, "column": column}, "end": {"line": end_line, "column": end_column}},
            "lines": {"begin": line, "end": end_line},
        },
    })
}
