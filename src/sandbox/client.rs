//! The stock programs of a server's own kit, run against a server that we may break: `mysql` and `mysqldump`, `mariadb` and
//! `mariadb-dump`. In a container it is the image's own binary, for a process the one beside the server or in `PATH`.
//!
//! A program reads and writes files of one directory, the *desk*, which lies beside the store under the same path for the
//! container and for us. No text of ours becomes a part of a shell's line: the words are arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use super::container;
use super::launch::Launch;
use crate::progress::Progress;
use crate::server::flavor::Flavor;

/// Finds the program, says its version, and runs it. Arguments: desk, socket, vendor (`mariadb` or `mysql`), directory of
/// the server's binary or nothing, input, output, names to look for, `--`, the program's own arguments. A client of the
/// other vendor does not count. The times of `begin` and `ended` tell how long it ran, the start of a container's command
/// not counted.
const SCRIPT: &str = r#"
desk=$1; socket=$2; vendor=$3; beside=$4; in=$5; out=$6; shift 6
cd "$desk" || exit 1
PATH=${beside:+$beside:$beside/../bin:}$PATH:/usr/local/bin:/usr/bin:/bin:/usr/local/mysql/bin:/usr/local/mariadb/bin:/opt/mysql/bin:/opt/mariadb/bin
program=
while [ "$1" != -- ]; do
  if [ -z "$program" ] && found=$(command -v "$1"); then
    says=$("$found" --no-defaults --version 2>/dev/null)
    case $says in *[Mm]aria[Dd][Bb]*) is=mariadb ;; *) is=mysql ;; esac
    if [ "$is" = "$vendor" ]; then program=$found; printf '%s\n' "$says" >version; fi
  fi
  shift
done
shift
if [ -z "$program" ]; then code=none
else
  : >begin
  "$program" --no-defaults --socket="$socket" --user=root "$@" <"$in" >"$out" 2>errors
  code=$?
fi
echo "$code" >ended.new
mv ended.new ended
"#;

/// The most of what a program says that is kept, in bytes.
const TOLD: u64 = 4096;

/// A program of a server's kit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Sends a script: `mysql`, `mariadb`.
    Client,
    /// Writes a logical dump: `mysqldump`, `mariadb-dump`.
    Dump,
}

impl Program {
    /// The name by which people of this flavour know it.
    pub fn name(self, flavor: Flavor) -> &'static str {
        self.names(flavor)[0]
    }

    /// The names to look for, the likeliest first.
    fn names(self, flavor: Flavor) -> &'static [&'static str] {
        match (self, flavor.is_mariadb()) {
            (Self::Client, true) => &["mariadb", "mysql"],
            (Self::Client, false) => &["mysql"],
            (Self::Dump, true) => &["mariadb-dump", "mysqldump"],
            (Self::Dump, false) => &["mysqldump"],
        }
    }
}

/// One run of a program.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub program: Program,
    /// Its arguments, without those that name the server and the account.
    pub arguments: Vec<String>,
    /// The file of the desk that it reads; none: nothing.
    pub input: Option<String>,
    /// The file of the desk that takes what it says; none: it is thrown away.
    pub output: Option<String>,
}

/// How a run of a program ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The program's name and version, in its own words: `mysql  Ver 9.7.4 for Linux on x86_64`.
    pub program: String,
    /// Its exit code; 0 is well.
    pub code: i32,
    /// How long it ran, in seconds, to the resolution of the file system's clock (a few milliseconds).
    pub seconds: f64,
    /// What it wrote to its standard error, cut after 4 KiB.
    pub errors: String,
}

/// What runs a command where the server runs.
pub(super) enum Place<'a> {
    /// In the server's container: a detached command, known by its id.
    Container(&'a container::Server, String),
    /// As a process of this host.
    Process(Child),
}

impl Place<'_> {
    /// False once the command is over.
    fn runs(&mut self) -> Result<bool> {
        match self {
            Self::Container(server, id) => server.still_executes(id),
            Self::Process(child) => Ok(child.try_wait().context("cannot wait for the stock client")?.is_none()),
        }
    }

    fn end(&mut self) {
        if let Self::Process(child) = self
            && let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _gone_already = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _reaped = child.wait();
        }
    }
}

/// Makes the desk.
pub(super) fn desk(launch: &Launch) -> Result<PathBuf> {
    let desk = launch.root.join("desk");
    fs::create_dir_all(&desk).with_context(|| format!("cannot create {}", desk.display()))?;
    launch.owner.own(&desk)?;
    Ok(desk)
}

/// The words of `/bin/sh -c` for a call, the script first.
pub(super) fn words(launch: &Launch, flavor: Flavor, binary: Option<&Path>, call: &Call) -> Result<Vec<String>> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let file = |name: &Option<String>| name.clone().unwrap_or_else(|| "/dev/null".to_owned());
    let beside = binary.and_then(Path::parent).map(text).unwrap_or_default();
    let vendor = if flavor.is_mariadb() { "mariadb" } else { "mysql" };
    let mut words = vec![SCRIPT.to_owned(), "rehearse-client".to_owned(), text(&desk(launch)?), text(&launch.socket())];
    words.extend([vendor.to_owned(), beside, file(&call.input), file(&call.output)]);
    words.extend(call.program.names(flavor).iter().map(|name| (*name).to_owned()));
    words.push("--".to_owned());
    words.extend(call.arguments.iter().cloned());
    Ok(words)
}

/// Starts the words as a process of the server's user.
pub(super) fn start(launch: &Launch, words: &[String]) -> Result<Place<'static>> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(launch.environment()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0);
    if rustix::process::geteuid().is_root() {
        command.uid(launch.owner.uid).gid(launch.owner.gid);
    }
    Ok(Place::Process(command.spawn().context("cannot start a shell for the stock client")?))
}

/// Removes what the run before left on the desk.
pub(super) fn clear(desk: &Path) -> Result<()> {
    for name in ["begin", "ended", "ended.new", "errors", "version"] {
        match fs::remove_file(desk.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {name} in {}", desk.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits for the end of a call; none when there is no such program.
///
/// # Errors
/// When it cannot be run, when the server dies meanwhile, and when the person asked to stop.
pub(super) fn wait(
    desk: &Path,
    mut place: Place<'_>,
    lives: impl Fn() -> bool,
    progress: &dyn Progress,
) -> Result<Option<Ended>> {
    let ended = desk.join("ended");
    let mut looked = Instant::now();
    loop {
        if let Ok(code) = fs::read_to_string(&ended) {
            if let Place::Process(child) = &mut place {
                child.wait().context("cannot wait for the stock client")?;
            }
            return read(desk, code.trim());
        }
        if let Err(interrupted) = progress.check() {
            place.end();
            return Err(interrupted.into());
        }
        if looked.elapsed() > Duration::from_millis(500) {
            looked = Instant::now();
            if !lives() {
                place.end();
                bail!("the server ended while the stock client was at it");
            }
            if !place.runs()? && !ended.exists() {
                bail!("the stock client was ended by somebody else");
            }
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn read(desk: &Path, code: &str) -> Result<Option<Ended>> {
    if code == "none" {
        return Ok(None);
    }
    let time = |name: &str| -> Result<SystemTime> {
        let about = fs::metadata(desk.join(name)).and_then(|about| about.modified());
        about.with_context(|| format!("cannot read {name} in {}", desk.display()))
    };
    let seconds = time("ended")?.duration_since(time("begin")?).unwrap_or_default().as_secs_f64();
    let program = fs::read_to_string(desk.join("version")).unwrap_or_default();
    Ok(Some(Ended {
        program: spoken(&program),
        code: code.parse().with_context(|| format!("the stock client's exit code is '{code}'"))?,
        seconds,
        errors: told(&desk.join("errors"))?,
    }))
}

/// The version without the directory of the program.
fn spoken(says: &str) -> String {
    let says = says.trim();
    let (program, rest) = says.split_once(char::is_whitespace).unwrap_or((says, ""));
    format!("{} {}", program.rsplit('/').next().unwrap_or_default(), rest.trim()).trim().to_owned()
}

fn told(path: &Path) -> Result<String> {
    use std::io::Read;
    let file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(TOLD).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_without_the_path() {
        let says = "/usr/bin/mysql  Ver 9.7.4-2 for Linux on x86_64 ((Debian))\n";
        assert_eq!(spoken(says), "mysql Ver 9.7.4-2 for Linux on x86_64 ((Debian))");
        assert_eq!(spoken(""), "");
    }
}
