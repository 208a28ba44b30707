//! Whether the disks have the room that the plan needs, where that can be known, and whether limits of the server would
//! refuse what a step sends.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::demand::{Demand, LIMITS, Place, Room, enlargement, rooms};
use crate::plan::record::Backup;
use crate::quantity;
use crate::sandbox::same;
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;

const DISK: &str = "disk";

/// Part of a limit from which on it is near: there may be more rows by the day of the upgrade.
const NEAR: f64 = 0.8;

/// A file system and what is free on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Disk {
    name: String,
    free: u64,
}

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    if ground.plan.demands.is_empty() {
        found.unchecked(
            DISK,
            "free room",
            "the plan says nothing of the room that it needs",
            "rehearse again with this version",
        );
        return Ok(());
    }
    let listed = listed(ground, reader)?;
    let mut needed: BTreeMap<String, (Disk, u64, Vec<String>)> = BTreeMap::new();
    for room in needs(ground) {
        let Some((variable, directory)) = directory(ground, room.place) else { continue };
        let disk = listed.as_ref().and_then(|disks| of_listed(disks, &directory)).or_else(|| here(ground, &directory));
        match disk {
            Some(disk) => {
                let entry = needed.entry(disk.name.clone()).or_insert((disk, 0, Vec::new()));
                entry.1 += room.bytes;
                entry.2.push(format!("{} in {variable}", quantity::bytes(room.bytes)));
            }
            None => found.unchecked(
                DISK,
                format!("{variable} {directory}"),
                format!(
                    "{} are needed: {}; what is free cannot be seen from here",
                    quantity::bytes(room.bytes),
                    room.why.join(", ")
                ),
                format!("df -h {directory} on the server, and on each replica"),
            ),
        }
    }
    for (disk, bytes, what) in needed.into_values() {
        let wanted = format!("{}: {}", quantity::bytes(bytes), what.join(", "));
        let seen = format!("{} free", quantity::bytes(disk.free));
        let object = format!("disk {}", disk.name);
        if bytes > disk.free {
            let next = "make room first: a full disk in the middle of a change is worse than the change";
            found.add(Severity::Refuse, DISK, object, seen, wanted, next);
        } else if bytes as f64 > disk.free as f64 * NEAR {
            let next = "make room, or watch it from the first step on";
            found.add(Severity::Warn, DISK, object, seen, wanted, next);
        } else {
            found.fine(format!("{object} has {seen}, {wanted} are needed at the highest (estimated)"));
        }
    }
    Ok(())
}

/// What steps that have not begun need, by place.
fn needs(ground: &Ground<'_>) -> Vec<Room> {
    let begun = |step: &str| ground.options.begun.contains(step);
    let plan = ground.plan;
    let demands: Vec<Demand> = plan.demands.iter().filter(|demand| !begun(&demand.step)).cloned().collect();
    let made =
        |backup: &Backup| plan.steps.iter().any(|step| begun(&step.body.id) && step.covered_by().contains(&backup.id));
    let backups: Vec<Backup> = plan.backups.iter().filter(|backup| !made(backup)).cloned().collect();
    // By the sizes of now: those of the sandbox may be a smaller scale's.
    let mut survey = ground.survey.clone();
    for (name, facts) in &mut survey.tables {
        if let Some(now) = ground.now.tables.get(name) {
            (facts.data_bytes, facts.index_bytes) = (now.data_bytes, now.index_bytes);
        }
    }
    rooms(&demands, &plan.identity, &backups, &survey)
}

/// The directory of a place, and the variable that names it; none where nothing is written.
fn directory(ground: &Ground<'_>, place: Place) -> Option<(&'static str, String)> {
    let setting = |name: &str| ground.now.server.settings.get(name).filter(|value| !value.is_empty()).cloned();
    match place {
        Place::Data => setting("datadir").map(|path| ("datadir", path)),
        Place::BinaryLog => {
            setting("log_bin").filter(|value| same(value, "ON"))?;
            let base = setting("log_bin_basename")?;
            let parent = Path::new(&base).parent()?;
            Some(("the binary log", parent.to_string_lossy().into_owned()))
        }
        // Several directories are used in turn: the first stands for them.
        Place::Temporary => match setting("innodb_tmpdir") {
            Some(path) => Some(("innodb_tmpdir", path)),
            None => setting("tmpdir").map(|path| ("tmpdir", path.split(':').next().unwrap_or_default().to_owned())),
        },
    }
}

/// The server's own list of disks: MariaDB's plugin DISKS (sizes in KiB; it needs the FILE privilege).
fn listed(ground: &Ground<'_>, reader: &mut ReadOnly) -> Result<Option<Vec<Disk>>> {
    if !ground.now.server.flavor.is_mariadb() {
        return Ok(None);
    }
    match reader.rows::<Cells>("SELECT Path, Available FROM information_schema.DISKS") {
        Ok(rows) => {
            let disk = |row: &Cells| Some(Disk { name: row.text(0), free: row.number(1)?.saturating_mul(1024) });
            Ok(Some(rows.iter().filter_map(disk).collect()))
        }
        Err(fault) if fault.is_connection_lost() => Err(fault.into()),
        Err(_) => Ok(None),
    }
}

/// The disk whose mount point is the longest beginning of a directory.
fn of_listed(disks: &[Disk], directory: &str) -> Option<Disk> {
    disks.iter().filter(|disk| Path::new(directory).starts_with(&disk.name)).max_by_key(|disk| disk.name.len()).cloned()
}

/// The disk that a directory is on, when the server runs on this machine and sees the same directories: one in a container
/// has another host name.
fn here(ground: &Ground<'_>, directory: &str) -> Option<Disk> {
    if !ground.options.local {
        return None;
    }
    let own = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    if ground.now.server.settings.get("hostname").map(String::as_str) != Some(own.trim()) {
        return None;
    }
    let device = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?.dev();
    let room = rustix::fs::statvfs(directory).ok()?;
    Some(Disk {
        name: format!("device {}:{}", rustix::fs::major(device), rustix::fs::minor(device)),
        free: room.f_bavail.saturating_mul(room.f_frsize),
    })
}

/// Limits of the server that would refuse what went well in the sandbox.
pub(super) fn limits(ground: &Ground<'_>, found: &mut Found) -> Result<()> {
    let before = found.reasons.len();
    let settings = &ground.now.server.settings;
    for limit in LIMITS {
        let Some(allowed) = settings.get(limit.variable).and_then(|value| value.parse::<f64>().ok()) else { continue };
        if allowed <= 0.0 {
            continue;
        }
        for demand in ground.plan.demands.iter().filter(|demand| !ground.options.begun.contains(&demand.step)) {
            let needed = limit.of.needed(demand, enlargement(demand, &ground.plan.identity));
            if needed < allowed * NEAR {
                continue;
            }
            let severity = if needed >= allowed { Severity::Refuse } else { Severity::Warn };
            found.add(
                severity,
                "limits",
                format!("{} of {}", limit.variable, demand.step),
                limit.of.words(allowed),
                format!("{} in the sandbox, at production's size", limit.of.words(needed)),
                format!("raise the limit, or change fewer rows at a time: beyond it the statement ends with error {} and rolls back", limit.error),
            );
        }
    }
    let has_log = settings.get("log_bin").is_some_and(|value| same(value, "ON"));
    let measured = ground.plan.demands.iter().any(|demand| demand.transaction_bytes.is_some());
    if has_log && !measured && !ground.plan.demands.is_empty() {
        found.unchecked(
            "limits",
            "large transactions",
            "this server writes a binary log, and the sandbox wrote none that was measured",
            "survey this server and rehearse with its settings",
        );
    }
    if found.reasons.len() == before && !ground.plan.demands.is_empty() {
        found.fine("no limit of the server is near to what a step sends");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_on_the_disk_with_the_longest_mount_point() {
        let disk = |name: &str, free| Disk { name: name.to_owned(), free };
        let disks = [disk("/", 1), disk("/var/lib", 2), disk("/var/libx", 3)];
        assert_eq!(of_listed(&disks, "/var/lib/mysql/"), Some(disk("/var/lib", 2)));
        assert_eq!(of_listed(&disks, "/var/libxy"), Some(disk("/", 1)));
        assert_eq!(of_listed(&[], "/"), None);
    }
}
