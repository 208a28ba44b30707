//! Comparisons of a recorded rehearsal with itself, changed in one place at a time.

use super::record::{Comparison, Trend};
use super::{compare, html, markdown, sentence, text};
use crate::advise::record::{Finding, Severity};
use crate::replay::record::Algorithm;
use crate::report::record::{Report, Statement, Verdict};

fn zdz() -> Report {
    serde_json::from_str(include_str!("../../../fixtures/report/zdz.report.json")).expect("a report of this version")
}

fn named<'a>(report: &'a mut Report, name: &str) -> &'a mut Statement {
    report.statements.iter_mut().find(|one| one.name.as_deref() == Some(name)).expect("the statement")
}

/// Both of its runs take so long.
fn takes(report: &mut Report, name: &str, seconds: f64) {
    let one = named(report, name);
    (one.seconds, one.loud_seconds) = (Some(seconds), Some(seconds));
}

fn changed(change: impl FnOnce(&mut Report)) -> Comparison {
    let mut other = zdz();
    change(&mut other);
    compare(&zdz(), &other)
}

/// What changed, each as its trend and its words.
fn told(comparison: &Comparison) -> Vec<(Trend, String)> {
    let line = |change: &super::record::Change| {
        let on = change.statement.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        (change.trend, format!("{on}{}", change.what))
    };
    comparison.changes.iter().map(line).collect()
}

#[test]
fn a_rehearsal_is_no_worse_than_itself() {
    let same = changed(|_| ());
    assert_eq!(told(&same), []);
    assert!(sentence(&same).starts_with("NOTHING WORSE: 15 statements are as before"), "{}", sentence(&same));
}

#[test]
fn a_time_outside_of_the_band_is_worse_or_better_and_one_inside_is_the_same() {
    // 0.79 s: 0.90 s is more than 50 ms away, and less than a quarter.
    let within = changed(|report| takes(report, "tracking-delete", 0.90));
    assert_eq!(told(&within), []);
    let slower = changed(|report| takes(report, "tracking-delete", 1.6));
    assert_eq!(told(&slower), [(Trend::Worse, "tracking-delete takes 1.60 s, and took 0.79 s".to_owned())]);
    let faster = changed(|report| takes(report, "tracking-delete", 0.1));
    assert_eq!(told(&faster), [(Trend::Better, "tracking-delete takes 0.10 s, and took 0.79 s".to_owned())]);
    // Twice as long, and still a few milliseconds.
    let tiny = changed(|report| takes(report, "posts-add-slug", 0.06));
    assert_eq!(told(&tiny), []);
}

#[test]
fn a_wait_is_held_to_what_waits_while_nothing_runs() {
    let longer = |noise: f64| {
        changed(|report| {
            report.noise[0].longest_seconds = noise;
            for one in &mut named(report, "tracking-delete").blocked {
                one.longest_seconds *= 2.0;
            }
        })
    };
    let told_of = |comparison: &Comparison| told(comparison).into_iter().map(|(_, what)| what).collect::<Vec<_>>();
    assert_eq!(told_of(&longer(0.01)).len(), 2, "locks and updates: {:?}", told_of(&longer(0.01)));
    assert!(told_of(&longer(0.01))[0].contains("wait for 2.02 s at most, and waited for 1.01 s"));
    assert_eq!(told_of(&longer(5.0)), Vec::<String>::new(), "a machine that stalls for 5 s by itself tells nothing");
}

#[test]
fn two_runs_that_differ_widen_the_band_and_a_time_must_lie_outside_of_both() {
    let beside = |factor: f64, seconds: f64| {
        changed(|report| {
            let one = named(report, "tracking-delete");
            one.seconds = Some(seconds);
            one.loud_seconds = Some(seconds * factor);
        })
    };
    // Alone 1.6 s, beside probes as long as the earlier one was alone: nobody can tell.
    assert_eq!(told(&beside(0.5, 1.6)), []);
    assert_eq!(told(&beside(1.2, 1.6)).len(), 1);
    let wide = beside(5.0, 1.6);
    assert!(wide.band.share > 2.0 && told(&wide).is_empty(), "{:?}", wide.band);
}

#[test]
fn other_sizes_are_named_and_times_not_judged() {
    let other = changed(|report| {
        report.scale = 1.0;
        takes(report, "tracking-delete", 125.0);
        named(report, "votes-widen-id").algorithm = Some(Algorithm::Instant);
    });
    assert!(!other.judges_times && other.conditions.iter().any(|line| line.starts_with("scale: 0.02 in A, 1 in B")));
    assert_eq!(told(&other), [(Trend::Better, "votes-widen-id is carried out as instant, and was as copy".to_owned())]);
}

#[test]
fn findings_verdict_and_limits_come_and_go() {
    let mended = changed(|report| {
        report.verdict = Verdict::Pass;
        report.findings.retain(|finding| finding.severity != Severity::Error || finding.rule == "blocked-writes");
        report.budget.iter_mut().for_each(|line| line.ok = true);
    });
    assert!(mended.changes.iter().all(|change| change.trend == Trend::Better), "{:?}", told(&mended));
    assert!(
        told(&mended).iter().any(|(_, what)| what == "tracking-delete error delete-all-rows is gone"),
        "{:?}",
        told(&mended)
    );
    let worse = changed(|report| {
        report.findings.push(Finding {
            rule: "drop-table".to_owned(),
            severity: Severity::Warning,
            statement: Some("s11".to_owned()),
            message: "gone".to_owned(),
            evidence: Default::default(),
            place: None,
        });
    });
    assert_eq!(told(&worse), [(Trend::Worse, "tracking-delete warning drop-table appeared: gone".to_owned())]);
    assert_eq!(worse.changes[0].severity, Severity::Warning);
}

#[test]
fn a_finding_of_a_wait_comes_and_goes_with_the_noise() {
    let gone = |seconds: f64| {
        changed(|report| {
            report.findings.retain(|finding| finding.rule != "blocked-writes");
            for one in &mut named(report, "tracking-delete").blocked {
                one.longest_seconds = seconds;
            }
        })
    };
    let trend = |comparison: &Comparison| {
        comparison
            .changes
            .iter()
            .find(|change| change.what.contains("blocked-writes is gone"))
            .map(|change| change.trend)
    };
    assert_eq!(trend(&gone(0.95)), Some(Trend::Changed), "1.01 s and 0.95 s are the same");
    assert_eq!(trend(&gone(0.1)), Some(Trend::Better));
}

#[test]
fn a_chosen_way_that_no_longer_leaves_the_same_is_an_error() {
    let lost = changed(|report| {
        let way = named(report, "tracking-delete").alternatives.iter_mut().find(|way| way.chosen).expect("batches");
        way.proof.as_mut().expect("a proof").same_result = false;
    });
    let [change] = lost.changes.as_slice() else { panic!("{:?}", told(&lost)) };
    assert_eq!((change.trend, change.severity), (Trend::Worse, Severity::Error));
    assert!(change.what.contains("batches: its result is 'differs', and was 'same (checksums)'"), "{}", change.what);
}

#[test]
fn statements_are_matched_by_name_then_by_digest_and_others_are_new_or_gone() {
    let moved = changed(|report| {
        let first = report.statements.remove(0);
        report.statements.push(first);
        let mut fresh = report.statements[0].clone();
        (fresh.id, fresh.name, fresh.digest) = ("s99".to_owned(), Some("brand-new".to_owned()), "x".to_owned());
        report.statements.push(fresh);
        report.statements.retain(|one| one.name.as_deref() != Some("version-bump"));
    });
    let told: Vec<String> = told(&moved).into_iter().map(|(_, what)| what).collect();
    assert_eq!(told.len(), 2, "an order that changed is none: {told:?}");
    assert!(told[0].starts_with("brand-new is new in B") && told[1].starts_with("version-bump is not in B any more"));
}

#[test]
fn every_form_tells_the_same() {
    let slower = changed(|report| {
        takes(report, "tracking-delete", 1.6);
        report.name = "<b>|x".to_owned();
    });
    let (text, page, comment) = (text(&slower, false, 100), html(&slower).expect("a page"), markdown(&slower));
    for form in [&text, &page, &comment] {
        assert!(form.contains("takes 1.60 s, and took 0.79 s"), "{form}");
        assert!(form.contains("0.79 s → 1.60 s"), "{form}");
    }
    assert!(text.starts_with("WORSE: 1 thing worse") && !text.contains('\u{1b}'), "{text}");
    assert!(!page.contains("<b>|x") && !comment.contains("<b>|x"), "names of others are texts");
    assert!(serde_json::to_value(&slower).expect("JSON")["changes"][0]["trend"] == "worse");
}

#[test]
fn of_many_statements_the_page_shows_those_that_changed_and_folds_the_rest() {
    let many = || {
        let mut report = zdz();
        let pattern = report.statements[0].clone();
        report.findings.clear();
        report.statements = (1..=5_000_u32)
            .map(|number| {
                let mut one = pattern.clone();
                (one.id, one.name) = (format!("s{number}"), Some(format!("n{number}")));
                one.last_id.clone_from(&one.id);
                one.alternatives.clear();
                one
            })
            .collect();
        report
    };
    let mut slower = many();
    takes(&mut slower, "n4000", 5.0);
    let page = html::render(&compare(&many(), &slower)).expect("a page");
    let (shown, folded) = page.split_once("4,999 statements that are as before").expect("the fold");
    assert!(shown.contains(">n4000</th>") && !shown.contains(">n3999</th>"), "those that changed stand above it");
    assert!(folded.contains(">n1</th>") && folded.contains(">n5000</th>") && !folded.contains(">n4000</th>"));
    assert_eq!(folded.matches("<table>").count(), 25, "tables that a browser lays out one by one");
    let small = html::render(&changed(|_| ())).expect("a page");
    assert!(!small.contains("as before</summary>") && small.contains(">tracking-delete</th>"));
}
