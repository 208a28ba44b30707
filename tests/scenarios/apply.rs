//! A plan carried out on a stand-in for production: with an application that writes meanwhile, killed, cut off, crashed, twice at
//! once; and by hand, with the stock client.

mod carried;
mod live;
mod replica;
mod scene;
mod stand_in;
mod stock;
mod trouble;
mod writer;

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use super::desk::{MARIADB, MYSQL, On};
pub use scene::Scenes;

type Check = fn(&mut scene::Scene) -> Result<(), Failed>;

/// The trials of this module.
pub fn trials(scenes: &Arc<Scenes>) -> Vec<Trial> {
    let checks: [(&str, Check); 8] = [
        ("nothing_that_was_committed_meanwhile_is_lost", live::loses_nothing_that_was_committed),
        ("a_kill_at_any_moment_is_resumed_to_the_same_end", trouble::resumes_after_kills),
        ("a_crash_of_the_server_is_resumed_to_the_same_end", trouble::resumes_after_server_crashes),
        ("a_cut_connection_is_resumed_to_the_same_end", trouble::resumes_after_cut_connections),
        ("an_interrupt_ends_in_good_order", trouble::stops_on_interrupt),
        ("a_dry_run_changes_nothing", trouble::dry_run_changes_nothing),
        ("two_at_once_do_it_once", trouble::two_at_once_do_it_once),
        ("every_script_runs_with_the_stock_client_unedited", stock::runs_every_script),
    ];
    // In turn, so that two side by side do not wait for one scene.
    let on = [(MYSQL, "mysql"), (MARIADB, "mariadb")];
    let both = |(what, check): (&str, Check)| {
        on.map(|(on, name)| trial(scenes, on, format!("apply::{what}_on_{name}"), check))
    };
    let mut trials: Vec<Trial> = on
        .map(|(on, name)| {
            Trial::test(format!("apply::a_real_replica_is_kept_up_with_on_{name}"), move || replica::a_real_replica(on))
        })
        .into();
    trials.extend(checks.into_iter().flat_map(both));
    trials
}

fn trial(scenes: &Arc<Scenes>, on: On, name: String, check: Check) -> Trial {
    let scenes = Arc::clone(scenes);
    Trial::test(name, move || scenes.on(on, check))
}
