//! A statement whose text does not tell what it does.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{Confidence, Kind};

/// The rule.
pub const RULE: Rule = Rule {
    id: "not-understood",
    what: "a statement's text does not tell what it would touch",
    why: "No rule can judge it by its text, no alternative can be offered for it, and a plan cannot say which tables to \
          back up before it. In a rehearsal it is run and watched like any other, on all surveyed tables; what it did \
          there is known, what it would do on other data is not.",
    instead: "Write out what it does: the statement itself instead of PREPARE from a text, the statements of a procedure \
              instead of a CALL.",
    needs: Needs::Text,
    check,
    risky: include_str!("not-understood/risky.sql"),
    safer: include_str!("not-understood/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let reading = &subject.statement.reading;
    let hidden = matches!(reading.kind, Kind::Call | Kind::Execute) && reading.effect.tables().is_empty();
    if reading.confidence != Confidence::Unknown && reading.kind != Kind::Opaque && !hidden {
        return Verdict::Clear;
    }
    let why = match (&reading.why, reading.kind) {
        (_, Kind::Call) if hidden => "what it does stands in the procedure".to_owned(),
        (_, Kind::Execute) if hidden => "what it does stands in a prepared text".to_owned(),
        (Some(why), _) => why.clone(),
        (None, _) => "its text is of no known form".to_owned(),
    };
    let seen = match subject.observed() {
        Some(_) => "it was run and watched, but no rule judged its text and no alternative was looked for",
        None => "no rule judged it",
    };
    Risk::new(Severity::Warning, format!("may touch anything: {why}; {seen}")).with("why", why).into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn what_hides_in_a_prepared_text_is_told() {
        let found = Specimen::of(RULE.risky).found("not-understood");
        assert_eq!(found.len(), 1, "only the EXECUTE hides something: {found:?}");
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].statement.as_deref(), Some("s3"));
        assert!(Specimen::of(RULE.safer).found("not-understood").is_empty());
    }

    #[test]
    fn a_text_of_no_known_form_may_touch_anything() {
        let found = Specimen::of("FROBNICATE page_views").found("not-understood");
        assert!(found[0].message.starts_with("may touch anything: "), "{}", found[0].message);
    }
}
