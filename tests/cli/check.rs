//! `rehearse check`: which migrations of a branch are judged, and how it fails closed. No server is needed.

use serde_json::Value;

use super::*;

const SCHEMA: &str = "CREATE TABLE page_views (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, url varchar(200));\n\
                      CREATE TABLE codes (code char(2) NOT NULL PRIMARY KEY, label varchar(20));\n";

const CONFIGURATION: &str = "format: rehearse/scenario@1\nserver: {flavor: mysql:8.4}\n\
                             production: {schema: schema.sql, rows: {page_views: 9M, codes: 200}}\n\
                             severity: {delete-all-rows: error}\n";

/// A repository with a migration on its main branch, and a branch `work` on which we stand.
pub(super) struct Branch(pub(super) Desk);

impl Branch {
    pub(super) fn new() -> Self {
        let branch = Self(Desk::new());
        for name in ["upgrade.sql", "scenario.yaml"] {
            fs::remove_file(branch.0.path().join(name)).expect("it was there");
        }
        branch.write("schema.sql", SCHEMA);
        branch.write("rehearse.yaml", CONFIGURATION);
        branch.write(
            "db/migrations/001_first.sql",
            "-- migrate:up\nINSERT INTO codes VALUES ('a', 'A');\n-- migrate:down\n",
        );
        branch.git(&["init", "-q", "-b", "main"]);
        branch.git(&["config", "user.email", "a@example.org"]);
        branch.git(&["config", "user.name", "A"]);
        branch.commit();
        branch.git(&["checkout", "-q", "-b", "work"]);
        branch
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(super) fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(args).current_dir(self.0.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let said = git.output().expect("git runs");
        assert!(said.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&said.stderr));
    }

    pub(super) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "work"]);
    }

    pub(super) fn check(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let path = std::env::var("PATH").unwrap_or_default();
        let own = [("PATH", path.as_str()), ("GIT_CONFIG_GLOBAL", "/dev/null")];
        self.0.rehearse_with(&[&["check"], args].concat(), &[&own, environment].concat())
    }

    pub(super) fn json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let said = self.check(&[args, &["--format", "json"]].concat(), &[]);
        let value =
            serde_json::from_str(&said.out()).unwrap_or_else(|error| panic!("{error}: {}{}", said.out(), said.err()));
        (said.0.status.code(), value)
    }
}

pub(super) fn rules(check: &Value) -> Vec<(&str, &str)> {
    let findings = check["findings"].as_array().expect("findings");
    findings.iter().filter_map(|one| Some((one["rule"].as_str()?, one["severity"].as_str()?))).collect()
}

/// Holds a text to its file, or writes the file when told to.
fn hold(name: &str, seen: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/check").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, seen).expect("the golden file can be written");
        return;
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), seen, "{name} (UPDATE_GOLDEN=1 writes it anew)");
}

#[test]
fn a_bad_pull_request_fails_at_the_right_lines_and_a_good_one_passes() {
    let github = [("GITHUB_ACTIONS", "true")];
    let args = ["--git-diff", "main", "--static", "--format", "markdown=summary.md"];
    let bad = Branch::new();
    bad.write(
        "db/migrations/002_clean.sql",
        "-- migrate:up\nUPDATE codes SET label = 'B' WHERE code = 'a';\n\n  DELETE FROM page_views;\n\
         -- migrate:down\nDROP TABLE page_views;\n",
    );
    bad.commit();
    let said = bad.check(&args, &github);
    assert_eq!(said.0.status.code(), Some(1), "{}{}", said.out(), said.err());
    hold("bad.txt", &said.out());
    hold("bad.annotations", &said.err());
    hold("bad.md", &fs::read_to_string(bad.0.path().join("summary.md")).expect("the summary"));
    assert!(said.err().contains("::error file=db/migrations/002_clean.sql,line=4,endLine=4,col=3,"), "{}", said.err());
    assert!(!said.err().contains("line=6"), "what is under down is not carried out:\n{}", said.err());
    let good = Branch::new();
    good.write(
        "db/migrations/002_add.sql",
        "-- migrate:up\nSET SESSION lock_wait_timeout = 5;\nUPDATE codes SET label = 'B' WHERE code = 'a';\n",
    );
    good.commit();
    let said = good.check(&args, &github);
    assert_eq!(said.0.status.code(), Some(0), "{}{}", said.out(), said.err());
    hold("good.txt", &said.out());
    hold("good.annotations", &said.err());
    hold("good.md", &fs::read_to_string(good.0.path().join("summary.md")).expect("the summary"));
}

#[test]
fn only_what_the_branch_changed_is_judged_and_nothing_is_fine() {
    let branch = Branch::new();
    let said = branch.check(&["--git-diff", "main"], &[]);
    assert_eq!(said.0.status.code(), Some(0), "{}", said.err());
    assert_eq!(said.out(), "PASS: no migration was changed since main.\n");
    branch.write("db/migrations/002_new.sql", "-- migrate:up\nUPDATE codes SET label = 'x' WHERE code = 'a';\n");
    let (code, check) = branch.json(&["--git-diff", "main"]);
    assert_eq!(code, Some(0), "{check:#}");
    let files: Vec<_> = check["migrations"].as_array().expect("migrations").iter().map(|one| &one["file"]).collect();
    assert_eq!(files, ["db/migrations/002_new.sql"], "not committed yet, and judged");
    assert_eq!(check["migrations"][0]["framework"], "dbmate");
    let (_, all) = branch.json(&[]);
    assert_eq!(all["migrations"].as_array().map(Vec::len), Some(2), "without --git-diff all are");
}

#[test]
fn an_old_migration_that_is_edited_or_removed_is_found() {
    let branch = Branch::new();
    branch.write("db/migrations/001_first.sql", "-- migrate:up\nINSERT INTO codes VALUES ('b', 'B');\n");
    branch.commit();
    let (code, check) = branch.json(&["--git-diff", "main"]);
    assert!(rules(&check).contains(&("migration-edited", "warning")), "{check:#}");
    assert_eq!((code, &check["migrations"][0]["change"]), (Some(0), &"edited".into()));
    assert_eq!(branch.check(&["--git-diff", "main", "--fail-on", "warning"], &[]).0.status.code(), Some(1));
    branch.git(&["mv", "db/migrations/001_first.sql", "db/migrations/009_last.sql"]);
    branch.commit();
    let (_, check) = branch.json(&["--git-diff", "main"]);
    let removed = check["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "migration-removed");
    assert_eq!(removed.expect("it is found")["place"]["file"], "db/migrations/001_first.sql");
}

#[test]
fn an_old_program_that_is_removed_is_found_by_what_it_held() {
    let branch = Branch::new();
    branch.write("shop/migrations/0001_first.py", "class Migration(migrations.Migration):\n    pass\n");
    branch.write("shop/migrations/helpers.py", "def nothing():\n    pass\n");
    branch.commit();
    branch.git(&["branch", "-f", "main"]);
    branch.git(&["rm", "-q", "shop/migrations/0001_first.py", "shop/migrations/helpers.py"]);
    branch.commit();
    let (code, check) = branch.json(&["--git-diff", "main"]);
    assert_eq!((code, rules(&check)), (Some(0), vec![("migration-removed", "warning")]), "{check:#}");
    assert_eq!(check["findings"][0]["place"]["file"], "shop/migrations/0001_first.py");
}

#[test]
fn a_migration_that_is_no_sql_fails_closed_until_it_is_accepted_with_a_reason() {
    let branch = Branch::new();
    branch.write("shop/migrations/0002_views.py", "class Migration(migrations.Migration):\n    pass\n");
    branch.write("database/migrations/2026_a.php", "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\n");
    branch.write("db/migrate/2026_b.rb", "class B < ActiveRecord::Migration[8.0]\nend\n");
    branch.write("alembic/versions/ab12_c.py", "revision = 'ab12'\ndown_revision = 'cd34'\n");
    let said = branch.check(&["--git-diff", "main"], &[]);
    assert_eq!(said.0.status.code(), Some(1), "{}{}", said.out(), said.err());
    for command in [
        "python manage.py sqlmigrate shop 0002_views",
        "php artisan migrate --pretend",
        "bin/rails db:migrate",
        "alembic upgrade cd34:ab12 --sql",
    ] {
        assert!(
            said.out().split_whitespace().collect::<Vec<_>>().join(" ").contains(command),
            "{command}:\n{}",
            said.out()
        );
    }
    let accept = |until: &str| {
        let allow = format!(
            "allow: [{{rule: migration-not-sql, reason: \"their SQL is checked as a capture\", until: {until}}}]\n"
        );
        branch.write("rehearse.yaml", &format!("{CONFIGURATION}{allow}"));
        branch.check(&["--git-diff", "main"], &[]).0.status.code()
    };
    assert_eq!(accept("2199-12-31"), Some(0));
    assert_eq!(accept("2020-12-31"), Some(1), "it ran out");
}

#[test]
fn what_nobody_understands_and_what_holds_nothing_never_passes_silently() {
    let branch = Branch::new();
    branch.write("db/migrations/002_opaque.sql", "-- migrate:up\nEXECUTE something;\n");
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(code, Some(1), "{check:#}");
    assert!(rules(&check).contains(&("not-understood", "error")), "{check:#}");
    branch.write("db/migrations/002_opaque.sql", "-- migrate:down\nDROP TABLE codes;\n-- migrate:up\n");
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(code, Some(1), "{check:#}");
    assert!(rules(&check).contains(&("migration-empty", "error")), "{check:#}");
}

#[test]
fn the_folders_of_the_configuration_hold_for_what_a_branch_changed() {
    let branch = Branch::new();
    branch.write("db/migrations/002_drop.sql", "-- migrate:up\nDROP TABLE page_views;\n");
    for (configured, named) in
        [("check: {paths: [db/migrations]}\n", &[][..]), ("", &["."]), ("", &["./db"]), ("", &["db/../db"])]
    {
        branch.write("rehearse.yaml", &format!("format: rehearse/scenario@1\n{configured}"));
        let (_, check) = branch.json(&[&["--git-diff", "main", "--static"], named].concat());
        assert!(rules(&check).iter().any(|(rule, _)| *rule == "drop-table"), "{configured}{named:?}: {check:#}");
    }
    branch.write("rehearse.yaml", "format: rehearse/scenario@1\ncheck: {paths: [other]}\n");
    branch.write("other/readme.txt", "nothing");
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!((code, rules(&check).len()), (Some(0), 0), "{check:#}");
}

#[test]
fn what_matters_and_was_not_rehearsed_is_said() {
    let branch = Branch::new();
    branch.write("rehearse.yaml", "format: rehearse/scenario@1\n");
    branch.write("db/migrations/002_drop.sql", "-- migrate:up\nDROP TABLE page_views;\n");
    let (code, check) = branch.json(&["--git-diff", "main"]);
    assert!(rules(&check).contains(&("not-rehearsed", "warning")), "{check:#}");
    assert_eq!((code, check["rehearsal"].is_null()), (Some(0), true));
    // Where somebody says what production holds, a server is needed, and here is none.
    branch.write("rehearse.yaml", CONFIGURATION);
    let said = branch.check(&["--git-diff", "main", "--server", "mysql:5.1"], &[]);
    assert_eq!(said.0.status.code(), Some(3), "{}{}", said.out(), said.err());
    assert!(said.err().contains("could not be rehearsed"), "{}", said.err());
    let (_, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert!(rules(&check).contains(&("not-rehearsed", "info")), "whoever asks for the text alone knows it");
}

#[test]
fn a_section_of_an_environment_is_laid_over_the_rest() {
    let branch = Branch::new();
    branch.write("db/migrations/002_clean.sql", "-- migrate:up\nDELETE FROM page_views;\n");
    let lenient = format!("{CONFIGURATION}environments: {{dev: {{severity: {{delete-all-rows: warning}}}}}}\n");
    branch.write("rehearse.yaml", &lenient);
    let code = |args: &[&str], environment: &[(&str, &str)]| {
        branch.check(&[&["--git-diff", "main", "--static"], args].concat(), environment).0.status.code()
    };
    assert_eq!(code(&[], &[]), Some(1));
    assert_eq!(code(&["--environment", "dev"], &[]), Some(0));
    assert_eq!(code(&[], &[("REHEARSE_ENVIRONMENT", "dev")]), Some(0));
    branch.check(&["--environment", "devv"], &[]).refuses(&["no environment 'devv'", "hint: Did you mean dev?"]);
    branch.write(
        "rehearse.yaml",
        &format!("{CONFIGURATION}environments: {{dev: {{severity: {{delete-al-rows: info}}}}}}\n"),
    );
    branch.check(&["--environment", "dev"], &[]).refuses(&["severity", "delete-al-rows", "delete-all-rows?"]);
}

#[test]
fn what_cannot_be_compared_is_unusable_input() {
    let branch = Branch::new();
    branch.check(&["--git-diff", "origin/main"], &[]).refuses(&["origin/main", "hint: In CI fetch the whole history"]);
    branch.check(&["--git-diff", "--all"], &[]).refuses(&["--git-diff"]);
    branch.check(&["--format", "html=x.html"], &[]).refuses(&["no page", "report.html"]);
    branch.check(&["nowhere"], &[]).refuses(&["nowhere"]);
    fs::remove_dir_all(branch.0.path().join(".git")).expect("the repository");
    branch.check(&["--git-diff", "main"], &[]).refuses(&["git"]);
    fs::remove_dir_all(branch.0.path().join("db")).expect("the migrations");
    branch.check(&[], &[]).refuses(&["no migration was found", "check.paths"]);
}

#[test]
fn files_are_found_from_wherever_one_stands() {
    let branch = Branch::new();
    branch.write("db/migrations/002_clean.sql", "-- migrate:up\nDELETE FROM page_views;\n");
    branch.commit();
    let mut inside = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    inside
        .args(["check", "--git-diff", "main", "--static", "--format", "github"])
        .current_dir(branch.0.path().join("db"));
    inside.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let said = Said(inside.output().expect("the binary starts"));
    assert_eq!(said.0.status.code(), Some(1), "{}", said.err());
    assert!(said.out().contains("::error file=db/migrations/002_clean.sql,line=2,"), "{}", said.out());
}

#[test]
fn the_manual_has_a_page_for_each_rule_and_each_command() {
    let desk = Desk::new();
    desk.rehearse(&["explain", "--all", "--out", "rules"]).is_fine(&[]);
    let read =
        |name: &str| fs::read_to_string(desk.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(read("rules/delete-all-rows.md").starts_with("# delete-all-rows\n"));
    assert!(read("rules/migration-edited.md").contains("**Instead.**"));
    assert!(desk.rehearse(&["explain", "measuring"]).out() == read("rules/measuring.md"), "the same page");
    let index = read("rules/README.md");
    let pages = fs::read_dir(desk.path().join("rules")).expect("a folder").count();
    assert_eq!(index.matches("](").count(), pages - 1, "the index names every page");
    desk.rehearse(&["man", "man"]).is_fine(&[]);
    assert!(read("man/rehearse.1").contains("rehearse\\-check(1)"));
    assert!(read("man/rehearse-check.1").contains("\\-\\-git\\-diff"));
}

#[test]
fn sql_in_no_layout_that_is_known_does_not_pass() {
    let desk = Branch(Desk::new());
    fs::remove_file(desk.0.path().join("scenario.yaml")).expect("it was there");
    desk.git(&["init", "-q", "-b", "main"]);
    desk.git(&["config", "user.email", "a@example.org"]);
    desk.git(&["config", "user.name", "A"]);
    desk.commit();
    desk.git(&["checkout", "-q", "-b", "work"]);
    desk.write("db/updates/042.sql", "DROP TABLE orders;\n");
    desk.commit();
    let said = desk.check(&["--static", "--git-diff", "main"], &[]);
    assert_eq!(said.0.status.code(), Some(2), "{}{}", said.out(), said.err());
    assert!(
        said.err().contains("db/updates/042.sql was changed") && said.err().contains("check.paths"),
        "{}{}",
        said.out(),
        said.err()
    );
    let said = desk.check(&["--static", "--git-diff", "main", "db/updates"], &[]);
    assert!(said.out().contains("drop-table"), "{}{}", said.out(), said.err());
    desk.write("db/migrations/001_first.sql", "CREATE TABLE codes (code char(2) NOT NULL PRIMARY KEY);\n");
    desk.commit();
    let said = desk.check(&["--static", "--git-diff", "main"], &[]);
    assert!(
        said.out().contains("db/updates/042.sql was changed, and not taken for a migration"),
        "{}{}",
        said.out(),
        said.err()
    );
}
