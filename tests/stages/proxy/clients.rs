//! Real clients: what they print of a server is the same with the proxy and without, with TLS and without.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use mysql_rehearsal::capture::proxy::Accept;

use super::{Behind, Named, PASSWORD, Servers, USER};

pub(super) const TRIALS: &[Named] = &[
    ("stock_clients_log_in_with_tls_and_without", stock),
    ("php_sees_the_same_through_it", php),
    ("python_sees_the_same_through_it", python),
    ("perl_sees_the_same_through_it", perl),
];

fn only() -> Accept {
    Accept::Only { user: USER.to_owned(), password: PASSWORD.to_owned() }
}

fn output(command: &mut Command) -> Result<String, Failed> {
    let ran =
        command.output().map_err(|error| format!("{command:?}: {error}; fixtures/clients/get gets the clients"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !ran.status.success() {
        return Err(format!("{command:?} failed: {}{}", text(&ran.stderr), text(&ran.stdout)).into());
    }
    Ok(text(&ran.stdout))
}

/// MariaDB's client of this machine and MySQL's of its image, each way of asking for TLS.
fn stock(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let behind = Behind::start(servers, vendor, only())?;
    let (port, password) = (format!("-P{}", behind.port()?), format!("-p{PASSWORD}"));
    let shared = ["-h127.0.0.1", &port, "-uapp", &password, "-e", "SELECT 'served' AS it; \\s"];
    let mariadb = |ways: &[&str]| output(Command::new("mariadb").arg("--no-defaults").args(ways).args(shared));
    let mysql = |ways: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args([
            "run",
            "--rm",
            "--network",
            "host",
            "--entrypoint",
            "mysql",
            "rehearse/mysql:9.7",
            "--no-defaults",
            "--commands",
        ]);
        output(docker.args(ways).args(shared))
    };
    for (seen, encrypted) in [
        (mariadb(&["--ssl"])?, true),
        (mariadb(&["--skip-ssl"])?, false),
        (mariadb(&["--ssl", "--compress"])?, true),
        (mysql(&["--ssl-mode=REQUIRED"])?, true),
        (mysql(&["--ssl-mode=DISABLED", "--compression-algorithms=zlib,uncompressed"])?, false),
        (mysql(&["--ssl-mode=PREFERRED"])?, true),
    ] {
        assert!(seen.contains("served"), "{seen}");
        assert_eq!(seen.contains("Cipher in use"), encrypted, "{seen}");
    }
    behind.wait_until_quiet()?;
    let told = behind.heard().iter().filter(|heard| heard.text == b"SELECT 'served' AS it").count();
    assert_eq!((told, behind.proxy.sessions().served), (6, 6));
    Ok(())
}

/// Runs a client's program directly, then through the proxy with TLS off and on; all print the same. What was told gives
/// the same rows again.
fn same(servers: &Servers, vendor: &str, program: &[&str], ways: &[(&str, &[&str])]) -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clients");
    for (way, modes) in ways {
        let behind = Behind::start(servers, vendor, only())?;
        let run = |host: &str, port: &str, socket: &str, tls: &str| {
            let mut command = Command::new(program[0]);
            command.current_dir(&folder).args(&program[1..]).args([way, host, port, socket, &behind.database, tls]);
            output(&mut command)
        };
        let drop_table = || -> Result<(), Failed> {
            use mysql::prelude::Queryable;
            Ok(behind.direct()?.query_drop("DROP TABLE typed")?)
        };
        let direct = run("localhost", "0", &behind.socket(), "off")?;
        assert!(direct.lines().count() > 3, "{direct}");
        for tls in *modes {
            drop_table()?;
            behind.wait_until_quiet()?;
            behind.tape.0.lock().map_err(|_| "the tape broke")?.clear();
            let through = run("127.0.0.1", &behind.port()?.to_string(), "", tls)?;
            assert_eq!(through, direct, "{way} with TLS {tls}");
        }
        behind.replay()?;
    }
    Ok(())
}

fn php(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let ways: &[(&str, &[&str])] = &[("mysqli", &["off", "on"]), ("pdo", &["off", "on"]), ("pdo-native", &["on"])];
    same(servers, vendor, &["php", "-d", "mysqli.allow_local_infile=On", "php.php"], ways)
}

fn python(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let ways: &[(&str, &[&str])] = &[("mysqlclient", &["off", "on"]), ("pymysql", &["off", "on"])];
    same(servers, vendor, &["/usr/bin/python3", "python.py"], ways)
}

fn perl(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let ways: &[(&str, &[&str])] = &[("mysql", &["off"]), ("mysql-prepared", &["auto"]), ("mariadb", &["auto"])];
    same(servers, vendor, &["perl", "perl.pl"], ways)
}
