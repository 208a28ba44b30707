//! What CI runs: the steps of `action.yml`, the script of GitLab's template and the hooks of pre-commit, each by the shell
//! and with the variables that its host gives them. No server is needed.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use super::check::Branch;
use super::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// It holds `;`, and a shell that took it for code would leave a file behind.
const ODD: &str = "main;touch${IFS}broken-out";
const BAD: &str = "-- migrate:up\nUPDATE codes SET label = 'B' WHERE code = 'a';\n\n  DELETE FROM page_views;\n";
const GOOD: &str =
    "-- migrate:up\nSET SESSION lock_wait_timeout = 5;\nUPDATE codes SET label = 'B' WHERE code = 'a';\n";

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value:#}"))
}

/// A pull request as a host checks it out: the merge of a branch with `base`, on no branch, beside `origin/base`.
struct Checkout {
    branch: Branch,
    home: tempfile::TempDir,
}

impl Checkout {
    fn of(migration: &str, base: &str) -> Self {
        let branch = Branch::new();
        branch.write("db/migrations/002_new.sql", migration);
        branch.commit();
        branch.git(&["checkout", "-q", "main"]);
        // Others went on meanwhile; what they changed is none of the pull request's.
        branch.write("db/migrations/003_others.sql", "-- migrate:up\nDROP TABLE page_views;\n");
        branch.commit();
        branch.git(&["update-ref", &format!("refs/remotes/origin/{base}"), "main"]);
        branch.git(&["checkout", "-q", "--detach", "main"]);
        branch.git(&["merge", "-q", "--no-ff", "-m", "merged", "work"]);
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("bin")).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_rehearse"), home.path().join("bin/rehearse")).expect("a link");
        Self { branch, home }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs a script by bash as a runner does, in the checkout, in an environment of its own.
    fn bash(&self, script: &str, environment: &BTreeMap<String, String>) -> Said {
        fs::write(self.at("step.sh"), script).expect("a file");
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(self.at("step.sh"));
        bash.current_dir(self.branch.0.path()).env_clear().envs(environment);
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap_or_default());
        bash.env("PATH", path).env("HOME", self.home.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        bash.env("DOCKER_HOST", "unix:///nonexistent").env("REHEARSE_CACHE", self.at("cache"));
        Said(bash.output().expect("bash runs"))
    }

    fn is_left_alone(&self) {
        assert!(!self.branch.0.path().join("broken-out").exists(), "a name was taken for code");
    }
}

/// What the steps of the action left.
struct Ran {
    code: Option<i32>,
    said: String,
    summary: String,
    outputs: BTreeMap<String, String>,
}

/// Runs the action's steps one after the other, until one fails, with these inputs over its defaults.
fn action(checkout: &Checkout, base: &str, inputs: &[(&str, &str)]) -> Ran {
    let action = yaml(&read(format!("{ROOT}/action.yml")));
    assert_eq!(action["runs"]["using"], "composite");
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (name, input) in action["inputs"].as_object().expect("inputs") {
        let given = inputs.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
        values.insert(format!("inputs.{name}"), given.unwrap_or_else(|| text(input, "default")).to_owned());
    }
    for name in inputs.iter().map(|(name, _)| format!("inputs.{name}")) {
        assert!(values.contains_key(&name), "the action has no {name}");
    }
    let known =
        BTreeMap::from([("github.base_ref || github.event.repository.default_branch".to_owned(), base.to_owned())]);
    let filled = |text: &str| filled(text, &values).map_or_else(|| text.to_owned(), |text| filled_all(&text, &known));
    let files = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"];
    let mut said = String::new();
    let mut code = Some(0);
    for file in files {
        fs::write(checkout.at(file), "").expect("a file");
    }
    for step in action["runs"]["steps"].as_array().expect("steps") {
        assert_eq!(text(step, "shell"), "bash");
        assert!(!text(step, "run").contains("${{"), "what others name must not become a part of a script");
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            environment.insert(name.clone(), filled(value.as_str().expect("a text")));
        }
        for file in files {
            environment.insert(file.to_owned(), checkout.at(file).display().to_string());
        }
        environment.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
        environment.insert("GITHUB_ACTION_PATH".to_owned(), ROOT.to_owned());
        environment.insert("RUNNER_TEMP".to_owned(), checkout.home.path().display().to_string());
        let ran = checkout.bash(text(step, "run"), &environment);
        said.push_str(&format!("{}{}", ran.out(), ran.err()));
        code = ran.0.status.code();
        if code != Some(0) {
            break;
        }
    }
    let outputs = read(checkout.at("GITHUB_OUTPUT"));
    let outputs = outputs.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned()));
    Ran { code, said, summary: read(checkout.at("GITHUB_STEP_SUMMARY")), outputs: outputs.collect() }
}

/// The text with each `${{ … }}` filled; none where it has none.
fn filled(text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    text.contains("${{").then(|| filled_all(text, values))
}

fn filled_all(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").expect("an expression that ends");
        out.push_str(before);
        match values.get(expression.trim()) {
            Some(value) => out.push_str(value),
            None => out.push_str(&format!("${{{{{expression}}}}}")),
        }
        rest = after;
    }
    out + rest
}

#[test]
fn the_action_annotates_a_bad_pull_request_fails_it_and_passes_a_good_one() {
    let bad = Checkout::of(BAD, "main");
    let ran = action(&bad, "main", &[("arguments", "  --static\n\n")]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    let annotations: Vec<&str> = ran.said.lines().filter(|line| line.starts_with("::")).collect();
    assert!(
        annotations
            .iter()
            .any(|line| line.starts_with("::error file=db/migrations/002_new.sql,line=4,endLine=4,col=3,")),
        "{}",
        ran.said
    );
    assert!(!annotations.iter().any(|line| line.contains("003_others")), "{annotations:#?}");
    assert!(ran.summary.starts_with("## ❌ Migrations\n"), "{}", ran.summary);
    assert!(ran.summary.contains("`db/migrations/002_new.sql`") && !ran.summary.contains("::error"), "{}", ran.summary);
    assert_eq!(ran.outputs["exit-code"], "1");
    let sarif: Value = serde_json::from_str(&read(&ran.outputs["sarif"])).expect("SARIF");
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(location, "db/migrations/002_new.sql");
    assert_eq!(read(&ran.outputs["summary"]), ran.summary);
    assert!(!ran.outputs.contains_key("rehearsal"), "--static rehearses nothing: {:?}", ran.outputs);

    let good = Checkout::of(GOOD, "main");
    let ran = action(&good, "main", &[("arguments", "--static"), ("paths", " db/migrations \n")]);
    assert_eq!((ran.code, ran.outputs["exit-code"].as_str()), (Some(0), "0"), "{}", ran.said);
    assert!(ran.summary.starts_with("## ✅ Migrations\n"), "{}", ran.summary);
    let ran = action(&bad, "main", &[("arguments", "--static"), ("fail-on", "never")]);
    assert_eq!((ran.code, ran.summary.starts_with("## ❌")), (Some(0), true), "{}", ran.said);
}

#[test]
fn the_action_takes_names_for_names_and_says_what_it_could_not_judge() {
    let odd = Checkout::of(GOOD, ODD);
    let ran = action(&odd, ODD, &[("arguments", "--static")]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    odd.is_left_alone();
    let ran = action(&odd, "nowhere", &[]);
    assert_eq!((ran.code, ran.outputs["exit-code"].as_str()), (Some(2), "2"), "{}", ran.said);
    assert!(ran.said.contains("hint: In CI fetch the whole history"), "{}", ran.said);
    assert!(!ran.outputs.contains_key("sarif"), "no file is named that is not there: {:?}", ran.outputs);
    // Something must be rehearsed, and there is no server.
    let bad = Checkout::of(BAD, "main");
    let ran = action(&bad, "main", &[("arguments", "--server=mysql:5.1\n--sandbox=process")]);
    assert_eq!(ran.code, Some(3), "{}", ran.said);
}

#[test]
fn every_output_of_the_action_is_one_that_its_step_sets() {
    let action = yaml(&read(format!("{ROOT}/action.yml")));
    let script = text(&action["runs"]["steps"][1], "run");
    for (name, output) in action["outputs"].as_object().expect("outputs") {
        assert_eq!(text(output, "value"), format!("${{{{ steps.check.outputs.{name} }}}}"));
        assert!(script.contains(&format!("{name}=")), "{name}");
    }
}

/// Runs the template's job with these inputs, as a merge request's pipeline.
fn gitlab(checkout: &Checkout, inputs: &[(&str, &str)], variables: &[(&str, String)]) -> Said {
    let template = read(format!("{ROOT}/templates/rehearse.yml"));
    let (head, body) = template.split_once("\n---\n").expect("a header and jobs");
    let declared = yaml(head)["spec"]["inputs"].clone();
    let mut body = body.to_owned();
    for (name, input) in declared.as_object().expect("inputs") {
        let given = inputs.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
        let value = given.unwrap_or_else(|| text(input, "default"));
        body = body.replace(&format!("$[[ inputs.{name} ]]"), value);
    }
    assert!(!body.contains("$[["), "an input that is not declared: {body}");
    let job = yaml(&body)["rehearse"].clone();
    let own = job["variables"].as_object().expect("variables");
    let mut environment: BTreeMap<String, String> =
        own.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect();
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let lines: Vec<&str> = job["script"].as_array().expect("a script").iter().filter_map(Value::as_str).collect();
    for report in ["codequality", "junit"] {
        let file = text(&job["artifacts"]["reports"], report);
        assert!(lines.concat().contains(&format!("={file}")), "{file} is written by nothing");
    }
    checkout.bash(&lines.join("\n"), &environment)
}

fn revision(checkout: &Checkout, name: &str) -> String {
    let mut git = Command::new("git");
    git.args(["rev-parse", name]).current_dir(checkout.branch.0.path());
    String::from_utf8_lossy(&git.output().expect("git runs").stdout).trim().to_owned()
}

#[test]
fn gitlabs_template_judges_a_merge_request_on_its_own_head_and_on_the_merge() {
    let inputs = [("image", "rehearse"), ("arguments", "--static")];
    let bad = Checkout::of(BAD, "main");
    let merged = [
        ("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", revision(&bad, "main")),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", revision(&bad, "main~1")),
    ];
    let said = gitlab(&bad, &inputs, &merged);
    assert_eq!(said.0.status.code(), Some(1), "{}{}", said.out(), said.err());
    let quality: Value =
        serde_json::from_str(&read(bad.branch.0.path().join("gl-code-quality-report.json"))).expect("JSON");
    let places = quality.as_array().expect("a list").iter().map(|one| &one["location"]);
    let delete = places.into_iter().find(|place| place["lines"]["begin"] == 4);
    assert_eq!(delete.map(|place| &place["path"]), Some(&"db/migrations/002_new.sql".into()), "{quality:#}");
    assert!(!quality.to_string().contains("003_others"), "{quality:#}");
    assert!(read(bad.branch.0.path().join("rehearse.xml")).contains("<testsuites"));
    assert!(read(bad.branch.0.path().join("rehearse.md")).starts_with("## ❌"));

    let good = Checkout::of(GOOD, "main");
    good.branch.git(&["checkout", "-q", "--detach", "work"]);
    let own = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", revision(&good, "main~1"))];
    let said = gitlab(&good, &inputs, &own);
    assert_eq!(said.0.status.code(), Some(0), "{}{}", said.out(), said.err());
    assert!(said.out().contains("in 1 migration;"), "{}", said.out());
}

/// What `fixtures/ci/get` gets.
fn tool(name: &str) -> PathBuf {
    let path = Path::new(ROOT).join("target/ci/bin").join(name);
    assert!(path.exists(), "{name} is not here: run fixtures/ci/get");
    path
}

#[test]
fn pre_commit_runs_the_hooks_on_what_is_committed() {
    let checkout = Checkout::of(GOOD, "main");
    checkout.branch.git(&["checkout", "-q", "work"]);
    let hooks = yaml(&read(format!("{ROOT}/.pre-commit-hooks.yaml")));
    let own: Vec<&Value> =
        (hooks.as_array().expect("hooks").iter()).filter(|hook| hook["language"] == "system").collect();
    assert_eq!(own.len(), 2, "the third is built by cargo");
    let configuration = serde_json::json!({"repos": [{"repo": "local", "hooks": own}]});
    checkout.branch.write(".pre-commit-config.yaml", &configuration.to_string());
    checkout.branch.commit();
    let run = |name: &str, migration: &str| {
        checkout.branch.write(name, migration);
        checkout.branch.git(&["add", "-A"]);
        let script = format!("{} run --color never", tool("pre-commit").display());
        let home = checkout.at("pre-commit").display().to_string();
        let said = checkout.bash(&script, &BTreeMap::from([("PRE_COMMIT_HOME".to_owned(), home)]));
        (said.0.status.code(), format!("{}{}", said.out(), said.err()))
    };
    let (code, said) = run("db/migrations/004_good.sql", GOOD);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("Passed").count(), 2, "both hooks ran: {said}");
    checkout.branch.git(&["commit", "-q", "--no-verify", "-m", "good"]);
    let (code, said) = run("db/migrations/005_bad.sql", BAD);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("delete-all-rows") && said.contains("db/migrations/005_bad.sql:4:3"), "{said}");
    assert!(!said.contains("004_good"), "what was committed before is none of this commit: {said}");
}
