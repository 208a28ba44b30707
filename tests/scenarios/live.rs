//! Upgrade commands: run where only the sandbox answers, captured, and rehearsed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use super::desk::{Desk, MARIADB, MYSQL, On, Said, signal};

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("live::a_command_finds_the_sandbox_by_its_variables_on_mysql", || variables(MYSQL)),
        Trial::test("live::every_way_to_the_server_leads_to_the_sandbox_on_mariadb", || ways(MARIADB)),
        Trial::test("live::what_else_a_command_tries_is_refused_and_listed_on_mariadb", || elsewhere(MARIADB)),
        Trial::test("live::a_server_is_visited_and_ended_on_mariadb", || served(MARIADB)),
        Trial::test("live::a_command_is_stopped_with_us_on_mariadb", || interrupted(MARIADB)),
        Trial::test("live::a_command_is_rehearsed_on_mariadb", || rehearsed(MARIADB)),
    ]
}

impl Desk {
    /// `rehearse capture` of a shell's script, against the small schema with twenty rows.
    fn capture(&self, (flavor, kind): On, options: &[&str], script: &str) -> Result<Said, Failed> {
        let place = ["capture", "--server", flavor, "--sandbox", kind, "--schema", "schema.sql", "--rows", "app.t=20"];
        let said = self.rehearse(&[&place, options, &["--", "sh", "-c", script]].concat())?;
        if said.code() == Some(3) && said.err().contains("cannot start") {
            return Err(format!("{}\nThe trials need {flavor}: fixtures/servers/get {flavor}", said.err()).into());
        }
        Ok(said)
    }

    /// The statements of the capture, without its comments.
    fn captured(&self) -> Result<String, Failed> {
        let text = fs::read_to_string(self.path().join("upgrade.sql"))?;
        Ok(text.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect::<Vec<_>>().join("\n"))
    }
}

fn variables(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    let script = "mariadb --no-defaults --skip-ssl -u\"$DB_USERNAME\" \"$DB_DATABASE\" -e 'UPDATE t SET n = n + 1 WHERE id = 1; \
                  ALTER TABLE t ADD extra int'; echo done by $1; exit 7";
    let said = desk.capture(on, &[], &format!("set -- {{user}}; {script}"))?;
    // The command's own exit code, and what it said.
    said.exits(7)?;
    assert_eq!(said.out(), "done by root\n", "{}", said.err());
    let captured = desk.captured()?;
    assert!(captured.contains("UPDATE t SET n = n + 1 WHERE id = 1;"), "{captured}");
    assert!(captured.contains("ALTER TABLE t ADD extra int;"), "{captured}");
    assert!(said.err().contains("exit code 7") && said.err().contains("1 session reached"), "{}", said.err());
    desk.holds_nothing_of(said.pid())
}

fn ways(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    fs::write(
        desk.path().join("my.cnf.dist"),
        "[client]\nhost={host}\nport={port}\nuser={user}\npassword={password}\n",
    )?;
    fs::write(
        desk.path().join("prod.cnf"),
        "[client]\nhost=db.internal\nport=3307\nuser=shop\npassword=secret\nskip-ssl\n",
    )?;
    // A server of this machine: its socket is in the way, and must not answer.
    let production = desk.path().join("mysql-production.sock");
    let listener = UnixListener::bind(&production)?;
    listener.set_nonblocking(true)?;
    let script = format!(
        "set -e; unset MYSQL_UNIX_PORT MYSQL_HOST MYSQL_TCP_PORT; \
         mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -e \"INSERT INTO app.t (n, s) VALUES (1, 'usual')\"; \
         mariadb --no-defaults --socket={} -e \"INSERT INTO app.t (n, s) VALUES (1, 'closed')\"; \
         mariadb --no-defaults --socket={{socket}} -e \"INSERT INTO app.t (n, s) VALUES (1, 'own')\"; \
         mariadb --no-defaults --socket=/run/shop/db.sock -e \"INSERT INTO app.t (n, s) VALUES (1, 'named')\"; \
         mariadb --defaults-file=my.cnf --skip-ssl -e \"INSERT INTO app.t (n, s) VALUES (1, 'template')\"; \
         mariadb --defaults-file=prod.cnf -e \"INSERT INTO app.t (n, s) VALUES (1, 'name')\"; \
         mariadb --no-defaults --skip-ssl -h 10.99.0.7 -e \"INSERT INTO app.t (n, s) VALUES (1, 'address')\"",
        production.display()
    );
    let options = ["--host-name", "db.internal:3307", "--host-name", "10.99.0.7", "--socket", "/run/shop/db.sock"];
    let said = desk.capture(on, &[&options[..], &["--template", "my.cnf.dist:my.cnf"]].concat(), &script)?;
    said.exits(0)?;
    let captured = desk.captured()?;
    for way in ["usual", "closed", "own", "named", "template", "name", "address"] {
        assert!(captured.contains(&format!("VALUES (1, '{way}')")), "{way} in:\n{captured}");
    }
    assert!(listener.accept().is_err(), "the other server was reached");
    assert!(!said.err().contains("also tried"), "{}", said.err());
    assert!(!desk.path().join("my.cnf").exists(), "the copy of the template is left behind");
    assert!(fs::read_to_string(desk.path().join("my.cnf.dist"))?.contains("host={host}"));
    Ok(())
}

fn elsewhere(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    // This machine's own network has a listener; the command's has none.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let client = "mariadb --no-defaults --connect-timeout=2";
    let script = format!(
        "{client} -h db.other -e 'DROP TABLE t'; {client} -h 192.0.2.7 -P 3310 -e 1; {client} -h 127.0.0.1 -P {port} -e 1"
    );
    let never = desk.capture(on, &[], &script)?;
    never.exits(3)?;
    for words in
        ["no session of sh reached", "db.other:3306", "192.0.2.7:3310", &format!("localhost:{port}"), "--host-name"]
    {
        assert!(never.err().contains(words), "{words} in:\n{}", never.err());
    }
    assert!(listener.accept().is_err(), "this machine was reached");
    let both = desk.capture(
        on,
        &["--host-name", "db.other"],
        &format!("{client} --skip-ssl -h db.other app -e 'DELETE FROM t'; {client} -h two.example -e 1"),
    )?;
    both.exits(1)?;
    assert!(both.err().contains("two.example:3306") && !both.err().contains("db.other:3306"), "{}", both.err());
    assert!(desk.captured()?.contains("DELETE FROM t;"));
    let absent = desk.rehearse(&[
        "capture",
        "--server",
        on.0,
        "--sandbox",
        on.1,
        "--schema",
        "schema.sql",
        "--",
        "no-such-command",
    ])?;
    absent.exits(2)?;
    assert!(absent.err().contains("the command cannot be started"), "{}", absent.err());
    desk.rehearse(&["capture", "--schema", "schema.sql", "--", "docker", "exec", "app", "migrate"])?.exits(2)
}

/// A web server of a few lines: its first answer upgrades the schema.
const SERVER: &str = "
import http.server, subprocess
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        alter = ['mariadb', '--no-defaults', '--skip-ssl', 'app', '-e', 'ALTER TABLE t ADD first_load int']
        done = subprocess.run(alter)
        self.send_response(200 if done.returncode == 0 else 500)
        self.end_headers()
        self.wfile.write(b'upgraded')
http.server.HTTPServer(('', 8080), Page).serve_forever()
";

fn served(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    fs::write(desk.path().join("server.py"), SERVER)?;
    // It listens late, and leaves a process of another group behind.
    let script = "setsid sleep 600 & sleep 0.5; exec python3 server.py";
    let options = ["--serve", "--visit", "http://shop.example:8080/upgrade", "--until-idle", "300ms"];
    let said = desk.capture(on, &options, script)?;
    said.exits(0)?;
    assert!(said.err().contains("visited http://shop.example:8080/upgrade: 200, 8 bytes"), "{}", said.err());
    assert!(desk.captured()?.contains("ALTER TABLE t ADD first_load int;"));
    desk.holds_nothing_of(said.pid())?;
    // A page that is an error is one.
    let script = "exec python3 server.py";
    fs::write(desk.path().join("server.py"), SERVER.replace("ADD first_load", "ADD"))?;
    desk.capture(on, &options, script)?.exits(1)
}

fn interrupted(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    let script = "trap 'echo stopped; exit 9' INT; mariadb --no-defaults --skip-ssl app -e 'UPDATE t SET n = 5'; touch began; \
                  while :; do sleep 0.1; done";
    let place = ["capture", "--server", on.0, "--sandbox", on.1, "--schema", "schema.sql", "--", "sh", "-c", script];
    let mut child = desk.command(&place).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let began = Instant::now();
    while !desk.path().join("began").exists() {
        if let Some(status) = child.try_wait()? {
            return Err(format!("it ended before its command began: {status}: {}", Said::of(child)?.err()).into());
        }
        if began.elapsed() > Duration::from_secs(120) {
            return Err("no command within two minutes".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id();
    signal(pid, Signal::INT)?;
    let said = Said::of(child)?;
    said.exits(130)?;
    assert_eq!(said.out(), "stopped\n", "{}", said.err());
    assert!(desk.captured()?.contains("UPDATE t SET n = 5;"));
    desk.holds_nothing_of(pid)
}

fn rehearsed(on: On) -> Result<(), Failed> {
    let desk = Desk::new("")?;
    let script = "client='mariadb --no-defaults --skip-ssl app'; $client -e 'ALTER TABLE t ADD extra int'; \
                  for id in $($client -N -e 'SELECT id FROM t WHERE id <= 3'); do $client -e \"UPDATE t SET extra = id WHERE id = $id\"; done";
    let options = ["--schema", "schema.sql", "--rows", "app.t=5000", "--", "sh", "-c", script];
    let said = desk.run(on, &options)?;
    said.exits(0)?;
    let report = desk.report()?;
    let texts: Vec<&str> =
        report["statements"].as_array().into_iter().flatten().filter_map(|one| one["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("ALTER TABLE t ADD extra int")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("SET extra = id WHERE id = 1")), "{texts:?}");
    assert_eq!(report["tables"][0]["rows_before"], 5000);
    assert!(report["tables"][0]["schema_diff"].to_string().contains("extra"), "the sandbox was not put back before");
    let unchecked = report["unchecked"].to_string();
    assert!(unchecked.contains("the command itself ran once"), "{unchecked}");
    Ok(())
}
