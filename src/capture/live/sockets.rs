//! The Unix sockets of this machine that a command could reach a server by: a network of its own does not close them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where clients look for a server's socket unless they are told (Debian; the vendor's own builds). Where a server of this
/// machine has one elsewhere, that is closed and given to the proxy, too.
pub(super) const USUAL: [&str; 3] = ["/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/tmp/mysql.sock"];

/// What may go on answering: logs go to this machine's own.
const OPEN: [&str; 3] = ["/dev/log", "/run/systemd/journal/", "/var/run/syslog"];

/// The sockets that somebody on this machine listens at, but for logs and what lies in `own`.
pub(super) fn listening(own: &Path) -> Vec<PathBuf> {
    parse(&fs::read_to_string("/proc/net/unix").unwrap_or_default())
        .into_iter()
        .filter(|path| !path.starts_with(own) && !OPEN.iter().any(|open| path.to_string_lossy().starts_with(open)))
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .collect()
}

/// True when it is by its name a database server's.
pub(super) fn is_database(path: &Path) -> bool {
    let path = path.to_string_lossy().to_lowercase();
    ["mysql", "maria", "proxysql", "maxscale"].iter().any(|word| path.contains(word))
}

/// The paths of the listening sockets in `/proc/net/unix` (proc(5)): the fourth field holds `__SO_ACCEPTCON`, 0x10000.
fn parse(table: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let listens = u32::from_str_radix(fields.get(3)?, 16).ok()? & 0x10000 != 0;
            let at = line.find(" /")?;
            listens.then(|| PathBuf::from(&line[at + 1..]))
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_with_a_path_are_found() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 16163 /run/my sql/mysqld.sock\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 16164 /run/dbus/socket\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 16165 @/tmp/abstract\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 16166\n";
        assert_eq!(parse(table), [PathBuf::from("/run/my sql/mysqld.sock")]);
        assert!(is_database(Path::new("/run/my sql/mysqld.sock")) && !is_database(Path::new("/run/docker.sock")));
    }
}
