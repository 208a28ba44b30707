//! Accounts from where passwords may come from: an option file, the environment, a prompt. Never the command line.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::problem::BadInput;
use crate::server::address::{Address, Endpoint};

/// For who cannot get in.
pub const HINT: &str = "hint: The password comes from MYSQL_PWD, --defaults-file or a prompt; how the connection is encrypted from the \
    address (?ssl-mode=required&ssl-ca=/ca.pem) or --defaults-file.";

/// What the `[client]` section of an option file says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Client {
    user: Option<String>,
    password: Option<String>,
    socket: Option<PathBuf>,
    /// `ssl-mode` and what belongs to it, in order.
    tls: Vec<(String, Option<String>)>,
}

/// Reads a server's address and completes it: user and password from the option file, else `MYSQL_PWD`, else a prompt
/// where a person can answer one.
///
/// # Errors
/// A [`BadInput`] when the address or the option file cannot be used.
pub fn address(dsn: &str, defaults_file: Option<&Path>) -> Result<Address> {
    let mut address = Address::from_dsn(dsn).map_err(|error| BadInput::new(format!("{error:#}")))?;
    let client = defaults_file.map(read).transpose()?.unwrap_or_default();
    if address.user.is_empty() {
        address.user = client.user.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned());
    }
    if let (Endpoint::Tcp { host, port }, Some(socket)) = (&address.endpoint, &client.socket)
        && host == "localhost"
        && *port == 3306
    {
        address.endpoint = Endpoint::Socket(socket.clone());
    }
    // What the address itself says comes last.
    let own = std::mem::take(&mut address.tls);
    for (name, value) in &client.tls {
        address.tls.set(name, value.as_deref()).map_err(|error| BadInput::new(format!("{error:#}")))?;
    }
    address.tls = own.or(address.tls);
    address.password = match client.password.or_else(|| std::env::var("MYSQL_PWD").ok()) {
        Some(password) => password,
        None if io::stdin().is_terminal() && io::stderr().is_terminal() => {
            rpassword::prompt_password(format!("Password of {address}: ")).context("cannot read the password")?
        }
        None => String::new(),
    };
    Ok(address)
}

/// Reads an option file's `[client]` section.
fn read(path: &Path) -> Result<Client> {
    let text = fs::read_to_string(path)
        .with_context(|| BadInput::new(format!("cannot read the option file {}", path.display())))?;
    Ok(parse(&text))
}

/// The client's own format: `name = value` lines, dashes and underscores alike, quotes around values, `#` and `;`.
fn parse(text: &str) -> Client {
    let mut client = Client::default();
    let mut ours = false;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '!']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            ours = section.split(']').next().is_some_and(|name| name.trim() == "client");
            continue;
        }
        if !ours {
            continue;
        }
        let (name, value) =
            line.split_once('=').map_or((line, None), |(name, value)| (name, Some(unquote(value.trim()))));
        match (name.trim().replace('_', "-").as_str(), value) {
            ("user", Some(value)) => client.user = Some(value),
            ("password", Some(value)) => client.password = Some(value),
            ("socket", Some(value)) => client.socket = Some(value.into()),
            (name, value) if name.contains("ssl") => client.tls.push((name.to_owned(), value)),
            _ => {}
        }
    }
    client
}

/// A value without its quotes, its escapes read (`\\`, `\s`, `\t`, `\n`, `\r`, `\b`), and without a comment behind it.
fn unquote(value: &str) -> String {
    let quoted = value.chars().next().filter(|first| matches!(first, '"' | '\'')).and_then(|quote| {
        let inner = &value[1..];
        inner.rfind(quote).map(|end| &inner[..end])
    });
    let raw = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or(value).trim_end());
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('s')) => out.push(' '),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('b')) => out.push('\u{8}'),
            ('\\', Some('\\')) => out.push('\\'),
            ('\\', Some(other)) => out.extend(['\\', other]),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_section_is_read_as_the_stock_client_reads_it() {
        let text = "[mysqld]\nuser=mysql\n[client]\n# ours\nuser = app\npassword=\"p#1\\s\\\\\"\nsocket=/run/my.sock # local\nskip-ssl\nssl_ca = /ca.pem\n[mysql]\nuser=x";
        let client = parse(text);
        assert_eq!(client.user.as_deref(), Some("app"));
        assert_eq!(client.password.as_deref(), Some("p#1 \\"));
        assert_eq!(client.socket, Some("/run/my.sock".into()));
        assert_eq!(client.tls, [("skip-ssl".to_owned(), None), ("ssl-ca".to_owned(), Some("/ca.pem".to_owned()))]);
    }
}
