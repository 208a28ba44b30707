//! What a gate finds of a branch beside what rules find of statements. It fails closed: what nobody could judge is a finding,
//! until somebody accepts it with a reason.

use std::collections::BTreeMap;

use super::policy::{EXPIRED, accept, in_force};
use super::record::{Allowance, Finding, Place, Severity};

/// A migration that was there before was edited.
pub const EDITED: &str = "migration-edited";
/// A migration that was there before is gone.
pub const REMOVED: &str = "migration-removed";
/// A migration makes its SQL when it runs.
pub const NOT_SQL: &str = "migration-not-sql";
/// A migration without a statement.
pub const EMPTY: &str = "migration-empty";
/// A statement that matters was not rehearsed.
pub const UNREHEARSED: &str = "not-rehearsed";
/// A setting of production that the sandbox did not get.
pub const UNCARRIED: &str = "setting-not-carried";

/// All of them: `allow:` and `severity:` may name them as they name rules.
pub const IDS: [&str; 6] = [EDITED, REMOVED, NOT_SQL, EMPTY, UNREHEARSED, UNCARRIED];

/// How findings of a gate count.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// Findings that somebody accepted; of a gate's the `statement` is a file or a setting.
    pub allow: &'a [Allowance],
    /// Severities of rules, over their own.
    pub severity: &'a BTreeMap<String, Severity>,
    /// A date such as `2026-11-20`, which allowances are held against.
    pub today: &'a str,
}

impl Gate<'_> {
    /// A finding on a file, or on what `about` names; after it one that its allowance ran out, where that is so.
    pub fn find(&self, rule: &str, severity: Severity, message: String, about: About<'_>) -> Vec<Finding> {
        let mut finding = Finding {
            rule: rule.to_owned(),
            severity: self.severity.get(rule).copied().unwrap_or(severity),
            statement: None,
            message,
            evidence: BTreeMap::new(),
            place: about.file.map(|file| Place { file: file.to_owned(), line: 1, end_line: 1, ..Place::default() }),
        };
        if let Some(setting) = about.setting {
            finding.evidence.insert("setting".to_owned(), setting.into());
        }
        let meant = |allowance: &&Allowance| {
            let named = [about.file, about.setting];
            allowance.rule == rule
                && allowance.statement.as_deref().is_none_or(|name| named.into_iter().flatten().any(|own| own == name))
        };
        let mut expired = None;
        for allowance in self.allow.iter().filter(meant) {
            match in_force(allowance, self.today) {
                Ok(()) => {
                    accept(allowance, &mut finding);
                    return vec![finding];
                }
                Err(why) => {
                    let message = format!("the allowance of {rule} (\"{}\") {why}", allowance.reason);
                    let (rule, severity) = (EXPIRED.to_owned(), Severity::Warning);
                    expired = Some(Finding { rule, severity, message, ..finding.clone() });
                }
            }
        }
        std::iter::once(finding).chain(expired).collect()
    }
}

/// What a finding of a gate is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// A file.
    pub file: Option<&'a str>,
    /// A setting.
    pub setting: Option<&'a str>,
}

/// The settings (and why) that a sandbox did not get: a rehearsal under others proves nothing.
pub fn uncarried<'s>(settings: impl Iterator<Item = (&'s str, &'s str)>, gate: &Gate<'_>) -> Vec<Finding> {
    let find = |(name, why): (&str, &str)| {
        let message = format!("production's {name} was not rehearsed with: {why}");
        gate.find(UNCARRIED, Severity::Error, message, About { setting: Some(name), ..About::default() })
    };
    settings.flat_map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(statement: Option<&str>, until: Option<&str>) -> Allowance {
        Allowance {
            rule: UNCARRIED.to_owned(),
            statement: statement.map(str::to_owned),
            reason: "same on all our servers".to_owned(),
            until: until.map(str::to_owned),
        }
    }

    fn found(allow: &[Allowance], severity: &BTreeMap<String, Severity>) -> Vec<(String, Severity)> {
        let gate = Gate { allow, severity, today: "2026-11-21" };
        let settings = [("sql_mode", "this version does not know it")];
        uncarried(settings.into_iter(), &gate).into_iter().map(|one| (one.rule, one.severity)).collect()
    }

    #[test]
    fn a_setting_that_could_not_be_carried_fails_until_somebody_accepts_it() {
        let none = BTreeMap::new();
        let error = (UNCARRIED.to_owned(), Severity::Error);
        assert_eq!(found(&[], &none), std::slice::from_ref(&error));
        assert_eq!(found(&[allowance(Some("sql_mode"), None)], &none), [(UNCARRIED.to_owned(), Severity::Info)]);
        assert_eq!(
            found(&[allowance(Some("time_zone"), None)], &none),
            std::slice::from_ref(&error),
            "another setting's"
        );
        let expired = found(&[allowance(None, Some("2026-11-20"))], &none);
        assert_eq!(expired, [error, (EXPIRED.to_owned(), Severity::Warning)]);
        let set = BTreeMap::from([(UNCARRIED.to_owned(), Severity::Warning)]);
        assert_eq!(found(&[], &set), [(UNCARRIED.to_owned(), Severity::Warning)]);
    }
}
