//! Which files of a folder an upgrade is, and in which order: as the tool does that the folder belongs to.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::order::natural;

/// The files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// In the order in which they run.
    pub files: Vec<PathBuf>,
    /// Left out, and why.
    pub left_out: Vec<(PathBuf, &'static str)>,
}

/// What a migration that takes one back is called.
pub const DOWN: &str = "a migration that takes back (down, undo, rollback)";

/// What Flyway's name of a file says: `V1_2__add_column.sql`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flyway {
    /// Runs once, in the order of its version.
    Versioned(Vec<u64>),
    /// Runs again whenever it changes, after all versions (`R__`).
    Repeatable,
    /// Takes a version back (`U`).
    Undo,
    /// Stands for all up to its version, on an empty database only (`B`).
    Baseline,
}

/// What a file's name says to Flyway; none when it is not of its naming.
pub fn flyway(name: &str) -> Option<Flyway> {
    let (head, _) = name.split_once("__")?;
    let mut letters = head.chars();
    let kind = letters.next()?;
    let version = letters.as_str();
    if kind == 'R' && version.is_empty() {
        return Some(Flyway::Repeatable);
    }
    let version = version.split(['.', '_']).map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    match kind {
        'V' => Some(Flyway::Versioned(version)),
        'U' => Some(Flyway::Undo),
        'B' => Some(Flyway::Baseline),
        _ => None,
    }
}

/// True when a file's name says that it takes a migration back: `1_x.down.sql`, `down.sql`; of `1_shut_down.sql` only when
/// `beside` knows `1_shut_up.sql`.
pub fn takes_back(name: &str, beside: impl Fn(&str) -> bool) -> bool {
    let lower = name.to_lowercase();
    let stem = lower.strip_suffix(".sql").unwrap_or(&lower);
    [("down", "up"), ("undo", "do"), ("rollback", "")].into_iter().any(|(down, up)| {
        stem.strip_suffix(down).is_some_and(|base| {
            base.is_empty()
                || base.ends_with('.')
                || (base.ends_with(['-', '_']) && !up.is_empty() && beside(&format!("{base}{up}.sql")))
        })
    })
}

/// The order in which migrations are carried out: folder by folder as people count; in it Flyway's by version, then all others
/// by name, numbers in them as numbers.
pub fn order(one: &Path, other: &Path) -> Ordering {
    let folder = |path: &Path| path.parent().map(|parent| parent.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, beside) = (name_of(one), name_of(other));
    let by_rank = || match (flyway(&name), flyway(&beside)) {
        (Some(Flyway::Versioned(one)), Some(Flyway::Versioned(other))) => by_version(&one, &other),
        (Some(Flyway::Versioned(_)), _) => Ordering::Less,
        (_, Some(Flyway::Versioned(_))) => Ordering::Greater,
        _ => Ordering::Equal,
    };
    natural(&folder(one), &folder(other)).then_with(by_rank).then_with(|| natural(&name, &beside))
}

/// 1 and 1.0 are the same version.
fn by_version(one: &[u64], other: &[u64]) -> Ordering {
    let part = |of: &[u64], at: usize| of.get(at).copied().unwrap_or(0);
    let parts = 0..one.len().max(other.len());
    parts.map(|at| part(one, at).cmp(&part(other, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Picks among the `.sql` files of one folder.
///
/// Flyway's folder is known by its `V1__…` files: by version, then `R__…` by name. In any other folder the order is that of names,
/// numbers in them as numbers. What takes a migration back is never run.
pub fn pick(all: Vec<PathBuf>) -> Picked {
    let names: Vec<String> = all.iter().map(|path| name_of(path)).collect();
    let of_flyway = names.iter().any(|name| matches!(flyway(name), Some(Flyway::Versioned(_))));
    let mut picked = Picked::default();
    for (path, name) in all.into_iter().zip(&names) {
        match left_out(name, &names, of_flyway) {
            None => picked.files.push(path),
            Some(why) => picked.left_out.push((path, why)),
        }
    }
    picked.files.sort_by(|one, other| order(one, other));
    picked.left_out.sort();
    picked
}

/// Why a file does not run.
fn left_out(name: &str, names: &[String], of_flyway: bool) -> Option<&'static str> {
    if takes_back(name, |sibling| names.iter().any(|name| name.to_lowercase() == sibling)) {
        return Some(DOWN);
    }
    match flyway(name) {
        _ if !of_flyway => None,
        Some(Flyway::Versioned(_) | Flyway::Repeatable) => None,
        Some(Flyway::Undo) => Some(DOWN),
        Some(Flyway::Baseline) => Some("a baseline: Flyway runs it on an empty database only"),
        None => Some("no migration by Flyway's naming"),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(names: &[&str]) -> (Vec<String>, usize) {
        let picked = pick(names.iter().map(|name| PathBuf::from(format!("m/{name}"))).collect());
        (picked.files.iter().map(|path| name_of(path)).collect(), picked.left_out.len())
    }

    #[test]
    fn a_migration_that_takes_back_is_left_out() {
        let (files, out) = picked(&["2_b.up.sql", "2_b.down.sql", "10_c.up.sql", "10_c.down.sql"]);
        assert_eq!((files, out), (vec!["2_b.up.sql".to_owned(), "10_c.up.sql".into()], 2));
        assert_eq!(picked(&["1-a-up.sql", "1-a-down.sql"]).0, ["1-a-up.sql"]);
        assert_eq!(picked(&["1_shut_down.sql", "2_x.sql"]).0, ["1_shut_down.sql", "2_x.sql"]);
        assert_eq!(picked(&["up.sql", "down.sql"]).0, ["up.sql"]);
        assert_eq!(picked(&["1.sql", "1.rollback.sql", "1.Undo.SQL"]).0, ["1.sql"]);
    }

    #[test]
    fn flyway_goes_by_version_then_repeatables() {
        let (files, out) = picked(&[
            "R__views.sql",
            "V1_10__b.sql",
            "V1.2__a.sql",
            "V2__c.sql",
            "U2__c.sql",
            "B1__base.sql",
            "notes.sql",
            "R__a.sql",
        ]);
        assert_eq!(files, ["V1.2__a.sql", "V1_10__b.sql", "V2__c.sql", "R__a.sql", "R__views.sql"]);
        assert_eq!(out, 3);
    }

    #[test]
    fn the_order_is_that_in_which_they_are_carried_out() {
        let mut paths = ["m/R__a.sql", "m/V10__a.sql", "m/V2_1__a.sql", "m/V2__z.sql", "m/V1.1__a.sql"].map(Path::new);
        paths.sort_by(|a, b| order(a, b));
        assert_eq!(
            paths,
            ["m/V1.1__a.sql", "m/V2__z.sql", "m/V2_1__a.sql", "m/V10__a.sql", "m/R__a.sql"].map(Path::new)
        );
        assert_eq!(order(Path::new("m/2.sql"), Path::new("m/10.sql")), Ordering::Less);
        assert_eq!(order(Path::new("2/b.sql"), Path::new("10/a.sql")), Ordering::Less);
    }
}
