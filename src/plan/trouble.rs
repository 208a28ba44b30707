//! If it goes wrong: what was measured, and what was not.

use super::step::Step;
use crate::quantity;

/// What to know and do, in sentences.
pub fn sentences(steps: &[Step]) -> Vec<String> {
    let mut lines = vec![
        "A script that stops has said why in its last line. The stock client stops at the first error; what stands before it in the script is done, except inside a transaction that was not committed: that is rolled back.".to_owned(),
        "Do not restart the server to stop a statement: a crash recovery rolls the same change back, with the site down meanwhile.".to_owned(),
        "To stop a step, KILL QUERY its connection. A change of rows is rolled back first, and its locks stay until that is done. How long a rollback takes here was not measured: no kill drill was run. On other tables it took about as long as the statement had already run.".to_owned(),
    ];
    let mut long: Vec<&Step> =
        steps.iter().filter(|step| step.body.takes.as_ref().is_some_and(|takes| takes.high_seconds >= 10.0)).collect();
    long.sort_by(|a, b| {
        let high = |step: &Step| step.body.takes.as_ref().map_or(0.0, |takes| takes.high_seconds);
        high(b).total_cmp(&high(a))
    });
    for step in long.into_iter().take(5) {
        let Some(takes) = &step.body.takes else { continue };
        let blocks = if step.body.blocks.is_empty() {
            "nothing was seen to wait for it".to_owned()
        } else {
            step.body.blocks.join("; ")
        };
        lines.push(format!(
            "{} is long ({} in the sandbox), and {blocks}. Decide before you start it until when you would still kill it.",
            step.body.id,
            quantity::seconds(takes.high_seconds)
        ));
    }
    lines.push("When the connection is lost, look first (the step's verification) and only then run anything again: a DDL that was running goes on, a transaction is rolled back.".to_owned());
    lines.push("To go back behind everything, run the plan/80-*.sql scripts in the order of their names: the last step's undo first. To go back from the middle, begin with the undo of the last step that ran, even half-way. A step without such a script has none, and says what to do by hand.".to_owned());
    lines.push("Replicas, restarts and connections lost half-way were not rehearsed.".to_owned());
    lines
}
