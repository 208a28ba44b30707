//! How a server is launched on a store: the same script and the same option file in a container and as a process.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Finds the server's binary (unless it is given), makes a fresh data directory when there is none, and becomes the
/// server. Arguments: option file, data directory, binary or nothing, then the names to look for.
const SCRIPT: &str = r#"
config=$1; data=$2; server=$3; shift 3
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec:/usr/local/libexec:/usr/local/mysql/bin
if [ -z "$server" ]; then
  for name in "$@"; do server=$(command -v "$name") && break; done
fi
if [ -z "$server" ]; then echo "no server binary in this image: looked for $*" >&2; exit 127; fi
if [ ! -d "$data/mysql" ]; then
  case $("$server" --no-defaults --version) in
    *[Mm]aria[Dd][Bb]*)
      base=${server%/*}/..
      install=
      for name in "$base/bin/mariadb-install-db" "$base/scripts/mariadb-install-db" mariadb-install-db mysql_install_db; do
        install=$(command -v "$name") && break
      done
      if [ -n "$install" ]; then
        "$install" --defaults-file="$config" --datadir="$data" --auth-root-authentication-method=normal \
          --skip-test-db --skip-name-resolve || exit 1
      else
        share=
        for name in "$base/share/mariadb" "$base/share/mysql" "$base/share" /usr/share/mariadb /usr/share/mysql; do
          if [ -f "$name/mysql_system_tables.sql" ]; then share=$name; break; fi
          if [ -f "$name/mariadb_system_tables.sql" ]; then share=$name; break; fi
        done
        if [ -z "$share" ]; then echo "no mariadb-install-db and no mysql_system_tables.sql beside $server" >&2; exit 1; fi
        mkdir -p "$data/mysql" || exit 1
        {
          echo 'USE mysql;'
          echo "SET @auth_root_socket=NULL;"
          for name in system_tables performance_tables system_tables_data; do
            if [ -f "$share/mariadb_$name.sql" ]; then cat "$share/mariadb_$name.sql"; else cat "$share/mysql_$name.sql"; fi
          done
        } | "$server" --defaults-file="$config" --bootstrap || exit 1
      fi ;;
    *) "$server" --defaults-file="$config" --initialize-insecure || exit 1 ;;
  esac
fi
exec "$server" --defaults-file="$config"
"#;

/// The user that the server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// User id; never 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The caller; when that is root, the host's `mysql` user, or `nobody`.
    pub(super) fn unprivileged() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid != 0 {
            return Self { uid, gid };
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        in_passwd(&users, "mysql").or_else(|| in_passwd(&users, "nobody")).unwrap_or(Self { uid: 65534, gid: 65534 })
    }

    /// Makes the file or directory this user's; nothing to do unless we are root.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
                .with_context(|| format!("cannot give {} to user {}", path.display(), self.uid))?;
        }
        Ok(())
    }
}

fn in_passwd(users: &str, name: &str) -> Option<Owner> {
    let line = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut fields = line.split(':').skip(1);
    let owner = Owner { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? };
    (owner.uid != 0).then_some(owner)
}

/// Where a server lives on the host, and as whom it runs.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The member's directory: holds all below but the socket.
    pub root: PathBuf,
    /// The directory of the socket.
    pub sockets: PathBuf,
    /// The run's directory, which says whether the run lives.
    pub lease: PathBuf,
    /// The server's user.
    pub owner: Owner,
    /// Names of the server binary to look for, the likeliest first.
    pub names: [&'static str; 2],
    /// The server's time zone, when production's can be carried (`TZ`).
    pub time_zone: Option<String>,
}

impl Launch {
    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("live")
    }

    /// The option file.
    pub(super) fn config(&self) -> PathBuf {
        self.root.join("my.cnf")
    }

    /// The server's error log.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log").join("error.log")
    }

    /// The server's process id, as it writes it.
    pub(super) fn process_file(&self) -> PathBuf {
        self.root.join("mysql.pid")
    }

    /// The server's temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The server's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join("mysql.sock")
    }

    /// The arguments of `/bin/sh -c`, the script first.
    pub(super) fn command(&self, binary: Option<&Path>) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut words = vec![SCRIPT.to_owned(), "rehearse-server".to_owned(), text(&self.config()), text(&self.data())];
        words.push(binary.map(text).unwrap_or_default());
        words.extend(self.names.map(str::to_owned));
        words
    }

    /// The server's environment.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables =
            vec![("TMPDIR", self.temporary().to_string_lossy().into_owned()), ("LC_ALL", "C".to_owned())];
        variables.extend(self.time_zone.clone().map(|zone| ("TZ", zone)));
        variables
    }

    /// Makes the directories that are not there.
    pub(super) fn make_directories(&self) -> Result<()> {
        for path in [self.root.clone(), self.data(), self.root.join("log"), self.temporary(), self.sockets.clone()] {
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
            self.owner.own(&path)?;
        }
        self.refuse_closed_parents()
    }

    /// Removes what a killed server leaves in the way of the next one.
    pub(super) fn clear_remains(&self) -> Result<()> {
        for path in [self.socket(), self.sockets.join("mysql.sock.lock"), self.process_file()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        if let Ok(entries) = fs::read_dir(self.temporary()) {
            for path in entries.flatten().map(|entry| entry.path()) {
                let _left_behind = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
        Ok(())
    }

    /// An unprivileged server of root's must be able to reach its directory.
    fn refuse_closed_parents(&self) -> Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        for parent in self.root.ancestors().skip(1) {
            let about = fs::metadata(parent).with_context(|| format!("cannot read {}", parent.display()))?;
            let (mode, open) = (about.permissions().mode(), if about.uid() == self.owner.uid { 0o100 } else { 0o001 });
            if mode & open == 0 {
                anyhow::bail!(
                    "the server's user {} may not pass through {} (mode {:o}): set REHEARSE_CACHE to a directory that \
                     every user may reach",
                    self.owner.uid,
                    parent.display(),
                    mode & 0o7777
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_user_is_read_from_passwd_and_never_root() {
        let users = "root:x:0:0:root:/root:/bin/bash\nmysqlx:x:7:7::/:\nmysql:x:112:118::/:/bin/false\n";
        assert_eq!(in_passwd(users, "mysql"), Some(Owner { uid: 112, gid: 118 }));
        assert_eq!(in_passwd(users, "root"), None);
        assert_eq!(in_passwd(users, "nobody"), None);
    }
}
