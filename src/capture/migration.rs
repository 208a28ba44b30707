//! Whose migration a file is: told by its name, its folder and its first lines, without any configuration.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::sql::script::folder::{Flyway, flyway, order, takes_back};

/// Bytes that are looked at.
const HEAD: u64 = 8 * 1024;

/// Folders that hold other people's files or made ones.
const PASSED_OVER: &[&str] = &["node_modules", "vendor", "target", "build", "dist", "venv", "__pycache__"];

/// How deep a repository is searched.
const DEEPEST: usize = 12;

/// Who carries a migration out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the tool of that name")]
pub enum Framework {
    Flyway,
    Rails,
    Django,
    Laravel,
    GolangMigrate,
    Dbmate,
    Goose,
    Prisma,
    Alembic,
    /// A `.sql` file in a folder of migrations, of no known tool.
    Sql,
    /// Of a tool that only the person's own command knows.
    Own,
}

/// Those whose migrations are programs.
const PROGRAMS: [Framework; 4] = [Framework::Rails, Framework::Django, Framework::Laravel, Framework::Alembic];

impl Framework {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flyway => "flyway",
            Self::Rails => "rails",
            Self::Django => "django",
            Self::Laravel => "laravel",
            Self::GolangMigrate => "golang-migrate",
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::Prisma => "prisma",
            Self::Alembic => "alembic",
            Self::Sql => "sql",
            Self::Own => "own",
        }
    }

    /// The one of this name whose migrations are programs.
    pub fn of_name(name: &str) -> Option<Self> {
        PROGRAMS.into_iter().find(|framework| framework.name() == name)
    }

    /// Names of those whose migrations are programs.
    pub fn programs() -> impl Iterator<Item = &'static str> {
        PROGRAMS.into_iter().map(Self::name)
    }
}

/// What a migration's file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// SQL that is carried out.
    Sql,
    /// SQL that is carried out again whenever it changes (Flyway's `R__`).
    Repeatable,
    /// SQL that takes another migration back.
    Undo,
    /// A program that makes SQL, and the command that prints it.
    Program {
        /// For the shell.
        print: String,
        /// What a person's own command may be told of it: `name`, `version`, `app`, `from`, `to`.
        words: BTreeMap<&'static str, String>,
    },
}

/// A file that is a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file.
    pub path: PathBuf,
    /// Whose it is.
    pub framework: Framework,
    /// What it holds.
    pub form: Form,
}

/// Reads as much of a file as is needed, and tells whose migration it is; none when it is none.
///
/// # Errors
/// When it cannot be read.
pub fn recognise(path: &Path) -> Result<Option<Migration>> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !["sql", "rb", "py", "php"].contains(&extension.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    let unread = || format!("cannot read {}", path.display());
    let mut head = Vec::new();
    File::open(path).with_context(unread)?.take(HEAD).read_to_end(&mut head).with_context(unread)?;
    Ok(told(path, &String::from_utf8_lossy(&head)))
}

/// Tells of a file that is gone, by its name and what is known of its text.
pub fn gone(path: &Path, text: &str) -> Option<Migration> {
    told(path, text)
}

/// Tells by the path and the first lines.
fn told(path: &Path, head: &str) -> Option<Migration> {
    let name = path.file_name()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    let shown = path.display();
    let program = |framework, print: String, own: &[(&'static str, &str)]| {
        let mut words = words(stem);
        words.extend(own.iter().map(|(word, value)| (*word, (*value).to_owned())));
        Some((framework, Form::Program { print, words }))
    };
    let (framework, form) = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "sql" => sql(path, name, head)?,
        "rb" if within(path, "migrate") && head.contains("ActiveRecord::Migration") => {
            program(Framework::Rails, "rehearse capture -o upgrade.sql -- bin/rails db:migrate".to_owned(), &[])?
        }
        "php" if within(path, "migrations") && head.contains("Migrations\\Migration") => {
            program(Framework::Laravel, format!("php artisan migrate --pretend --path={shown}"), &[])?
        }
        "py" if within(path, "migrations") && head.contains("migrations.Migration") => {
            let app = path.parent().and_then(Path::parent).and_then(Path::file_name).and_then(|app| app.to_str());
            let app = app.unwrap_or("APP");
            program(Framework::Django, format!("python manage.py sqlmigrate {app} {stem}"), &[("app", app)])?
        }
        "py" if head.contains("down_revision") && head.lines().any(|line| line.starts_with("revision")) => {
            let said = |key: &str| head.lines().find(|line| line.starts_with(key)).and_then(quoted);
            let (from, to) = (said("down_revision").unwrap_or("base"), said("revision").unwrap_or("head"));
            let own = [("from", from), ("to", to)];
            program(Framework::Alembic, format!("alembic upgrade {from}:{to} --sql"), &own)?
        }
        _ => return None,
    };
    Some(Migration { path: path.to_owned(), framework, form })
}

/// What every program's command may be told: its file's name, and the number with which that begins.
fn words(stem: &str) -> BTreeMap<&'static str, String> {
    let version: String = stem.chars().take_while(|sign| sign.is_ascii_digit() || *sign == '_').collect();
    BTreeMap::from([("name", stem.to_owned()), ("version", version.trim_end_matches('_').to_owned())])
}

/// A file that is a migration because a person says so.
pub fn own(path: &Path) -> Option<Migration> {
    let words = words(path.file_stem()?.to_str()?);
    Some(Migration {
        path: path.to_owned(),
        framework: Framework::Own,
        form: Form::Program { print: String::new(), words },
    })
}

fn sql(path: &Path, name: &str, head: &str) -> Option<(Framework, Form)> {
    let marked = |mark: &str| {
        head.lines().any(|line| {
            let text = line.trim_start().strip_prefix("--").map(str::trim_start);
            text.and_then(|text| text.get(..mark.len())).is_some_and(|begin| begin.eq_ignore_ascii_case(mark))
        })
    };
    if let Some(said) = flyway(name) {
        let form = match said {
            Flyway::Undo => Form::Undo,
            Flyway::Repeatable => Form::Repeatable,
            Flyway::Versioned(_) | Flyway::Baseline => Form::Sql,
        };
        return Some((Framework::Flyway, form));
    }
    if marked("migrate:up") {
        return Some((Framework::Dbmate, Form::Sql));
    }
    if marked("+goose up") || marked("+migrate up") {
        return Some((Framework::Goose, Form::Sql));
    }
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".up.sql") {
        return Some((Framework::GolangMigrate, Form::Sql));
    }
    if lower.ends_with(".down.sql") {
        return Some((Framework::GolangMigrate, Form::Undo));
    }
    if lower == "migration.sql" && within(path, "migrations") {
        return Some((Framework::Prisma, Form::Sql));
    }
    // Diesel's `1_x/down.sql`, `1_x.undo.sql`.
    let beside = |sibling: &str| path.with_file_name(sibling).is_file();
    let form = if takes_back(name, beside) { Form::Undo } else { Form::Sql };
    let folders = ["migrations", "migration", "migrate"];
    folders.iter().any(|folder| within(path, folder)).then_some((Framework::Sql, form))
}

/// True when a folder of this name is above the file.
fn within(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.components().any(|part| part.as_os_str() == folder))
}

fn quoted(line: &str) -> Option<&str> {
    line.split_once(['\'', '"']).and_then(|(_, rest)| rest.split(['\'', '"']).next()).filter(|text| !text.is_empty())
}

/// Puts Alembic's, whose files' names tell no order, behind the one that each follows; all others stay where they are.
pub fn follow<T>(found: Vec<T>, migration: impl Fn(&T) -> &Migration) -> Vec<T> {
    let link = |one: &T| match (migration(one).framework, &migration(one).form) {
        (Framework::Alembic, Form::Program { words, .. }) => {
            Some((words.get("to")?.clone(), words.get("from")?.clone()))
        }
        _ => None,
    };
    let before: BTreeMap<String, String> = found.iter().filter_map(link).collect();
    let depth = |to: &str| {
        let (mut at, mut steps) = (to, 0);
        // No more steps than there are links: a circle ends, too.
        while let Some(from) = before.get(at).filter(|_| steps < before.len()) {
            (at, steps) = (from, steps + 1);
        }
        steps
    };
    let depths: Vec<Option<usize>> = found.iter().map(|one| link(one).map(|(to, _)| depth(&to))).collect();
    let places: Vec<usize> = (0..found.len()).filter(|at| depths[*at].is_some()).collect();
    let mut sorted = places.clone();
    sorted.sort_by_key(|at| depths[*at]);
    let mut from: BTreeMap<usize, usize> = places.into_iter().zip(sorted).collect();
    let mut found: Vec<Option<T>> = found.into_iter().map(Some).collect();
    (0..found.len()).filter_map(|at| found[from.remove(&at).unwrap_or(at)].take()).collect()
}

/// The migrations below a folder, in order; of a file itself.
///
/// # Errors
/// When a folder or a file cannot be read.
pub fn find(root: &Path) -> Result<Vec<Migration>> {
    let mut found = Vec::new();
    walk(root, 0, &mut found)?;
    found.sort_by(|a, b| order(&a.path, &b.path));
    Ok(found)
}

fn walk(path: &Path, depth: usize, found: &mut Vec<Migration>) -> Result<()> {
    if !path.is_dir() {
        found.extend(recognise(path)?);
        return Ok(());
    }
    let unread = || format!("cannot read the directory {}", path.display());
    for entry in path.read_dir().with_context(unread)? {
        let entry = entry.with_context(unread)?;
        let kind = entry.file_type().with_context(unread)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is hidden (.git) is no part of the program.
        let below = if path == Path::new(".") { PathBuf::from(entry.file_name()) } else { entry.path() };
        if kind.is_dir() && depth < DEEPEST && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_ref()) {
            walk(&below, depth + 1, found)?;
        } else if kind.is_file() {
            found.extend(recognise(&below)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_is_told_by_itself() {
        let program = |print: &str, words: &[(&'static str, &str)]| Form::Program {
            print: print.to_owned(),
            words: words.iter().map(|(word, value)| (*word, (*value).to_owned())).collect(),
        };
        for (path, head, framework, form) in [
            ("src/main/resources/db/migration/V1_2__add.sql", "", Framework::Flyway, Form::Sql),
            ("sql/R__views.sql", "", Framework::Flyway, Form::Repeatable),
            ("sql/U2.1__back.sql", "", Framework::Flyway, Form::Undo),
            ("db/migrations/2026_add.sql", "-- migrate:up\n", Framework::Dbmate, Form::Sql),
            ("sql/00001_a.sql", "-- a\n-- +goose Up\n", Framework::Goose, Form::Sql),
            ("m/000001_a.up.sql", "", Framework::GolangMigrate, Form::Sql),
            ("m/000001_a.down.sql", "", Framework::GolangMigrate, Form::Undo),
            ("prisma/migrations/2026_a/migration.sql", "", Framework::Prisma, Form::Sql),
            ("migrations/3.sql", "", Framework::Sql, Form::Sql),
            ("migrations/3_shut_down.sql", "", Framework::Sql, Form::Sql),
            ("migrations/3_x/down.sql", "", Framework::Sql, Form::Undo),
            ("migrations/3_x.rollback.sql", "", Framework::Sql, Form::Undo),
            (
                "db/migrate/2026_a.rb",
                "class A < ActiveRecord::Migration[8.0]",
                Framework::Rails,
                program(
                    "rehearse capture -o upgrade.sql -- bin/rails db:migrate",
                    &[("name", "2026_a"), ("version", "2026")],
                ),
            ),
            (
                "shop/migrations/0002_a.py",
                "class Migration(migrations.Migration):",
                Framework::Django,
                program(
                    "python manage.py sqlmigrate shop 0002_a",
                    &[("app", "shop"), ("name", "0002_a"), ("version", "0002")],
                ),
            ),
            (
                "database/migrations/2026_01_02_030405_a.php",
                "use Illuminate\\Database\\Migrations\\Migration;",
                Framework::Laravel,
                program(
                    "php artisan migrate --pretend --path=database/migrations/2026_01_02_030405_a.php",
                    &[("name", "2026_01_02_030405_a"), ("version", "2026_01_02_030405")],
                ),
            ),
            (
                "alembic/versions/ab12_a.py",
                "revision = 'ab12'\ndown_revision = \"cd34\"\n",
                Framework::Alembic,
                program(
                    "alembic upgrade cd34:ab12 --sql",
                    &[("from", "cd34"), ("to", "ab12"), ("name", "ab12_a"), ("version", "")],
                ),
            ),
        ] {
            let found = told(Path::new(path), head).unwrap_or_else(|| panic!("{path} is a migration"));
            assert_eq!((found.framework, found.form), (framework, form), "{path}");
        }
        let made = "revision: str = 'ab12'\ndown_revision: Union[str, Sequence[str], None] = None\n";
        let first = told(Path::new("v/a.py"), made).expect("as Alembic makes it");
        assert!(matches!(first.form, Form::Program { words, .. } if words["from"] == "base" && words["to"] == "ab12"));
        for path in ["schema.sql", "queries/a.sql", "db/migrate/helper.rb", "shop/models.py", "V1.sql"] {
            assert_eq!(told(Path::new(path), "def x"), None, "{path}");
        }
    }

    #[test]
    fn alembics_stand_behind_those_that_they_follow() {
        let alembic = |name: &str, from: &str, to: &str| {
            told(Path::new(name), &format!("revision = '{to}'\ndown_revision = '{from}'\n")).expect("a migration")
        };
        let sql = Migration { path: "db/1.sql".into(), framework: Framework::Sql, form: Form::Sql };
        let found = vec![alembic("v/a.py", "c", "a"), sql, alembic("v/b.py", "x", "b"), alembic("v/c.py", "b", "c")];
        let order: Vec<String> = follow(found, |one| one).iter().map(|one| one.path.display().to_string()).collect();
        assert_eq!(order, ["v/b.py", "db/1.sql", "v/c.py", "v/a.py"]);
        let circle = vec![alembic("v/a.py", "b", "a"), alembic("v/b.py", "a", "b")];
        assert_eq!(follow(circle, |one| one).len(), 2);
    }
}
