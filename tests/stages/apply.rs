//! A plan carried out on real servers.

mod cuts;
mod stand;
mod standing;
mod trouble;

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use self::stand::Stand;
use super::servers::Servers;

/// A trial on one of the servers.
type Check = fn(&Stand) -> Result<(), Failed>;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let checks: &[(&str, Check)] = &[
        ("cut_off_at_every_call_it_ends_the_same", cuts::cut_off_at_every_call),
        ("what_nobody_can_know_stops_it_and_a_person_settles_it", cuts::what_nobody_can_know),
        ("a_failing_statement_leaves_nothing_and_is_run_again", trouble::a_failing_statement),
        ("what_fails_between_table_locks_is_not_done_twice", trouble::a_failing_statement_under_locks),
        ("rows_that_strictness_would_refuse_are_copied_as_they_are", trouble::rows_of_laxer_days),
        ("a_held_table_is_tried_again_and_again", trouble::a_held_table),
        ("two_at_once_and_an_orphan", trouble::two_at_once),
        ("it_rests_while_the_pause_file_is_there_and_ends_where_it_is_asked_to", trouble::it_rests),
        ("an_undo_goes_back_and_the_plan_can_be_carried_out_anew", trouble::an_undo_goes_back),
        ("a_verification_that_does_not_hold_stops_it", trouble::a_verification),
        ("what_a_restored_backup_took_away_is_seen_and_begun_anew", standing::put_back),
        ("rows_of_before_are_seen_by_their_table_and_by_the_verification", standing::rows_of_before),
        ("a_lost_journal_is_told_by_the_local_one", standing::a_lost_journal),
        ("the_same_upgrade_as_another_plan_is_not_carried_out_twice", standing::drafted_again),
        ("an_old_copy_is_made_again_when_a_person_says_so", standing::an_old_copy),
        ("a_lost_keeper_stops_it_at_the_next_boundary", standing::a_lost_keeper),
    ];
    let mut trials = Vec::new();
    for (name, check) in checks {
        for flavor in ["mysql", "mariadb"] {
            let (servers, check) = (Arc::clone(servers), *check);
            trials.push(Trial::test(format!("apply::{name}_on_{flavor}"), move || {
                let instance = if flavor == "mysql" { servers.mysql()? } else { servers.mariadb()? };
                let database = servers.fresh_database(&instance)?;
                check(&Stand { instance, database })
            }));
        }
    }
    trials
}
