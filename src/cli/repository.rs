//! The repository that the working directory belongs to: code hosts name files from its root.

use std::path::{Component, Path, PathBuf};

/// Where the root is, and where we stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    root: Option<PathBuf>,
    here: PathBuf,
}

impl Repository {
    /// The one around the working directory; outside of any, names stay as they are.
    pub fn here() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let root = here.ancestors().find(|directory| directory.join(".git").exists()).map(Path::to_owned);
        Self { root, here }
    }

    /// A file's name from the root, with `/`. What stands outside keeps its name.
    pub fn name(&self, file: &str) -> String {
        let Some(root) = &self.root else { return file.strip_prefix("./").unwrap_or(file).to_owned() };
        if file.is_empty() || file.starts_with('<') {
            return file.to_owned();
        }
        let mut full = PathBuf::new();
        for part in self.here.join(file).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    full.pop();
                }
                part => full.push(part),
            }
        }
        full.strip_prefix(root).map_or_else(|_| file.to_owned(), |inside| inside.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root_wherever_one_stands() {
        let repository = Repository { root: Some("/r".into()), here: "/r/services/shop".into() };
        for (given, named) in [
            ("db/1.sql", "services/shop/db/1.sql"),
            ("./db/1.sql", "services/shop/db/1.sql"),
            ("../../db/1.sql", "db/1.sql"),
            ("/r/db/1.sql", "db/1.sql"),
            ("/elsewhere/1.sql", "/elsewhere/1.sql"),
            ("<stdin>", "<stdin>"),
            ("", ""),
        ] {
            assert_eq!(repository.name(given), named, "{given}");
        }
        assert_eq!(Repository::default().name("./a.sql"), "a.sql");
    }
}
