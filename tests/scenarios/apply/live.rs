//! The plan under an application that writes: nobody waits long, and nothing that was committed is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Failed;
use mysql::prelude::Queryable as _;

use super::scene::Scene;
use super::trouble::say;
use super::writer::{Writers, Written};

/// Generous: the machine of a test may be busy with other things. What was measured is printed.
const LONGEST: Duration = Duration::from_secs(5);

/// `verify` passes, `apply` ends well, and all that the application was told is committed is there.
pub fn loses_nothing_that_was_committed(scene: &mut Scene) -> Result<(), Failed> {
    scene.put_back()?;
    let writers = Writers::start(&scene.stand_in)?;
    let dsn = scene.stand_in.dsn()?;
    let verified = scene.desk.rehearse(&["verify", "rehearsal", "--dsn", &dsn]);
    let carried = verified.and_then(|said| said.exits(0)).and_then(|()| scene.carry_out("with an application"));
    let written = writers.end()?;
    carried?;
    say(&format!(
        "{} requests, {} rows; longest wait {:.3} s ({}); failed, by error number: {:?}",
        written.requests,
        written.events.len() + written.customers.len() + written.cache.len(),
        written.longest.as_secs_f64(),
        written.longest_of,
        written.failed
    ));
    assert!(written.longest < LONGEST, "{} waited {:?}", written.longest_of, written.longest);
    // A deadlock or a lock's time-out is told, and tried again by an application; anything else it would not expect.
    assert!(written.failed.keys().all(|number| [1205, 1213].contains(number)), "{:?}", written.failed);
    assert!(written.events.len() > 20 && written.customers.len() > 20 && written.cache.len() > 20, "{written:?}");
    is_all_there(scene, &written)
}

fn is_all_there(scene: &Scene, written: &Written) -> Result<(), Failed> {
    let plan = scene.plan()?;
    // Where rows went that the plan destroys: copies and tables put aside.
    let kept = |table: &str, key: &str| {
        let backups = plan["backups"].as_array().into_iter().flatten();
        let own = backups.filter(|backup| backup["of"] == format!("shop.{table}"));
        own.filter_map(|backup| backup["way"][key].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut session = scene.stand_in.session()?;
    let mut rows = |table: &str, column: &str| -> Result<BTreeMap<u64, String>, Failed> {
        Ok(session.query::<(u64, String), _>(format!("SELECT id, {column} FROM {table}"))?.into_iter().collect())
    };
    let mut events = rows("events", "payload")?;
    for copy in kept("events", "copy") {
        for (id, payload) in rows(&copy, "payload")? {
            assert!(events.insert(id, payload).is_none(), "event {id} is in its table and in the copy");
        }
    }
    for (id, payload) in &written.events {
        assert_eq!(events.get(id), Some(payload), "event {id}");
    }
    let old = (1..=60_000).filter(|id| !events.contains_key(id)).collect::<Vec<_>>();
    assert!(old.is_empty(), "events that are neither in the table nor in its copy: {old:?}");
    // Each table by itself: a row that came between the setting of the new table's counter and the swap has an id that
    // the new table gives once more.
    let mut caches = vec![rows("cache", "body")?];
    for aside in kept("cache", "kept") {
        caches.push(rows(&aside, "body")?);
    }
    let holders = |id: &u64, body: &String| caches.iter().filter(|cache| cache.get(id) == Some(body)).count();
    for (id, body) in &written.cache {
        assert_eq!(holders(id, body), 1, "cache {id}");
    }
    let twice = caches[0].keys().filter(|id| caches[1..].iter().any(|cache| cache.contains_key(id))).count();
    say(&format!("{twice} ids of the cache were given twice"));
    let notes = rows("customers", "note")?;
    let visits = rows("customers", "CAST(visits AS CHAR)")?;
    for id in 1..=40_000 {
        let (note, added) = written.customers.get(&id).map_or(("never written to", 0), |(note, added)| (note, *added));
        assert_eq!(notes.get(&id).map(String::as_str), Some(note), "customer {id}");
        // As fixtures/apply/production.sql fills them; the plan adds one to those of the regions below 8, once.
        let digit = |power: u64| (id - 1) / power % 10;
        let wanted = 10 * digit(100) + digit(10) + u64::from(digit(1) < 8) + added;
        assert_eq!(visits.get(&id), Some(&wanted.to_string()), "visits of customer {id}");
    }
    Ok(())
}
