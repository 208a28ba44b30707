//! Holds the source to the design: which way imports run, who may write to a server, who prints, how long a file may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The stages, lowest first. A folder may import from those before it (and from itself).
const STAGES: &[&str] = &[
    "server", "sql", "survey", "sandbox", "watch", "execute", "capture", "seed", "replay", "forecast", "advise",
    "plan", "report", "scenario", "apply", "pipeline", "cli",
];

/// Below all stages: anybody may import these. Of `artifact`, which loads and saves, pure folders may only write a
/// record as text.
const FOUNDATION: &[&str] = &["progress", "problem", "quantity", "artifact"];

/// Folders that do no I/O, and that take from others nothing but records.
const PURE: &[&str] = &["sql", "forecast", "advise", "plan", "report", "scenario"];

/// What a pure folder may take from other stages, by module.
const RECORDS: &[&str] = &["record", "flavor", "fault", "ability"];

/// The pure folders' one file that reads files: scripts are streams.
const READS_FILES: &str = "sql/script.rs";

/// Physical lines of a file, its tests included.
const LONGEST: usize = 400;

struct Source {
    /// Path below `src`, with `/`.
    name: String,
    text: String,
}

impl Source {
    fn folder(&self) -> Option<&str> {
        self.name.split_once('/').map(|(folder, _)| folder)
    }

    /// The text before its unit tests, comments taken out: what the program is made of. Empty for a file of tests.
    fn code(&self) -> String {
        if self.is_tests() {
            return String::new();
        }
        let program = self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        program.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    fn is_tests(&self) -> bool {
        self.name.ends_with("/tests.rs")
    }

    /// Modules that it imports from other stages: `("survey", "record")` for `use crate::survey::record::Survey;`.
    fn imports(&self) -> Vec<(String, String)> {
        let code = self.code();
        let mut found = Vec::new();
        for (at, _) in code.match_indices("crate::") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest: String = code[at + "crate::".len()..].chars().take_while(|c| *c != ';' && *c != '(').collect();
            for path in expand(rest.trim()) {
                let mut parts = path.split("::").map(str::trim);
                if let Some(first) = parts.next() {
                    found.push((first.to_owned(), parts.next().unwrap_or_default().to_owned()));
                }
            }
        }
        found
    }
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`; what follows a path that is no import is cut at its first strange character.
fn expand(text: &str) -> Vec<String> {
    let Some(open) = text.find('{') else {
        return vec![text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect()];
    };
    if !text[..open].chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
        return expand(&text[..open]);
    }
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in text[open..].chars() {
        match c {
            '{' if depth == 0 => depth = 1,
            '{' => {
                depth += 1;
                part.push(c);
            }
            '}' if depth == 1 => break,
            '}' => {
                depth -= 1;
                part.push(c);
            }
            ',' if depth == 1 => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    let head = &text[..open];
    parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .flat_map(|part| expand(&format!("{head}{part}")))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of this repository").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    files(&src, "rs")
        .into_iter()
        .map(|path| Source {
            name: path.strip_prefix(&src).expect("below src").to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).expect("a source file"),
        })
        .collect()
}

fn hold(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_folder_is_a_stage_of_the_design() {
    let mut broken = Vec::new();
    for source in sources() {
        if let Some(folder) = source.folder().filter(|folder| !STAGES.contains(folder)) {
            broken.push(format!("src/{folder} is no stage"));
        }
    }
    hold(broken, "folders are the stages of the design");
}

#[test]
fn imports_run_downward() {
    let rank = |folder: &str| STAGES.iter().position(|stage| *stage == folder);
    let mut broken = Vec::new();
    for source in sources() {
        let own = source.folder().and_then(rank);
        for (from, _) in source.imports() {
            let upward = match (own, rank(&from), source.folder()) {
                (Some(own), Some(theirs), _) => theirs > own,
                // A foundation file imports no stage; `lib.rs` and `main.rs` are above all.
                (None, Some(_), None) => source.name != "lib.rs" && source.name != "main.rs",
                (_, None, _) => !FOUNDATION.contains(&from.as_str()),
                (None, Some(_), Some(_)) => false,
            };
            if upward {
                broken.push(format!("src/{} imports crate::{from}", source.name));
            }
        }
    }
    hold(broken, "imports run strictly downward");
}

#[test]
fn pure_folders_take_records_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(own) = source.folder().filter(|folder| PURE.contains(folder)) else { continue };
        for (from, module) in source.imports() {
            // A forecast is a pure question to a pure folder below: rules ask it, nobody keeps its answer in a record.
            let foreign = STAGES.contains(&from.as_str()) && from != own && from != "forecast";
            // Making YAML text, or a digest of a text, is no loading or saving.
            let loads = from == "artifact" && !["to_yaml", "sha256"].contains(&module.as_str());
            if loads || foreign && !RECORDS.contains(&module.as_str()) {
                broken.push(format!("src/{} imports crate::{from}::{module}", source.name));
            }
        }
    }
    hold(broken, "pure folders import only `record` (and `flavor` and `fault`) from other stages");
}

#[test]
fn pure_folders_do_no_input_or_output() {
    let words = ["std::fs", "std::net", "std::process", "std::env", "File::", "fs::read", "mysql::", "testcontainers"];
    let mut broken = Vec::new();
    for source in sources() {
        if source.folder().is_some_and(|folder| PURE.contains(&folder)) && source.name != READS_FILES {
            let code = source.code();
            broken.extend(
                words.iter().filter(|word| has_path(&code, word)).map(|word| format!("src/{}: {word}", source.name)),
            );
        }
    }
    hold(broken, "pure folders do no I/O");
}

/// True when `path` stands in the code as a path of its own, not as the end of a longer name.
fn has_path(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '"'))
    })
}

#[test]
fn only_the_sandbox_and_apply_make_writers() {
    let allowed = ["apply/target.rs", "sandbox/instance.rs", "server/session.rs"];
    let broken = sources()
        .into_iter()
        .filter(|source| source.code().contains("Writer::open") && !allowed.contains(&source.name.as_str()))
        .map(|source| format!("src/{} opens a writer", source.name))
        .collect();
    hold(broken, "a `Writer` is made in sandbox/instance.rs and apply/target.rs alone");
}

#[test]
fn only_one_file_knows_the_yaml_crate_and_only_sql_the_parser() {
    let mut broken = Vec::new();
    for source in sources() {
        let code = source.code();
        if has_path(&code, "serde_yaml") && source.name != "artifact.rs" {
            broken.push(format!("src/{} names the YAML crate", source.name));
        }
        if has_path(&code, "sqlparser") && source.folder() != Some("sql") {
            broken.push(format!("src/{} names the parser", source.name));
        }
    }
    hold(broken, "a foreign crate stays in its room");
}

#[test]
fn nothing_prints_but_cli_and_report() {
    let mut broken = Vec::new();
    for source in sources() {
        if source.folder().is_some_and(|folder| folder == "cli" || folder == "report") {
            continue;
        }
        let code = source.code();
        for word in ["println!", "eprintln!", "print!", "eprint!", "dbg!", "io::stdout", "io::stderr"] {
            if code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            {
                broken.push(format!("src/{}: {word}", source.name));
            }
        }
    }
    hold(broken, "nothing prints but cli and report");
}

#[test]
fn files_stay_short_and_say_what_they_are_for() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        // sql/record.rs is the vocabulary that all stages share: one list, kept together.
        if lines > LONGEST && !source.name.ends_with("record.rs") {
            broken.push(format!("src/{} has {lines} lines", source.name));
        }
        if !source.text.starts_with("//! ") && !source.is_tests() {
            broken.push(format!("src/{} does not begin with its charter (//!)", source.name));
        }
        let stem = Path::new(&source.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if ["utils", "util", "helpers", "helper", "common", "manager", "misc", "imp"].contains(&stem) {
            broken.push(format!("src/{} has a name that says nothing", source.name));
        }
    }
    hold(broken, "files are short, and each says what it is for");
}

#[test]
fn every_rule_is_in_the_catalogue() {
    let catalogue = fs::read_to_string(root().join("src/advise/catalogue.rs")).expect("the catalogue");
    let rules = root().join("src/advise/rules");
    let mut broken = Vec::new();
    for path in files(&rules, "rs") {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem != "mod" && !catalogue.contains(&format!("{stem}::")) {
            broken.push(format!("src/advise/rules/{stem}.rs"));
        }
    }
    hold(broken, "a rule that the catalogue does not list never runs");
}

#[test]
fn every_file_is_part_of_the_program() {
    let all = sources();
    let by_name: BTreeMap<&str, &Source> = all.iter().map(|source| (source.name.as_str(), source)).collect();
    let mut broken = Vec::new();
    for source in &all {
        let path = Path::new(&source.name);
        let (parent, stem) =
            (path.parent().unwrap_or(Path::new("")), path.file_stem().unwrap_or_default().to_string_lossy());
        let (home, module) = match (stem.as_ref(), parent.file_name()) {
            ("lib" | "main", None) => continue,
            ("mod", Some(folder)) => (parent.parent().unwrap_or(Path::new("")), folder.to_string_lossy().into_owned()),
            (stem, _) => (parent, stem.to_owned()),
        };
        let declaring = if home.as_os_str().is_empty() { "lib.rs".into() } else { home.join("mod.rs") };
        let beside = home.with_extension("rs");
        let declares = |name: &Path| {
            by_name.get(name.to_string_lossy().as_ref()).is_some_and(|file| {
                file.code().lines().any(|line| {
                    line.trim_end_matches(';').split_whitespace().skip_while(|word| *word != "mod").nth(1)
                        == Some(&module)
                })
            })
        };
        if !declares(&declaring) && !declares(&beside) {
            broken.push(format!("src/{} is declared nowhere", source.name));
        }
    }
    hold(broken, "a file that no `mod` line names is dead");
}

#[test]
fn imports_are_read_as_they_are_written() {
    let source = Source {
        name: "x/y.rs".into(),
        text: "//! c\nuse crate::sql::{record::{A, B}, read};\nuse crate::survey::record::S;\nfn f() { crate::plan::draft(1) }\n".into(),
    };
    let imports: Vec<String> = source.imports().iter().map(|(folder, module)| format!("{folder}::{module}")).collect();
    assert_eq!(imports, ["sql::record", "sql::record", "sql::read", "survey::record", "plan::draft"]);
}
