//! Connections to a server over TCP, encrypted as the address asks. The shared servers listen on sockets alone: a relay on the
//! loopback leads to them, and what is encrypted is so from end to end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::address::{Address, Endpoint};
use mysql_rehearsal::server::fault::Fault;
use mysql_rehearsal::server::role::{Role, Roster};
use mysql_rehearsal::server::session::ReadOnly;

use super::servers::Servers;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let (mysql, mariadb) = (Arc::clone(servers), Arc::clone(servers));
    vec![
        Trial::test("encrypted::as_the_address_asks_on_mysql", move || offered(&mysql.mysql()?)),
        Trial::test("encrypted::as_the_address_asks_on_mariadb", move || not_offered(&mariadb.mariadb()?)),
    ]
}

/// A server that makes certificates of its own at its first start, as MySQL does.
fn offered(instance: &Instance) -> Result<(), Failed> {
    let mut keeper = instance.writer(Role::Keeper)?;
    for sql in [
        "CREATE USER IF NOT EXISTS encrypted@'%' IDENTIFIED BY 'p@ss' REQUIRE SSL",
        "CREATE USER IF NOT EXISTS plain@'%' IDENTIFIED BY 'p@ss'",
    ] {
        keeper.execute(sql)?;
    }
    let to = relay(instance)?;
    let own = tempfile::tempdir()?;
    let ca = own.path().join("ca.der");
    std::fs::write(&ca, other_authority()?)?;
    for (user, options, encrypted) in
        [("encrypted", "", true), ("plain", "", true), ("encrypted", "?ssl-mode=required", true)]
    {
        assert_eq!(cipher(&to, user, options)?.is_empty(), !encrypted, "{user} {options}");
    }
    let refused = |options: &str| match cipher(&to, "encrypted", options) {
        Ok(cipher) => Err(Failed::from(format!("let in with {options}, {cipher}"))),
        Err(fault) => Ok(fault),
    };
    assert_eq!(refused("?ssl-mode=disabled")?.number, 1045, "the account asks for it");
    // No public authority knows it, nor the one that we name.
    for options in
        ["?ssl-mode=verify_ca".to_owned(), format!("?ssl-ca={}", ca.display()), "?ssl-mode=verify_identity".to_owned()]
    {
        let fault = refused(&options)?;
        assert!(fault.number == 2026 && fault.message.contains("certificate"), "{options}: {fault}");
    }
    Ok(())
}

/// A server without certificates.
fn not_offered(instance: &Instance) -> Result<(), Failed> {
    instance.writer(Role::Keeper)?.execute("CREATE USER IF NOT EXISTS plain@'%' IDENTIFIED BY 'p@ss'")?;
    let to = relay(instance)?;
    assert_eq!(cipher(&to, "plain", "")?, "", "what is only preferred goes without");
    let fault =
        cipher(&to, "plain", "?ssl-mode=required").map_or_else(Ok, |cipher| Err(format!("let in: {cipher}")))?;
    assert!(fault.number == 2026 && fault.message.contains("offers no encryption"), "{fault}");
    Ok(())
}

/// Logs in, and asks how the connection is encrypted; empty: not at all.
fn cipher(to: &str, user: &str, options: &str) -> Result<String, Fault> {
    let bad = |error: anyhow::Error| Fault { number: 1, state: String::new(), message: format!("{error:#}") };
    let mut address = Address::from_dsn(&format!("mysql://{user}@{to}/{options}")).map_err(bad)?;
    address.password = "p@ss".to_owned();
    let mut reader = ReadOnly::open(&address, Role::Surveyor, &Roster::default(), Duration::from_secs(10))?;
    let row: Option<(String, String)> = reader.first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")?;
    Ok(row.map(|(_, cipher)| cipher).unwrap_or_default())
}

/// A certificate of an authority that signed nothing here.
fn other_authority() -> Result<Vec<u8>, Failed> {
    Ok(rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()])?.cert.der().to_vec())
}

/// Leads from a port of this machine to the server's socket, for as long as the process lives.
fn relay(instance: &Instance) -> Result<String, Failed> {
    let Endpoint::Socket(socket) = instance.address().endpoint.clone() else { return Err("no socket".into()) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = UnixStream::connect(&socket) else { return };
            if both(client, server).is_err() {
                return;
            }
        }
    });
    Ok(place)
}

fn both(client: TcpStream, server: UnixStream) -> std::io::Result<()> {
    let (mut up, mut down) = ((client.try_clone()?, server.try_clone()?), (server, client));
    thread::spawn(move || {
        pass(&mut up.0, &mut up.1);
        let _gone = up.1.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        pass(&mut down.0, &mut down.1);
        let _gone = down.1.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn pass(from: &mut impl Read, to: &mut impl Write) {
    // It ends with either side.
    let _ended = std::io::copy(from, to);
}
