//! The capture proxy before real servers: clients see what they see without it, and what it told gives the same state again.

mod clients;
mod sessions;
mod values;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use libtest_mimic::{Failed, Trial};
use mysql::prelude::Queryable;
use mysql::{Conn, LocalInfileHandler, OptsBuilder, Row};
use mysql_rehearsal::capture::proxy::{Accept, Listen, Options, Proxy};
use mysql_rehearsal::capture::record::{Event, Heard, Listener};
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;
use tempfile::TempDir;

use super::servers::Servers;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for vendor in ["mysql", "mariadb"] {
        for (name, run) in [values::TRIALS, clients::TRIALS, sessions::TRIALS].concat() {
            let servers = Arc::clone(servers);
            trials.push(Trial::test(format!("proxy::{name}_on_{vendor}"), move || run(&servers, vendor)));
        }
    }
    trials
}

type Run = fn(&Servers, &str) -> Result<(), Failed>;
type Named = (&'static str, Run);

/// The account that clients use, on both sides of the proxy.
const USER: &str = "app";
const PASSWORD: &str = "secret";

/// Keeps what it hears.
#[derive(Debug, Default)]
struct Tape(Mutex<Vec<Event>>);

impl Listener for Tape {
    fn hear(&self, event: Event) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }
}

/// A database behind a proxy.
struct Behind {
    proxy: Proxy,
    tape: Arc<Tape>,
    instance: Instance,
    database: String,
    files: TempDir,
}

impl Behind {
    fn start(servers: &Servers, vendor: &str, accept: Accept) -> Result<Self, Failed> {
        let instance = if vendor == "mysql" { servers.mysql()? } else { servers.mariadb()? };
        let database = servers.fresh_database(&instance)?;
        let mut keeper = instance.writer(Role::Keeper)?;
        for host in ["%", "localhost"] {
            keeper.execute(&format!("CREATE USER IF NOT EXISTS '{USER}'@'{host}' IDENTIFIED BY '{PASSWORD}'"))?;
            keeper.execute(&format!("GRANT ALL ON *.* TO '{USER}'@'{host}'"))?;
        }
        keeper.execute("SET GLOBAL local_infile = 1")?;
        keeper.execute("SET GLOBAL max_allowed_packet = 67108864")?;
        let files = tempfile::tempdir()?;
        let mut options = Options::new(instance.address().clone());
        options.accept = accept;
        options.files = Some(files.path().to_owned());
        let tape = Arc::new(Tape::default());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let proxy = Proxy::start(
            vec![Listen::Tcp(any), Listen::Unix(files.path().join("proxy.sock"))],
            options,
            Arc::<Tape>::clone(&tape),
        )?;
        Ok(Self { proxy, tape, instance, database, files })
    }

    fn port(&self) -> Result<u16, Failed> {
        match self.proxy.addresses().first() {
            Some(Endpoint::Tcp { port, .. }) => Ok(*port),
            other => Err(format!("the proxy listens on {other:?}").into()),
        }
    }

    fn socket(&self) -> String {
        match &self.instance.address().endpoint {
            Endpoint::Socket(path) => path.to_string_lossy().into_owned(),
            Endpoint::Tcp { .. } => String::new(),
        }
    }

    fn options(&self) -> OptsBuilder {
        let sends = LocalInfileHandler::new(|name, writer| {
            let mut file = std::fs::File::open(String::from_utf8_lossy(name).as_ref())?;
            std::io::copy(&mut file, writer).map(drop)
        });
        OptsBuilder::new()
            .user(Some(USER))
            .pass(Some(PASSWORD))
            .db_name(Some(&self.database))
            .prefer_socket(false)
            .local_infile_handler(Some(sends))
    }

    /// A session through the proxy.
    fn client(&self) -> Result<Conn, Failed> {
        Ok(Conn::new(self.options().ip_or_hostname(Some("127.0.0.1")).tcp_port(self.port()?))?)
    }

    /// A session without it.
    fn direct(&self) -> Result<Conn, Failed> {
        Ok(Conn::new(self.options().socket(Some(self.socket())))?)
    }

    /// Definitions and rows of the whole database.
    fn state(&self) -> Result<String, Failed> {
        let mut direct = self.direct()?;
        direct.query_drop("SET NAMES utf8mb4")?;
        let mut state = String::new();
        for table in direct.query::<String, _>("SHOW TABLES")? {
            let definition: Option<(String, String)> = direct.query_first(format!("SHOW CREATE TABLE {table}"))?;
            state.push_str(&definition.map(|(_, text)| text).unwrap_or_default());
            for row in direct.query::<Row, _>(format!("SELECT * FROM {table} ORDER BY 1"))? {
                state.push_str(&format!("\n{:?}", row.unwrap()));
            }
            state.push('\n');
        }
        Ok(state)
    }

    /// Waits until no session is open.
    fn wait_until_quiet(&self) -> Result<(), Failed> {
        for _ in 0..600 {
            if self.proxy.sessions().open == 0 {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err(format!("still open after 30 s: {:?}", self.proxy.sessions()).into())
    }

    fn heard(&self) -> Vec<Heard> {
        let events = self.tape.0.lock().unwrap_or_else(PoisonError::into_inner);
        events
            .iter()
            .filter_map(|event| if let Event::Heard(heard) = event { Some(heard.clone()) } else { None })
            .collect()
    }

    fn dropped(&self) -> Vec<String> {
        let events = self.tape.0.lock().unwrap_or_else(PoisonError::into_inner);
        events
            .iter()
            .filter_map(|event| if let Event::Dropped(dropped) = event { Some(dropped.why.clone()) } else { None })
            .collect()
    }

    /// Empties the database, sends again what was told, and holds the state to what it was.
    fn replay(&self) -> Result<(), Failed> {
        self.wait_until_quiet()?;
        let (before, database) = (self.state()?, &self.database);
        let mut keeper = self.instance.writer(Role::Keeper)?;
        keeper.execute(&format!("DROP DATABASE {database}"))?;
        keeper.execute(&format!("CREATE DATABASE {database}"))?;
        let events = std::mem::take(&mut *self.tape.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Sessions of a trial follow one another.
        let mut scripts: Vec<(u64, Vec<u8>)> = Vec::new();
        for event in events {
            match event {
                Event::Began(began) => {
                    let mut script = b"DELIMITER $$END$$\n".to_vec();
                    for setting in &began.settings {
                        script.extend_from_slice(format!("SET {setting}$$END$$\n").as_bytes());
                    }
                    scripts.push((began.session, script));
                }
                Event::Heard(heard) => {
                    let own = scripts.iter_mut().rfind(|(session, _)| *session == heard.session);
                    let (_, script) = own.ok_or("a statement of a session that never began")?;
                    for (variable, value) in heard.state.iter() {
                        script.extend_from_slice(format!("SET {variable} = {value}$$END$$\n").as_bytes());
                    }
                    script.extend_from_slice(&heard.text);
                    script.extend_from_slice(b"$$END$$\n");
                }
                Event::Ended { .. } | Event::Dropped(_) => {}
            }
        }
        for (_, script) in scripts {
            self.send_again(&script)?;
        }
        let after = self.state()?;
        if before != after {
            let line = before.lines().zip(after.lines()).find(|(one, other)| one != other);
            return Err(format!("the replay differs: {line:?}").into());
        }
        assert!(before.lines().count() > 3, "nothing to compare: {before}");
        Ok(())
    }

    /// By the stock client, which sends bytes as they are. What failed before fails again: it goes on.
    fn send_again(&self, script: &[u8]) -> Result<(), Failed> {
        let file = self.files.path().join("again.sql");
        std::fs::write(&file, script)?;
        let ran = Command::new("mariadb")
            .args([
                "--no-defaults",
                "-uroot",
                "--binary-mode",
                "--force",
                "--local-infile=1",
                "--max-allowed-packet=128M",
            ])
            .args(["-S", &self.socket(), &self.database])
            .stdin(std::fs::File::open(file)?)
            .output()?;
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        if errors.contains("2006") || errors.contains("ERROR 1064") {
            return Err(errors.into());
        }
        Ok(())
    }
}
