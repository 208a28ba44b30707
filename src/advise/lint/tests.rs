use super::tray::{HELD, KEPT, TOLD};
use super::*;
use crate::advise::specimen::{flavor, statement, survey};
use crate::sql::digest::digest;
use crate::survey::record::Survey;

/// Lints `texts`, one a line of `upgrade.sql`.
fn lint(texts: impl Iterator<Item = String>, survey: Option<&Survey>) -> (Vec<Located>, LintSummary) {
    let evidence = Evidence { survey, flavor: Some(flavor()), ..Evidence::default() };
    let mut lint = Lint::new(&evidence, &[], "2026-11-20");
    let mut told = Vec::new();
    for (place, text) in texts.enumerate() {
        let mut statement = statement(place + 1, &text);
        statement.digest = digest(&text);
        told.extend(lint.take(statement));
    }
    let (left, summary) = lint.finish();
    told.extend(left);
    (told, summary)
}

fn of<'a>(told: &'a [Located], rule: &str) -> Vec<&'a Located> {
    told.iter().filter(|located| located.finding.rule == rule).collect()
}

#[test]
fn findings_come_in_order_with_their_places_and_are_counted() {
    let texts = ["DELETE FROM page_views", "SELECT 1", "DROP TABLE orders"].map(str::to_owned);
    let (told, summary) = lint(texts.into_iter(), Some(&survey()));
    let places: Vec<_> = told.iter().map(|located| (located.finding.rule.as_str(), located.spot.from.line)).collect();
    assert!(places.contains(&("delete-all-rows", 1)) && places.contains(&("drop-table", 3)), "{places:?}");
    assert!(places.is_sorted_by_key(|(_, line)| *line), "{places:?}");
    assert_eq!((summary.statements, summary.files), (3, 1));
    assert_eq!(summary.errors + summary.warnings + summary.infos, told.len() as u64);
}

#[test]
fn what_needs_a_rehearsal_is_said_once_and_what_a_statement_hides_with_its_count() {
    let texts = (0..50).map(|n| format!("UPDATE t{n} SET a = 1 WHERE b = 2"));
    let (_, summary) = lint(texts, None);
    let untold = |rule: &str| summary.unchecked.iter().filter(move |untold| untold.rule == rule).collect::<Vec<_>>();
    assert_eq!(untold("blocked-writes").len(), 1);
    assert_eq!(untold("blocked-writes")[0].first, None);
    let hidden = untold("unbatched-update");
    assert_eq!((hidden.len(), hidden[0].count), (1, 50));
    assert_eq!(hidden[0].first.as_ref().map(|(label, origin)| (label.as_str(), origin.line)), Some(("s1", 1)));
}

#[test]
fn look_alikes_give_one_finding_with_a_count() {
    let row = (0..5_000).map(|_| "DELETE FROM page_views".to_owned());
    let (told, _) = lint(row, Some(&survey()));
    let found = of(&told, "delete-all-rows");
    assert_eq!((found.len(), found[0].count), (1, 5_000));
    let mixed = (0..5_000).flat_map(|n| ["DELETE FROM page_views".to_owned(), format!("SELECT {n} FROM orders")]);
    let (told, _) = lint(mixed, None);
    let found = of(&told, "delete-all-rows");
    assert_eq!(found.len(), TOLD);
    let (more, last) = found[TOLD - 1].more.as_ref().expect("the others");
    assert_eq!((*more, last.line), (5_000 - TOLD as u64, 9_999));
}

#[test]
fn a_script_of_any_length_holds_a_bounded_number_of_findings() {
    let evidence = Evidence { flavor: Some(flavor()), ..Evidence::default() };
    let mut lint = Lint::new(&evidence, &[], "2026-11-20");
    let mut told = 0;
    for place in 1..=10_000 {
        let text = format!("DROP TABLE t{place}");
        let mut statement = statement(place, &text);
        statement.digest = digest(&text);
        told += of(&lint.take(statement), "drop-table").len();
        assert!(lint.tray.held.len() <= HELD + 50 && lint.tray.latest.len() <= KEPT && lint.tray.firsts.len() <= KEPT);
    }
    let (left, summary) = lint.finish();
    assert_eq!(told + of(&left, "drop-table").len(), 10_000);
    assert_eq!(summary.statements, 10_000);
}
