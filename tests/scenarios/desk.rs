//! A directory to rehearse in, with a cache of its own, and what may not be left of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

/// A server to rehearse on: its flavour, and the kind of sandbox.
pub type On = (&'static str, &'static str);
/// MySQL, in a container.
pub const MYSQL: On = ("mysql:9.7", "container");
/// MariaDB, as a process.
pub const MARIADB: On = ("mariadb:10.11", "process");

/// A small schema.
pub const SCHEMA: &str = "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, n int NOT NULL, s varchar(40) \
                          NOT NULL, KEY n (n)) ENGINE=InnoDB;\n";

/// A directory with a schema and an upgrade. Its cache is beside it, short enough for a server's paths.
pub struct Desk {
    home: tempfile::TempDir,
    cache: tempfile::TempDir,
}

impl Desk {
    /// One whose upgrade is `upgrade`.
    pub fn new(upgrade: &str) -> Result<Self, Failed> {
        let desk =
            Self { home: tempfile::tempdir()?, cache: tempfile::Builder::new().prefix("rehearse-cache-").tempdir()? };
        fs::write(desk.path().join("schema.sql"), SCHEMA)?;
        fs::write(desk.path().join("upgrade.sql"), upgrade)?;
        Ok(desk)
    }

    pub fn path(&self) -> &Path {
        self.home.path()
    }

    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    /// The program with these arguments, in this directory, with this cache and no settings of its surroundings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
        command.args(arguments).current_dir(self.path()).env("REHEARSE_CACHE", self.cache()).stdin(Stdio::null());
        for name in ["REHEARSE_OUT", "REHEARSE_SERVER", "REHEARSE_SERVERS", "REHEARSE_FAIL_ON", "REHEARSE_SANDBOX"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub fn rehearse(&self, arguments: &[&str]) -> Result<Said, Failed> {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Said::of(child)
    }

    /// `rehearse run` on a server, without drills; a server that cannot be had fails the trial with the way to get it.
    pub fn run(&self, (flavor, kind): On, arguments: &[&str]) -> Result<Said, Failed> {
        self.run_with_drills((flavor, kind), &[&["--no-drills"], arguments].concat())
    }

    /// `rehearse run` with everything that can go wrong.
    pub fn run_with_drills(&self, (flavor, kind): On, arguments: &[&str]) -> Result<Said, Failed> {
        let said = self.rehearse(&[&["run", "--server", flavor, "--sandbox", kind], arguments].concat())?;
        if said.code() == Some(3) && said.err().contains("cannot start") {
            let what = if kind == "process" { kind } else { flavor };
            return Err(format!("{}\nThe trials need {flavor}: fixtures/servers/get {what}", said.err()).into());
        }
        Ok(said)
    }

    /// The small schema's rehearsal, with a thousand rows.
    pub fn run_small(&self, on: On) -> Result<Said, Failed> {
        self.run(on, &["--schema", "schema.sql", "--rows", "app.t=1000", "upgrade.sql"])
    }

    /// Starts the small schema's rehearsal.
    pub fn start_small(&self, (flavor, kind): On) -> Result<Child, Failed> {
        let arguments = ["run", "--no-drills", "--server", flavor, "--sandbox", kind, "--schema", "schema.sql"];
        let mut command = self.command(&[&arguments[..], &["--rows", "app.t=1000", "upgrade.sql"]].concat());
        Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// `rehearsal/report.json`.
    pub fn report(&self) -> Result<Value, Failed> {
        let path = self.path().join("rehearsal/report.json");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Processes whose command line names the cache directory.
    pub fn servers(&self) -> Vec<u32> {
        let needle = self.cache().to_string_lossy().into_owned();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains(&needle) && line.split('\0').next().is_some_and(|binary| binary.ends_with('d'))
            })
            .collect()
    }

    /// The rehearsal's timeline while it runs; none before it began.
    fn timeline(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path()).ok()?;
        entries.flatten().map(|entry| entry.path().join("timeline.jsonl")).find(|path| path.exists())
    }

    /// Waits until the loud run writes its timeline, and then so long.
    pub fn wait_for_the_loud_run(&self, child: &mut Child, then: Duration) -> Result<(), Failed> {
        let begin = Instant::now();
        while self.timeline().is_none() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("it ended before its loud run: {status}").into());
            }
            if begin.elapsed() > Duration::from_secs(120) {
                return Err("no loud run within two minutes".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(then);
        Ok(())
    }

    /// No server, container, run's directory, sockets' directory or half-built report of a run that had this process id.
    pub fn holds_nothing_of(&self, pid: u32) -> Result<(), Failed> {
        let named = |directory: &Path, prefix: &str| -> Vec<PathBuf> {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let own = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
            entries.map(|entry| entry.path()).filter(own).collect()
        };
        assert_eq!(self.servers(), Vec::<u32>::new(), "servers");
        assert_eq!(named(&self.cache().join("runs"), ""), Vec::<PathBuf>::new(), "directories of runs");
        assert_eq!(named(Path::new("/tmp"), &format!("rehearse-{pid}-")), Vec::<PathBuf>::new(), "sockets");
        let format = "{{.Label \"rehearse.lease\"}}";
        let listed = Command::new("docker").args(["ps", "-a", "--format", format]).output();
        let listed = listed.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
        let cache = self.cache().to_string_lossy().into_owned();
        assert!(!listed.lines().any(|lease| lease.starts_with(&cache)), "containers: {listed}");
        Ok(())
    }
}

/// What a run said, and how it ended.
pub struct Said(Output, u32);

impl Said {
    pub fn of(child: Child) -> Result<Self, Failed> {
        let pid = child.id();
        Ok(Self(child.wait_with_output()?, pid))
    }

    /// The process id that it had.
    pub fn pid(&self) -> u32 {
        self.1
    }

    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// Holds it to an exit code.
    pub fn exits(&self, code: i32) -> Result<(), Failed> {
        if self.code() == Some(code) {
            return Ok(());
        }
        Err(format!("exit code {:?}, not {code}; it said:\n{}{}", self.code(), self.out(), self.err()).into())
    }
}

/// The entry of a list whose `key` is `value`.
pub fn entry<'a>(list: &'a Value, key: &str, value: &str) -> Result<&'a Value, Failed> {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().find(|one| one[key] == value).ok_or_else(|| format!("no {key} {value} in {list:#}").into())
}

/// Signals a process.
pub fn signal(pid: u32, signal: rustix::process::Signal) -> Result<(), Failed> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).ok_or("no process id")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}
