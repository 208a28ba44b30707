//! How a command is told where its database is: variables, words in braces, and copies of its files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::problem::BadInput;

/// Where the database is, as the command sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The database in use.
    pub database: String,
    /// The server's socket.
    pub socket: PathBuf,
}

/// A file with words in braces, of which the command sees a copy with what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The file. It stays as it is.
    pub file: PathBuf,
    /// Where the command finds the copy: the file itself, or a path of its own.
    pub target: PathBuf,
}

impl Access {
    /// `mysql://user:password@host:port/database`.
    pub fn dsn(&self) -> String {
        let (user, password) = (encode(&self.user), encode(&self.password));
        let account = if password.is_empty() { user } else { format!("{user}:{password}") };
        format!("mysql://{account}@{}:{}/{}", self.host, self.port, encode(&self.database))
    }

    /// The variables by which the clients of both vendors and the usual frameworks find their database.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let (host, port) = (self.host.clone(), self.port.to_string());
        let (user, password, database) = (self.user.clone(), self.password.clone(), self.database.clone());
        let groups: [(&[&str], String); 7] = [
            (&["MYSQL_HOST", "DB_HOST", "DATABASE_HOST"], host),
            (&["MYSQL_TCP_PORT", "MYSQL_PORT", "DB_PORT", "DATABASE_PORT"], port),
            (&["MYSQL_USER", "DB_USERNAME", "DB_USER", "DATABASE_USER"], user),
            (&["MYSQL_PWD", "MYSQL_PASSWORD", "DB_PASSWORD", "DB_PASS", "DATABASE_PASSWORD"], password),
            (&["MYSQL_DATABASE", "DB_DATABASE", "DB_NAME", "DATABASE_NAME"], database),
            (&["MYSQL_UNIX_PORT"], self.socket.to_string_lossy().into_owned()),
            (&["DATABASE_URL"], self.dsn()),
        ];
        let pairs = groups.iter().flat_map(|(names, value)| names.iter().map(move |name| (*name, value)));
        pairs.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// A text with what its words in braces stand for. Other braces stay.
    pub fn fill(&self, text: &str) -> String {
        let words = [
            ("{host}", self.host.clone()),
            ("{port}", self.port.to_string()),
            ("{user}", self.user.clone()),
            ("{password}", self.password.clone()),
            ("{database}", self.database.clone()),
            ("{dsn}", self.dsn()),
            ("{socket}", self.socket.to_string_lossy().into_owned()),
        ];
        let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let (word, value) =
                words.iter().find(|(word, _)| rest.starts_with(word)).map_or(("{", "{"), |(w, v)| (*w, v));
            filled.push_str(value);
            rest = &rest[word.len()..];
        }
        filled + rest
    }

    /// Writes the copy of a template into a directory of ours, with the rights of the original.
    ///
    /// # Errors
    /// A [`BadInput`] when the file cannot be read as text, or holds no word in braces.
    pub fn render(&self, template: &Template, directory: &Path, number: usize) -> Result<PathBuf> {
        let name = template.file.display();
        let unreadable = || BadInput::new(format!("cannot read the template {name}"));
        let text = fs::read_to_string(&template.file).with_context(unreadable)?;
        let filled = self.fill(&text);
        if filled == text {
            bail!(BadInput::new(format!(
                "the template {name} holds none of {{host}} {{port}} {{user}} {{password}} {{database}} {{dsn}} {{socket}}"
            )));
        }
        let copy = directory.join(format!("template-{number}"));
        let about = fs::metadata(&template.file).with_context(unreadable)?;
        let written = fs::write(&copy, filled).and_then(|()| fs::set_permissions(&copy, about.permissions()));
        written.with_context(|| format!("cannot write {}", copy.display()))?;
        if rustix::process::geteuid().is_root() {
            chown(&copy, Some(about.uid()), Some(about.gid()))
                .with_context(|| format!("cannot give {} to its owner", copy.display()))?;
        }
        Ok(copy)
    }
}

/// What is not plain in a URL as `%xx`.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            host: "127.0.0.1".into(),
            port: 3306,
            user: "app@x".into(),
            password: "p:w".into(),
            database: "shop".into(),
            socket: "/tmp/x/proxy.sock".into(),
        }
    }

    #[test]
    fn words_in_braces_are_filled_and_other_braces_stay() {
        let text = "mysql -h {host} -P{port} {\"a\": {x}} {{user}} {dsn} {";
        let filled = access().fill(text);
        let dsn = "mysql://app%40x:p%3Aw@127.0.0.1:3306/shop";
        assert_eq!(filled, format!("mysql -h 127.0.0.1 -P3306 {{\"a\": {{x}}}} {{app@x}} {dsn} {{"));
        assert_eq!(access().environment()["DATABASE_URL"], dsn);
        assert_eq!(access().environment()["MYSQL_UNIX_PORT"], "/tmp/x/proxy.sock");
    }

    #[test]
    fn a_copy_is_rendered_and_the_original_stays() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("config.php");
        fs::write(&file, "<?php $db = '{database}';").expect("written");
        let template = Template { file: file.clone(), target: file.clone() };
        let copy = access().render(&template, place.path(), 0).expect("a copy");
        assert_eq!(fs::read_to_string(copy).expect("read"), "<?php $db = 'shop';");
        assert_eq!(fs::read_to_string(&file).expect("read"), "<?php $db = '{database}';");
        fs::write(&file, "<?php {}").expect("written");
        let error = access().render(&template, place.path(), 1).expect_err("nothing to fill");
        assert!(crate::problem::is_bad_input(&error) && error.to_string().contains("{socket}"), "{error:#}");
    }
}
