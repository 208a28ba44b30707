//! An upgrade command, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::capture::live::access::Template;
use crate::capture::live::enclosure::Network;
use crate::capture::live::record::HostName;
use crate::quantity::Span;

/// A command that upgrades a database, and how it is run.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Live {
    /// A command that upgrades the database it is pointed at, after `--`; runs where only the sandbox answers. It finds the
    /// sandbox by the usual variables (MYSQL_HOST, DATABASE_URL, DB_HOST and their like), and as {host} {port} {user} {password}
    /// {database} {dsn} {socket} in its words
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// What the command's configuration calls the database server: a name or address for which the sandbox then answers;
    /// may be given again
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "Command")]
    pub host_name: Vec<HostName>,
    /// Where the command looks for the server's socket, besides the usual places; may be given again
    #[arg(long, value_name = "PATH", help_heading = "Command")]
    pub socket: Vec<PathBuf>,
    /// A file of which the command sees a copy with {host}, {password} … filled, in its own place or in TARGET's; it stays as
    /// it is; may be given again
    #[arg(long, value_name = "FILE[:TARGET]", value_parser = template, help_heading = "Command")]
    pub template: Vec<Template>,
    /// The command is a server: it runs until Ctrl-C, or until --until-idle
    #[arg(long, help_heading = "Command")]
    pub serve: bool,
    /// An address to be asked for once the server listens; may be given again; without --until-idle it is over 5 s after
    #[arg(long, value_name = "URL", value_parser = url, requires = "serve", help_heading = "Command")]
    pub visit: Vec<String>,
    /// End the server once nothing was sent for so long, such as 5s
    #[arg(long, value_name = "TIME", requires = "serve", help_heading = "Command")]
    pub until_idle: Option<Span>,
    /// The command's network: its own, where only the sandbox answers, or this machine's, where it can reach production
    #[arg(long, value_enum, default_value_t, help_heading = "Command")]
    pub network: NetworkArg,
}

/// `rehearse enclosed`.
#[derive(Debug, ClapArgs)]
pub struct Enclosed {
    /// What is to be done
    pub order: PathBuf,
}

/// `--network`, as typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// One of its own: only the sandbox answers
    #[default]
    Own,
    /// This machine's: nothing keeps the command from production
    Host,
}

impl From<NetworkArg> for Network {
    fn from(typed: NetworkArg) -> Self {
        match typed {
            NetworkArg::Own => Self::Own,
            NetworkArg::Host => Self::Host,
        }
    }
}

/// `config.php` or `config.dist.php:config.php`.
fn template(text: &str) -> Result<Template, String> {
    let (file, target) = text.rsplit_once(':').unwrap_or((text, text));
    if file.is_empty() || target.is_empty() {
        return Err("write FILE, or FILE:TARGET".to_owned());
    }
    Ok(Template { file: file.into(), target: target.into() })
}

/// `http://localhost:8080/`.
fn url(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => {
            Err("write an address of the command's own server, without TLS, such as http://localhost:8080/".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_its_own_place_or_another() {
        let read = |text: &str| template(text).map(|read| (read.file, read.target));
        assert_eq!(read("a.php"), Ok(("a.php".into(), "a.php".into())));
        assert_eq!(read("a.dist:b"), Ok(("a.dist".into(), "b".into())));
        assert!(read(":b").is_err() && read("a:").is_err());
        assert!(url("https://localhost/").is_err() && url("http://").is_err());
    }
}
