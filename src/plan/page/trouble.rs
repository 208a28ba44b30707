//! If it goes wrong: kill, wait or help, for each long step; then what else to know and do.

use std::fmt::Write as _;

use super::SHOWN;
use super::words::cell;
use crate::plan::record::Plan;
use crate::plan::record::stops::{LONG, Long, line, long, meanwhile, no_return, unrehearsed};
use crate::plan::record::told::range;
use crate::quantity;

/// The whole section.
pub fn page(plan: &Plan, out: &mut String) {
    out.push_str("\n## If it goes wrong\n\n");
    out.push_str("First find the step's connection with W1 (`id`). **Kill** it: `KILL QUERY id`. **Wait**: leave it. **Help**: turn off what waits for it.\n\n");
    let long = long(plan);
    for one in &long {
        let _ = writeln!(
            out,
            "### Step {} takes too long: kill, wait or help\n\nIt took {} in the sandbox ({}).\n",
            one.place + 1,
            range(one.lasts.low, one.lasts.high),
            one.lasts.basis
        );
        if one.stops.is_empty() {
            let _ = writeln!(out, "{}\n", unrehearsed(one.step));
        } else {
            table(one, out);
        }
    }
    if long.is_empty() {
        let _ = writeln!(
            out,
            "No step took longer than {} in the sandbox, so that none was killed on its way: what a kill costs was not \
             rehearsed for any of them.\n",
            quantity::seconds(LONG)
        );
    }
    half_done(plan, out);
    for line in &plan.trouble {
        let _ = writeln!(out, "- {line}");
    }
}

/// What to do with an upgrade that somebody ran as it is written, and that was cut off.
fn half_done(plan: &Plan, out: &mut String) {
    if plan.half_done.is_empty() {
        return;
    }
    out.push_str("### The upgrade as written was cut off half-way\n\n");
    out.push_str("Not this plan, whose `apply` goes on where it was: the upgrade itself, run by an installer or by hand. Each line was rehearsed on a small copy.\n\n");
    out.push_str("| cut off after | run again from its start? | instead | what takes back what ran, last first |\n");
    out.push_str("| --- | --- | --- | --- |\n");
    for cut in plan.half_done.iter().take(SHOWN) {
        let after = match cut.places {
            1 => cut.after.clone(),
            places => format!("{} to {} ({places} places)", cut.after, cut.up_to),
        };
        let safe = if cut.rerun_safe { "yes" } else { "**no**" };
        let instead = if cut.instead.is_empty() { "—" } else { &cut.instead };
        let texts: Vec<String> = cut.cleanup.iter().map(|sql| format!("`` {sql} ``")).collect();
        let back = if cut.rerun_safe {
            "not needed".to_owned()
        } else if texts.is_empty() {
            "by hand".to_owned()
        } else {
            texts.join("; ")
        };
        let line = [after, format!("{safe}: it {}", cut.rerun), instead.to_owned(), back].map(|text| cell(&text));
        let _ = writeln!(out, "| {} |", line.join(" | "));
    }
    if plan.half_done.len() > SHOWN {
        let _ = writeln!(out, "\n{} more are in `plan.yaml`.", plan.half_done.len() - SHOWN);
    }
    out.push('\n');
}

fn table(long: &Long<'_>, out: &mut String) {
    out.push_str(
        "| done | after | kill: rolled back in | blocked meanwhile | wait: still to go | help: turn off meanwhile |\n",
    );
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for stop in &long.stops {
        let _ = writeln!(out, "| {} |", line(stop).join(" | "));
    }
    let _ = writeln!(
        out,
        "\nEach number was measured once, in a kill drill. While you wait it goes on to block: {}.",
        meanwhile(long.step)
    );
    let _ = writeln!(out, "**Point of no return**: {}\n", no_return(&long.stops));
}
