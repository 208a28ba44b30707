//! What the two processes tell each other, and what came of a command.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The port that MySQL and MariaDB listen on unless told otherwise.
pub const PORT: u16 = 3306;

/// A host as the command's configuration names it: `db.internal`, `db.internal:3307`, `10.0.0.7`, `[fd00::7]:3306`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName {
    /// The name or address.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl HostName {
    /// The address, where the name is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self { name: address.to_string(), port: PORT });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { name: address.ip().to_string(), port: address.port() });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => {
                let port =
                    port.parse().map_err(|_| format!("'{port}' is no port: write db.internal or db.internal:3307"))?;
                (name, port)
            }
            None => (text, PORT),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(
                "write a host's name or address as the configuration has it, such as db.internal or db.internal:3307"
                    .to_owned(),
            );
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

/// What the keeper is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The socket to report at.
    pub control: PathBuf,
    /// The network to make; none: this machine's own stays.
    pub network: Option<Ground>,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Addresses to be asked for once the command runs.
    pub visits: Vec<String>,
}

/// A network in which only the proxy answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ground {
    /// Where to listen for the proxy.
    pub listen: Vec<SocketAddr>,
    /// The proxy's socket.
    pub socket: PathBuf,
    /// Where else that socket is to be found.
    pub places: Vec<PathBuf>,
    /// Sockets of this machine's servers, of which none may answer.
    pub closed: Vec<PathBuf>,
    /// Files that others lie over: the file, and what is seen instead.
    pub covered: Vec<(PathBuf, PathBuf)>,
    /// An empty directory to build in.
    pub stage: PathBuf,
}

/// What the keeper tells, one a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The network stands; its sockets were handed out before this.
    Ready(Ready),
    /// The network cannot be made.
    Refused {
        /// Why, in a sentence.
        why: String,
    },
    /// The command runs.
    Started {
        /// Its process.
        pid: u32,
    },
    /// The command cannot be started.
    Absent {
        /// Why, in a sentence.
        why: String,
    },
    /// An address was asked for.
    Visited(Visited),
    /// All addresses were asked for.
    VisitsDone,
    /// The command ended.
    Ended {
        /// Its exit code; 128 and the signal's number when a signal ended it.
        code: u8,
    },
}

/// A network that stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// How many of the sockets that were handed out listen for the proxy.
    pub listeners: usize,
    /// One that answers names follows.
    pub resolver: bool,
    /// One that sees packets follows.
    pub sniffer: bool,
    /// Files that were made to lay the socket over; to be removed afterwards.
    pub made: Vec<PathBuf>,
    /// What could not be had, in sentences.
    pub notes: Vec<String>,
}

/// An address that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visited {
    /// The address.
    pub url: String,
    /// The answer's status.
    pub status: Option<u16>,
    /// Bytes of the answer.
    pub bytes: u64,
    /// Times that it was asked for until it answered.
    pub tries: u32,
    /// Seconds that the answer took.
    pub seconds: f64,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// A host that the command tried to reach and that nothing answered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tried {
    /// Its name where it was asked for by name, else its address.
    pub host: String,
    /// The port; none when only the name was asked for.
    pub port: Option<u16>,
    /// By UDP.
    pub is_udp: bool,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.is_udp) {
            (Some(port), true) => write!(f, "{}:{port} (UDP)", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => write!(f, "{} (its address asked for)", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_a_configuration_has_it() {
        let read = |text: &str| text.parse::<HostName>().map(|host| (host.name, host.port));
        assert_eq!(read("DB.internal"), Ok(("db.internal".to_owned(), 3306)));
        assert_eq!(read("db_1:3307"), Ok(("db_1".to_owned(), 3307)));
        assert_eq!(read("10.0.0.7"), Ok(("10.0.0.7".to_owned(), 3306)));
        assert_eq!(read("[fd00::7]:3308"), Ok(("fd00::7".to_owned(), 3308)));
        for bad in ["", ":3306", "db:port", "http://db", "a b"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
