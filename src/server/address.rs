//! Where a server answers, and as whom.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::tls::Tls;

/// How to reach a server. Its `Display` and `Debug` never show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The way to it.
    pub endpoint: Endpoint,
    /// The account.
    pub user: String,
    /// The account's password; empty for none.
    pub password: String,
    /// The default database, when one was named.
    pub database: Option<String>,
    /// Whether what is said is encrypted.
    pub tls: Tls,
}

/// The way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Socket(PathBuf),
    /// A host and port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port; 3306 unless named.
        port: u16,
    },
}

impl Address {
    /// A server's socket, as `root` without a password: the way into every sandbox we start.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: Endpoint::Socket(path.into()),
            user: "root".into(),
            password: String::new(),
            database: None,
            tls: Tls::default(),
        }
    }

    /// Reads `mysql://user@host:port/database` (`mariadb://` too; `?socket=/path` for a Unix socket, `?ssl-mode=required`,
    /// `ssl-ca=`, `ssl-cert=`, `ssl-key=`).
    ///
    /// # Errors
    /// When the text is no such URL, or holds a password: passwords come from `MYSQL_PWD`, an option file or a prompt.
    pub fn from_dsn(dsn: &str) -> Result<Self> {
        let rest = dsn.strip_prefix("mysql://").or_else(|| dsn.strip_prefix("mariadb://")).with_context(|| {
            format!("'{}' is no server address: write mysql://user@host:3306/database", redact(dsn))
        })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') {
            bail!(
                "the address of {host} holds a password, which every process list would show: put it into MYSQL_PWD or \
                 an option file (--defaults-file)"
            );
        }
        let (mut socket, mut tls) = (None, Tls::default());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("socket", path)) => socket = Some(PathBuf::from(percent_decode(path)?)),
                Some((name, value)) if tls.set(&name.replace('_', "-"), Some(&percent_decode(value)?))? => {}
                _ => bail!(
                    "'{pair}' is no option of a server address: there are socket=/path, ssl-mode=required, ssl-ca=/path, \
                     ssl-cert=/path and ssl-key=/path"
                ),
            }
        }
        let endpoint = match socket {
            Some(path) => Endpoint::Socket(path),
            None => {
                let (host, port) = split_port(host)?;
                Endpoint::Tcp { host: percent_decode(host)?, port }
            }
        };
        Ok(Self {
            endpoint,
            user: percent_decode(user)?,
            password: String::new(),
            database: (!database.is_empty()).then(|| percent_decode(database)).transpose()?,
            tls,
        })
    }
}

fn split_port(host: &str) -> Result<(&str, u16)> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        bail!("the server address names no host");
    }
    let port = port.map(|port| port.parse().with_context(|| format!("'{port}' is no port"))).transpose()?;
    Ok((name, port.unwrap_or(3306)))
}

fn percent_decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
            let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
            bytes.push(code.with_context(|| format!("'{text}' holds a % that starts no escape"))?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).with_context(|| format!("'{text}' does not decode to UTF-8"))
}

/// The text with what may be a password taken out.
fn redact(dsn: &str) -> String {
    match (dsn.find("://"), dsn.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}…{}", &dsn[..scheme + 3], &dsn[at..]),
        _ => dsn.to_owned(),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Socket(path) => write!(f, "{}@{}", self.user, path.display()),
            Endpoint::Tcp { host, port } => write!(f, "{}@{host}:{port}", self.user),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tls::Mode;
    use super::*;

    #[test]
    fn an_address_is_read_and_shows_no_password() {
        let address = Address::from_dsn("mysql://app%40x@db.example:3307/shop").expect("an address");
        assert_eq!(address.to_string(), "app@x@db.example:3307");
        assert_eq!(address.database.as_deref(), Some("shop"));
        let socket = Address::from_dsn("mariadb://root@localhost/?socket=/run/my.sock").expect("an address");
        assert_eq!(socket.endpoint, Endpoint::Socket("/run/my.sock".into()));
        let tls = Address::from_dsn("mysql://app@db/shop?ssl-mode=verify_identity&ssl_ca=/a%20b.pem")
            .expect("an address")
            .tls;
        assert_eq!((tls.mode(), tls.ca), (Mode::VerifyIdentity, Some("/a b.pem".into())));
        assert!(Address::from_dsn("mysql://app@db/shop?ssl-mode=maybe").is_err());
        assert!(Address::from_dsn("mysql://app@db/shop?charset=utf8").is_err());
        let error = Address::from_dsn("mysql://app:hunter2@db/shop").expect_err("a password");
        assert!(!format!("{error:#}").contains("hunter2"));
        let error = Address::from_dsn("mysq://app:hunter2@db/shop").expect_err("no scheme");
        assert!(!format!("{error:#}").contains("hunter2"));
    }
}
