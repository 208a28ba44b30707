//! The local journal: a line for everything that happened, for people. What decides is the table on the target; where that
//! knows less than these lines, it was lost, put back or is another one, and nobody begins from zero without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// The file of a plan.
#[derive(Debug)]
pub struct Trail {
    file: Option<File>,
    path: PathBuf,
}

/// What a file tells of one plan on one server: the newest round there that was not undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The file.
    pub path: PathBuf,
    /// Which round.
    pub round: u32,
    /// Digest of the upgrade that the plan was drafted for.
    pub upgrade: String,
    /// The database of the journal then.
    pub journal: String,
    /// Units that the journal on the server knew then, in this phase.
    pub units: BTreeSet<String>,
    /// When the last of them was noted (RFC 3339).
    pub at: String,
}

impl Trail {
    /// Goes on in the file of this plan in a directory; without a directory it keeps nothing.
    ///
    /// # Errors
    /// Names the file.
    pub fn open(directory: Option<&Path>, digest: &str) -> Result<Self> {
        let Some(directory) = directory else { return Ok(Self { file: None, path: PathBuf::new() }) };
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(format!("{}.jsonl", &digest[..12.min(digest.len())]));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: Some(file), path })
    }

    /// Writes a line, and lets it reach the disk.
    ///
    /// # Errors
    /// Names the file.
    pub fn note(&mut self, what: &str, mut line: Value) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Some(fields) = line.as_object_mut() {
            fields.insert("at".to_owned(), jiff::Timestamp::now().to_string().into());
            fields.insert("event".to_owned(), what.into());
        }
        let text = format!("{line}\n");
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_data())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// What it tells of this plan on a server of these names, in this phase; none: nothing that stands.
    ///
    /// # Errors
    /// Names the file.
    pub fn own(&self, servers: &BTreeSet<String>, phase: &str) -> Result<Option<Told>> {
        if self.file.is_none() { Ok(None) } else { read(&self.path, servers, phase) }
    }

    /// What the files of other plans beside it tell: the same rehearsal, drafted again.
    ///
    /// # Errors
    /// Names the file.
    pub fn others(&self, servers: &BTreeSet<String>, phase: &str) -> Result<Vec<Told>> {
        let (Some(directory), true) = (self.path.parent(), self.file.is_some()) else { return Ok(Vec::new()) };
        let unread = || format!("cannot read {}", directory.display());
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(directory).with_context(unread)? {
            files.push(entry.with_context(unread)?.path());
        }
        files.retain(|path| *path != self.path && path.extension().is_some_and(|end| end == "jsonl"));
        files.sort();
        files.iter().filter_map(|path| read(path, servers, phase).transpose()).collect()
    }
}

/// Reads one file. A line that was cut off by a crash says nothing.
fn read(path: &Path, servers: &BTreeSet<String>, phase: &str) -> Result<Option<Told>> {
    let text = match fs::read(path) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Ok(told(&text, servers, phase).map(|told| Told { path: path.to_owned(), ..told }))
}

fn told(text: &str, servers: &BTreeSet<String>, phase: &str) -> Option<Told> {
    let mut rounds: BTreeMap<u32, Told> = BTreeMap::new();
    // The round and the phase of the lines that follow, while they are of these servers.
    let mut now: Option<(u32, String)> = None;
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let unit = word("unit");
        match (line["event"].as_str().unwrap_or_default(), &now) {
            ("connected", _) => {
                let round = line["round"].as_u64().and_then(|round| u32::try_from(round).ok()).unwrap_or(1);
                now = servers.contains(&word("server")).then(|| (round, word("phase")));
                if now.is_some() {
                    let told = rounds.entry(round).or_default();
                    (told.round, told.upgrade, told.journal) = (round, word("upgrade"), word("journal"));
                }
            }
            ("noted" | "done", Some((round, of))) if of == phase => {
                let told = rounds.entry(*round).or_default();
                told.at = word("at");
                told.units.insert(unit);
            }
            ("forgets", Some((round, of))) if of == phase => {
                rounds.entry(*round).or_default().units.remove(&unit);
            }
            // A round that was undone to its end stands for nothing any more.
            ("ended", Some((round, of)))
                if of == "undo"
                    && phase == "forward"
                    && ["done", "already_done"].contains(&line["summary"]["ending"].as_str().unwrap_or_default()) =>
            {
                rounds.remove(round);
            }
            _ => {}
        }
    }
    rounds.into_values().next_back().filter(|told| !told.units.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"event":"connected","server":"a","phase":"forward","round":1,"upgrade":"u","journal":"j"}
{"event":"begins","unit":"step-001/1"}
{"event":"noted","unit":"step-001/1"}
{"event":"done","unit":"step-001/1","at":"then"}
{"event":"noted","unit":"step-001/2","at":"later"}
{"event":"forgets","unit":"step-001/2"}
{"event":"connected","server":"b","phase":"forward","round":1}
{"event":"done","unit":"step-009/1"}
{"event":"do"#;

    fn on(server: &str, text: &str) -> Option<Told> {
        told(text, &[server.to_owned()].into(), "forward")
    }

    #[test]
    fn it_tells_what_was_noted_on_a_server_and_not_what_only_began() {
        let told = on("a", LINES).expect("something was noted");
        assert_eq!(told.units, ["step-001/1".to_owned()].into());
        assert_eq!(
            (told.round, told.upgrade.as_str(), told.journal.as_str(), told.at.as_str()),
            (1, "u", "j", "later")
        );
        assert_eq!(on("b", LINES).expect("another server").units, ["step-009/1".to_owned()].into());
        assert_eq!(on("c", LINES), None);
    }

    #[test]
    fn a_round_that_was_undone_stands_for_nothing() {
        let undo = |ending: &str| {
            format!(
                "{LINES}\n{{\"event\":\"connected\",\"server\":\"a\",\"phase\":\"undo\",\"round\":1}}\n\
                 {{\"event\":\"ended\",\"summary\":{{\"ending\":\"{ending}\"}}}}"
            )
        };
        assert_eq!(on("a", &undo("done")), None);
        assert!(on("a", &undo("stopped")).is_some(), "half undone");
    }
}
