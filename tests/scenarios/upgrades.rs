//! Upgrades of published applications, from an old version to a new one, captured as they run. The capture, run by the
//! stock client on a copy of what was there before, leaves what the upgrade itself left: every definition with its next
//! number, every row, nothing left out. All of them compute their times and random values themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::client::{Call, Program};
use mysql_rehearsal::sandbox::{Kind, Request, Sandbox};
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;

use super::desk::{Desk, MARIADB, MYSQL, On};

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("upgrades::the_capture_of_wagtails_migrations_replays_on_mysql", || wagtail(MYSQL)),
        Trial::test("upgrades::the_capture_of_optunas_migrations_replays_on_mysql", || optuna(MYSQL)),
        Trial::test("upgrades::the_capture_of_wordpress_first_load_replays_on_mariadb", || wordpress(MARIADB)),
    ]
}

/// What `fixtures/upgrades/get` gets.
fn got(name: &str) -> Result<String, Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/upgrades").join(name);
    if !path.exists() {
        return Err(format!("{name} is not here: run fixtures/upgrades/get").into());
    }
    Ok(path.display().to_string())
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/upgrades").join(name).display().to_string()
}

/// Django's migrations, those with programs in Python among them.
fn wagtail(on: On) -> Result<(), Failed> {
    let mut place = Place::start(on)?;
    let python = got("python/bin/python")?;
    let settings = ["env".to_owned(), format!("PYTHONPATH={}", fixture("wagtail"))];
    let settings = [&settings[0], &settings[1], "PYTHONDONTWRITEBYTECODE=1", "DJANGO_SETTINGS_MODULE=settings"];
    place.proved("old", &[], &[&settings[..], &[&python, &fixture("wagtail/old.py")]].concat())?;
    let migrate = [&settings[..], &[&python, "-m", "django", "migrate"]].concat();
    let capture = place.proved("new", &[], &migrate)?;
    for (part, least) in [("ALTER TABLE", 100), ("UPDATE ", 20), ("INSERT INTO `django_migrations`", 90)] {
        let found = capture.lines().filter(|line| line.starts_with(part)).count();
        assert!(found >= least, "{found} of {part}");
    }
    Ok(())
}

/// Alembic's migrations, behind the application's own command.
fn optuna(on: On) -> Result<(), Failed> {
    let mut place = Place::start(on)?;
    let url = "mysql+pymysql://{user}:{password}@{host}:{port}/{database}?charset=utf8mb4";
    place.proved("old", &[], &[&got("python/bin/python")?, &fixture("optuna/old.py"), url])?;
    let capture = place.proved("new", &[], &[&got("python/bin/optuna")?, "storage", "upgrade", "--storage", url])?;
    for part in ["ALTER TABLE trials DROP COLUMN", "CREATE TABLE study_directions", "UPDATE trial_params SET"] {
        assert!(capture.contains(part), "{part} in:\n{capture}");
    }
    Ok(())
}

/// The newer release finds the older one's tables when its page is loaded.
fn wordpress(on: On) -> Result<(), Failed> {
    let mut place = Place::start(on)?;
    let template = |release: &str| -> Result<(String, String), Failed> {
        let tree = got(&format!("wordpress-{release}/usr/share/wordpress"))?;
        Ok((format!("{}:{tree}/wp-config.php", fixture("wordpress/wp-config.php")), tree))
    };
    let (configuration, tree) = template("bookworm")?;
    place.proved("old", &["--template", &configuration], &["php", &fixture("wordpress/old.php"), &tree])?;
    let (configuration, tree) = template("sid")?;
    let page = "http://localhost:8080/wp-admin/upgrade.php?step=1";
    let options = ["--template", &configuration, "--serve", "--visit", page, "--until-idle", "2s"];
    let capture = place.proved("new", &options, &["php", "-S", "localhost:8080", "-t", &tree])?;
    for part in
        ["ALTER TABLE wp_posts ADD KEY", "UPDATE `wp_options` SET `option_value` = '6", "https://rpc.pingomatic.com"]
    {
        assert!(capture.contains(part), "{part} in:\n{capture}");
    }
    Ok(())
}

/// A server that may be broken, one after the other the upgrade's and the replay's.
struct Place {
    on: On,
    desk: Desk,
    server: Sandbox,
    dsn: String,
    _cache: tempfile::TempDir,
}

/// What is there before the first step, and after each.
const STATE: &str = "state.sql";

impl Place {
    fn start((flavor, kind): On) -> Result<Self, Failed> {
        let cache = tempfile::Builder::new().prefix("rehearse-cache-").tempdir()?;
        let request = Request {
            flavor: Some(flavor.parse()?),
            kind: if kind == "process" { Kind::Process } else { Kind::Container },
            image: None,
            settings: BTreeMap::new(),
            cache: Some(cache.path().to_owned()),
            key: "upgrades".to_owned(),
            keep_cache: false,
        };
        let server = Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)
            .map_err(|error| format!("{error:#}\nThe trials need {flavor}: fixtures/servers/get"))?;
        let Endpoint::Socket(socket) = &server.instance().address().endpoint else {
            return Err("a server without a socket".into());
        };
        let dsn = format!("mysql://root@localhost/?socket={}", socket.display());
        server.instance().writer(Role::Keeper)?.execute(
            "CREATE DATABASE rehearse_disposable; CREATE TABLE rehearse_disposable.nonce (nonce VARCHAR(64)); \
             INSERT INTO rehearse_disposable.nonce VALUES (UUID())",
        )?;
        let desk = Desk::new("")?;
        fs::write(
            desk.path().join(STATE),
            "CREATE DATABASE IF NOT EXISTS `app` DEFAULT CHARACTER SET utf8mb4;\nUSE `app`;\n",
        )?;
        Ok(Self { on: (flavor, kind), desk, server, dsn, _cache: cache })
    }

    /// Captures a command that takes the state one step further, and holds the replay of the capture to what the command
    /// left. The next step begins there. The capture's text.
    fn proved(&mut self, name: &str, options: &[&str], command: &[&str]) -> Result<String, Failed> {
        let file = format!("{name}.sql");
        self.clear()?;
        let place = ["capture", "--server", self.on.0, "--sandbox", &self.dsn, "--database", "app", "--scale", "1"];
        let state = ["--schema", STATE, "--data", STATE, "-o", &file];
        let said = self.desk.rehearse(&[&place, &state[..], options, &["--"], command].concat())?;
        said.exits(0)?;
        let left = self.dump()?;
        self.clear()?;
        self.client(&self.desk.path().join(STATE))?;
        self.client(&self.desk.path().join(&file))?;
        let again = self.dump()?;
        if left != again {
            let mut differing = left.lines().zip(again.lines()).filter(|(one, other)| one != other);
            return Err(format!("the replay of {name} differs: {:#?}", differing.next()).into());
        }
        fs::write(self.desk.path().join(STATE), left)?;
        Ok(fs::read_to_string(self.desk.path().join(file))?)
    }

    fn clear(&self) -> Result<(), Failed> {
        self.server.instance().writer(Role::Keeper)?.execute("DROP DATABASE IF EXISTS app")?;
        Ok(())
    }

    /// Runs a file with the vendor's own client, as a person does.
    fn client(&mut self, file: &Path) -> Result<(), Failed> {
        fs::copy(file, self.at("in.sql")?)?;
        self.call(Program::Client, &[], Some("in.sql"), None)
    }

    /// All definitions and rows, by the vendor's own program.
    fn dump(&mut self) -> Result<String, Failed> {
        let mut arguments = vec!["--databases", "app", "--order-by-primary", "--skip-extended-insert", "--hex-blob"];
        arguments.extend(["--skip-dump-date", "--routines", "--events", "--triggers"]);
        arguments.extend((!self.server.facts().flavor.is_mariadb()).then_some("--set-gtid-purged=OFF"));
        self.call(Program::Dump, &arguments, None, Some("out.sql"))?;
        let text = fs::read_to_string(self.at("out.sql")?)?;
        assert!(text.matches("CREATE TABLE").count() > 5 && text.contains("INSERT INTO"), "nothing to compare: {text}");
        Ok(text)
    }

    fn at(&mut self, name: &str) -> Result<PathBuf, Failed> {
        Ok(self.server.desk().map_err(|error| format!("{error:#}"))?.join(name))
    }

    fn call(
        &mut self,
        program: Program,
        arguments: &[&str],
        input: Option<&str>,
        output: Option<&str>,
    ) -> Result<(), Failed> {
        let call = Call {
            program,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            input: input.map(str::to_owned),
            output: output.map(str::to_owned),
        };
        let ended = self.server.call(&call, &Silent).map_err(|error| format!("{error:#}"))?;
        let ended = ended.ok_or("no stock client or dump program: fixtures/servers/get gets them with the server")?;
        if ended.code != 0 {
            return Err(format!("{arguments:?} ended with {}: {}", ended.code, ended.errors).into());
        }
        Ok(())
    }
}
