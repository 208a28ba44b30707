//! Migrations that are programs, whose SQL a command of `rehearse.yaml` prints: a real Alembic, and shells that print what
//! other frameworks do. No server is needed.

use std::path::PathBuf;

use serde_json::Value;

use super::check::{Branch, rules};
use super::*;

const HEAD: &str = "format: rehearse/scenario@1\nserver: {flavor: mysql:8.4}\n\
                    production: {schema: schema.sql, rows: {page_views: 9M, codes: 200}}\n";

/// A branch on which a migration of Django waits, and a command that prints `says` of it.
fn django(command: &str) -> Branch {
    let branch = Branch::new();
    branch.write("rehearse.yaml", &format!("{HEAD}check: {{print: {{django: {command}}}}}\n"));
    branch.commit();
    branch.git(&["branch", "-f", "main"]);
    branch.write("shop/migrations/0002_views.py", "class Migration(migrations.Migration):\n    pass\n");
    branch
}

fn messages(check: &Value) -> String {
    let findings = check["findings"].as_array().expect("findings");
    findings.iter().filter_map(|one| one["message"].as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_command_prints_is_judged_and_found_at_the_migration() {
    let branch =
        django(r#"[sh, -c, 'echo "-- $1 $2"; echo; echo "DELETE FROM page_views;"', sh, "{app}", "{name} {path}"]"#);
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(code, Some(0), "{check:#}");
    let deletes = check["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "delete-all-rows");
    let deletes = deletes.unwrap_or_else(|| panic!("{check:#}"));
    assert_eq!(deletes["place"]["file"], "shop/migrations/0002_views.py");
    let message = deletes["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("(line 3 of the SQL that it prints, rehearsal.printed/shop.migrations.0002_views.py.sql)"),
        "{message}"
    );
    let line = &check["migrations"][0];
    assert_eq!(
        (&line["framework"], &line["statements"], &line["judged"]),
        (&"django".into(), &1.into(), &"by_text".into())
    );
    let printed = branch.0.path().join(line["printed"].as_str().expect("where"));
    let text = fs::read_to_string(printed).expect("it is kept");
    assert!(text.starts_with("-- shop 0002_views shop/migrations/0002_views.py\n"), "{text}");
    // What was printed is no migration of the branch.
    let (_, again) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(again["migrations"].as_array().map(Vec::len), Some(1), "{again:#}");
    let said = branch.check(&["--git-diff", "main", "--static", "--fail-on", "warning"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(said.0.status.code(), Some(1), "{}", said.out());
    assert!(said.err().contains("file=shop/migrations/0002_views.py,line=1,"), "{}", said.err());
    assert!(said.out().contains("by the SQL that it prints, rehearsal.printed/"), "{}", said.out());
}

#[test]
fn what_a_command_does_not_print_fails_closed() {
    for (command, why) in [
        ("[sh, -c, 'echo no database >&2; exit 3']", "exit status: 3: no database"),
        ("[no-such-program]", "it cannot be run"),
        ("[echo, '{from}']", "{from} says nothing of it"),
        ("[]", "it is empty"),
        (
            "[sh, -c, 'echo \"-- THIS OPERATION CANNOT BE WRITTEN AS SQL\"; echo \"SELECT 1;\"']",
            "an operation of it is no SQL",
        ),
        (
            "[sh, -c, 'echo \"  2026_01_01_000000_a ....\"; echo \"  \u{21c2} update codes set label = ? where 1 = 0\"']",
            "did not print (?)",
        ),
    ] {
        let branch = django(command);
        let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
        assert_eq!(code, Some(1), "{command}: {check:#}");
        assert!(rules(&check).contains(&("migration-not-sql", "error")), "{command}: {check:#}");
        assert!(messages(&check).contains(why), "{command}: {}", messages(&check));
    }
    // It prints nothing: the file holds no statement.
    let branch = django("[true]");
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!((code, rules(&check)), (Some(1), vec![("migration-empty", "error")]), "{check:#}");
}

#[test]
fn laravels_lines_become_sql() {
    let lines = "  2026_01_01_000000_a ............\n  \u{21c2} alter table `codes` add `n` int null\n  \u{21c2} delete from page_views\n";
    let branch = django("[cat, pretended]");
    branch.write("pretended", lines);
    let (_, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(check["migrations"][0]["statements"], 2, "{check:#}");
    assert!(rules(&check).iter().any(|(rule, _)| *rule == "delete-all-rows"), "{check:#}");
}

#[test]
fn a_folder_may_hold_migrations_of_a_tool_that_nobody_knows() {
    let branch = Branch::new();
    branch.write("knex/1_first.js", "first\n");
    branch.write("rehearse.yaml", &format!("{HEAD}check: {{print: {{knex: [cat, '{{path}}']}}}}\n"));
    branch.commit();
    branch.git(&["branch", "-f", "main"]);
    branch.write("knex/2_second.js", "TRUNCATE page_views;\n");
    let (_, check) = branch.json(&["--git-diff", "main", "--static"]);
    let line = &check["migrations"][0];
    assert_eq!((&line["file"], &line["framework"]), (&"knex/2_second.js".into(), &"own".into()), "{check:#}");
    assert_eq!(line["statements"], 1, "{check:#}");
    let (_, all) = branch.json(&["--static", "knex"]);
    assert_eq!(all["migrations"].as_array().map(Vec::len), Some(2), "without --git-diff all are: {all:#}");
    branch.write("rehearse.yaml", &format!("{HEAD}check: {{print: {{djnago: [true]}}}}\n"));
    branch.check(&["--git-diff", "main"], &[]).refuses(&["check.print", "djnago", "hint: Did you mean django?"]);
    branch.write("rehearse.yaml", &format!("{HEAD}check: {{print: {{django: python manage.py}}}}\n"));
    branch.check(&["--git-diff", "main"], &[]).refuses(&["check.print", "sequence"]);
}

#[test]
fn alembics_migrations_are_printed_in_their_order_and_judged() {
    let alembic = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/bin/alembic");
    assert!(alembic.exists(), "Alembic is not here: run fixtures/ci/get");
    let branch = Branch::new();
    let command = format!("[{}, upgrade, '{{from}}:{{to}}', --sql]", alembic.display());
    branch.write("rehearse.yaml", &format!("{HEAD}check: {{print: {{alembic: {command}}}}}\n"));
    branch.write("alembic.ini", "[alembic]\nscript_location = alembic\nsqlalchemy.url = mysql://nobody@nowhere/app\n");
    branch.write(
        "alembic/env.py",
        "from alembic import context\n\
         context.configure(url=context.config.get_main_option('sqlalchemy.url'), literal_binds=True)\n\
         with context.begin_transaction():\n    context.run_migrations()\n",
    );
    let migration = |to: &str, from: &str, body: &str| {
        let text = format!(
            "\"\"\"A migration.\"\"\"\nfrom alembic import op\nimport sqlalchemy as sa\n\nrevision: str = '{to}'\n\
             down_revision = {from}\n\ndef upgrade():\n    {body}\n"
        );
        branch.write(&format!("alembic/versions/{to}_it.py"), &text);
    };
    migration("ff01", "None", "op.execute('SELECT 1')");
    branch.commit();
    branch.git(&["branch", "-f", "main"]);
    // The file's name of the later one comes first.
    migration("cc03", "'dd02'", "op.execute('DELETE FROM page_views')");
    migration("dd02", "'ff01'", "op.add_column('page_views', sa.Column('seen', sa.Integer(), nullable=True))");
    let (code, check) = branch.json(&["--git-diff", "main", "--static"]);
    assert_eq!(code, Some(0), "{check:#}");
    let files: Vec<_> = check["migrations"].as_array().expect("migrations").iter().map(|one| &one["file"]).collect();
    assert_eq!(files, ["alembic/versions/dd02_it.py", "alembic/versions/cc03_it.py"], "{check:#}");
    let text = |file: &str| {
        let path: PathBuf =
            branch.0.path().join("rehearsal.printed").join(format!("alembic.versions.{file}_it.py.sql"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    assert!(text("dd02").contains("ALTER TABLE page_views ADD COLUMN seen INTEGER"), "{}", text("dd02"));
    assert!(text("cc03").contains("UPDATE alembic_version SET version_num='cc03'"), "{}", text("cc03"));
    let deletes = check["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "delete-all-rows");
    assert_eq!(deletes.unwrap_or_else(|| panic!("{check:#}"))["place"]["file"], "alembic/versions/cc03_it.py");
}
