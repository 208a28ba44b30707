//! Every rule's pair of scripts on real servers: the risk is found on `risky.sql` and gone on `safer.sql`, judged with all
//! that a real run has: the survey of the server, the rehearsal, the tables before and after.
//!
//! One server per flavour, a database per script, copied from one that is filled once. To run one rule:
//! `cargo test --test catalogue -- table-rebuild`. What a rule needs besides its two scripts stands in [`pairs`].

#![allow(clippy::print_stdout)]

mod bench;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use mysql_rehearsal::advise::catalogue::RULES;
use mysql_rehearsal::advise::rule::Rule;

use bench::{Judged, Servers};
use pairs::Pair;

/// What the judge said, by rule and server: of the risky script, then of the safer one, and how long that took.
type Answers = BTreeMap<(&'static str, &'static str), ([&'static str; 2], Duration)>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let servers = Arc::new(Servers::default());
    let answers = Arc::new(Mutex::new(Answers::default()));
    let mut trials = vec![Trial::test("every_rule_file_has_its_pair", every_rule_file_has_its_pair)];
    for rule in RULES {
        for server in bench::SERVERS {
            let (servers, answers) = (Arc::clone(&servers), Arc::clone(&answers));
            trials.push(Trial::test(format!("{} on {server}", rule.id), move || {
                let mut took = Duration::ZERO;
                let found = hold_patiently(&servers, rule, server, &mut took);
                let told = found.as_ref().map_or(["missed", "missed"], |found| *found);
                answers.lock().unwrap_or_else(PoisonError::into_inner).insert((rule.id, server), (told, took));
                found.map(drop)
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    servers.end();
    print_table(&answers.lock().unwrap_or_else(PoisonError::into_inner));
    conclusion.exit_code()
}

/// Waits are measured, and another program on the machine may hide or feign one: what misses is measured again.
fn hold_patiently(
    servers: &Servers,
    rule: &'static Rule,
    server: &'static str,
    took: &mut Duration,
) -> Result<[&'static str; 2], Failed> {
    let tries = if Pair::of(rule, server).waits { 3 } else { 1 };
    let mut found = hold(servers, rule, server, took);
    for _ in 1..tries {
        if found.is_ok() {
            break;
        }
        found = hold(servers, rule, server, took);
    }
    found
}

/// Runs both scripts of a rule and holds the answers to what is expected on this server.
fn hold(
    servers: &Servers,
    rule: &'static Rule,
    server: &'static str,
    took: &mut Duration,
) -> Result<[&'static str; 2], Failed> {
    let pair = Pair::of(rule, server);
    let risky = servers.judge(server, &pair, rule.risky)?;
    let safer = servers.judge(server, &pair, rule.safer)?;
    *took += risky.took + safer.took;
    let answers = [word(&risky, rule), word(&safer, rule)];
    if risky.failed.is_some() != pair.risky_fails {
        return Err(format!("risky.sql: {}", risky.failed.as_deref().unwrap_or("it did not fail")).into());
    }
    if let Some(failed) = &safer.failed {
        return Err(format!("safer.sql: {failed}").into());
    }
    let expected = [if pair.applies { "found" } else { "absent" }, "absent"];
    if answers == expected {
        return Ok(answers);
    }
    Err(format!(
        "expected {expected:?}, got {answers:?}\nrisky.sql:\n{}\nsafer.sql:\n{}",
        risky.findings, safer.findings
    )
    .into())
}

fn word(judged: &Judged, rule: &Rule) -> &'static str {
    if judged.rules.contains(rule.id) { "found" } else { "absent" }
}

fn print_table(answers: &Answers) {
    if answers.is_empty() {
        return;
    }
    println!("{:<34}{:>14}{:>12}{:>12}{:>10}", "rule", "server", "risky.sql", "safer.sql", "seconds");
    for ((rule, server), ([risky, safer], took)) in answers {
        println!("{rule:<34}{server:>14}{risky:>12}{safer:>12}{:>10.1}", took.as_secs_f64());
    }
}

/// A rule whose file or scripts nobody runs is no rule.
fn every_rule_file_has_its_pair() -> Result<(), Failed> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/advise/rules");
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            for script in ["risky.sql", "safer.sql"] {
                assert!(path.join(script).is_file(), "{name}/{script} is missing");
            }
            folders.insert(name);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "mod" {
            files.insert(name.replace('_', "-"));
        }
    }
    let rules: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(files, rules);
    assert_eq!(folders, rules);
    pairs::every_name_is_a_rule();
    Ok(())
}
