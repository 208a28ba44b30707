//! What an undo puts back: as it was before the step, and nothing else.

use super::*;

/// The statements of the undo scripts, from the last step to the first, without comments and settings.
fn undone(specimen: &Specimen) -> Vec<String> {
    let plan = plan_of(specimen);
    let steps = plan.steps.iter().rev();
    let lines = steps.flat_map(|step| step.body.undo.sql.iter().cloned());
    lines.filter(|line| !line.starts_with("SET ") && !line.starts_with("USE ")).collect()
}

const VIEW: &str = "CREATE VIEW `recent` AS select 1 AS `one`";

fn with_view(text: &str) -> Specimen {
    let mut specimen = Specimen::of(text);
    specimen.survey.views.insert(shop("recent"), VIEW.to_owned());
    specimen
}

#[test]
fn a_view_that_was_replaced_comes_back_as_it_was() {
    for text in ["CREATE OR REPLACE VIEW recent AS SELECT 2", "ALTER VIEW recent AS SELECT 2"] {
        let specimen = with_view(text);
        assert_eq!(undone(&specimen), ["DROP VIEW IF EXISTS `shop`.`recent`", VIEW], "{text}");
        assert_eq!(plan_of(&specimen).backups[0].way, Way::Definition, "{text}");
    }
    let made = Specimen::of("CREATE OR REPLACE VIEW recent AS SELECT 2");
    assert_eq!(undone(&made), ["DROP VIEW `shop`.`recent`"], "there was none");
}
