//! After which statements an upgrade is cut off: after those that leave something behind when the client is gone.

use anyhow::Result;

use crate::sql::record::{Kind, Statement};
use crate::sql::script::Script;
use crate::sql::session_state::SessionState;

/// Cuts at most: of a longer upgrade the first and the last ones, and a sample between.
pub const MOST: usize = 40;

/// One cut.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Place of its statement in the script, from 0.
    pub position: u64,
    /// The statement's id.
    pub id: String,
    /// The statement.
    pub statement: Statement,
    /// Where to go on: the next statement's label and place; none after the last.
    pub next: Option<String>,
    /// What brings a fresh session to where the next statement can run, or why nothing does.
    pub preamble: Result<Vec<String>, String>,
}

/// The cuts of a script.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// Those that are made.
    pub chosen: Vec<Cut>,
    /// How many more there could be.
    pub left_out: usize,
    /// Actions of the script.
    pub count: u64,
}

impl Cuts {
    /// Looks a script through. After a statement that only reads, rules its session or stands in an open transaction the
    /// data are what they were before: a cut there is the one before it.
    ///
    /// # Errors
    /// The script's own.
    pub fn of(script: &Script) -> Result<Self> {
        let (mut state, mut cuts) = (SessionState::default(), Self::default());
        let mut places = 0;
        // Every `stride`-th place is kept; it doubles whenever there are too many, so that a long script takes no room.
        let mut stride = 1;
        let mut behind: Option<usize> = None;
        for (position, action) in (0..).zip(script.actions()?) {
            let statement = action?.statement().clone();
            if let Some(cut) = behind.take() {
                cuts.chosen[cut].next = Some(format!("{} ({})", statement.label(), statement.origin));
            }
            state.apply(&statement);
            cuts.count = position + 1;
            if !leaves_something(&statement) || state.in_transaction() {
                continue;
            }
            if places % stride == 0 {
                if cuts.chosen.len() == MOST {
                    let mut keep = 0;
                    cuts.chosen.retain(|_| {
                        keep += 1;
                        keep % 2 == 1
                    });
                    stride *= 2;
                }
                if places % stride == 0 {
                    let preamble = state.preamble();
                    cuts.chosen.push(Cut { position, id: statement.id.clone(), statement, next: None, preamble });
                    behind = Some(cuts.chosen.len() - 1);
                }
            }
            places += 1;
        }
        cuts.left_out = places - cuts.chosen.len();
        Ok(cuts)
    }
}

fn leaves_something(statement: &Statement) -> bool {
    let reading = &statement.reading;
    !reading.effect.temporary
        && !matches!(
            reading.kind,
            Kind::Select
                | Kind::Show
                | Kind::Explain
                | Kind::Set
                | Kind::Use
                | Kind::Begin
                | Kind::Savepoint
                | Kind::Rollback
                | Kind::LockTables
                | Kind::UnlockTables
                | Kind::Do
                | Kind::Prepare
                | Kind::Deallocate
                | Kind::Analyze
                | Kind::Check
        )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::server::flavor::{Flavor, Vendor};
    use crate::sql::script::Options;

    fn cuts(text: &str) -> Cuts {
        let flavor = Flavor { vendor: Vendor::MySql, major: 9, minor: 7, patch: None };
        let options = Options { variables: BTreeMap::new(), database: "app".into(), flavor };
        Cuts::of(&Script::from_text("u.sql", text, options)).expect("it reads")
    }

    #[test]
    fn a_cut_stands_where_something_was_left_behind() {
        let cuts = cuts(
            "SET NAMES utf8mb4;\nALTER TABLE t ADD COLUMN a INT;\nSELECT 1;\nBEGIN;\nUPDATE t SET a = 1;\n\
             UPDATE t SET a = 2;\nCOMMIT;\nUPDATE t SET a = 3;\n",
        );
        let ids: Vec<&str> = cuts.chosen.iter().map(|cut| cut.id.as_str()).collect();
        assert_eq!(ids, ["s2", "s7", "s8"]);
        assert_eq!(cuts.chosen[0].next.as_deref(), Some("s3 (u.sql:3)"));
        assert_eq!(cuts.chosen[2].next, None);
        assert_eq!((cuts.count, cuts.left_out), (8, 0));
        assert!(cuts.chosen[0].preamble.as_ref().is_ok_and(|preamble| preamble == &["SET NAMES utf8mb4"]));
    }

    #[test]
    fn a_long_script_is_sampled_from_end_to_end() {
        let cuts = cuts(&(0..1_000).map(|n| format!("UPDATE t SET a = {n};\n")).collect::<String>());
        assert!(cuts.chosen.len() <= MOST && cuts.chosen.len() >= MOST / 2, "{}", cuts.chosen.len());
        assert_eq!(cuts.chosen[0].id, "s1");
        assert!(cuts.chosen.last().is_some_and(|cut| cut.position > 900), "{:?}", cuts.chosen.last());
        assert_eq!(cuts.chosen.len() + cuts.left_out, 1_000);
    }
}
