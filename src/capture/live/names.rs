//! Names in the command's network: those of the database are the proxy's, any other gets an address of its own at which
//! nobody listens, so that what comes of it can be seen and named.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::record::HostName;

/// Addresses for names: the range that is kept for trials of networks (RFC 2544), so that it is nobody's.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 1]);
/// How many there are.
const MOST: u32 = 1 << 17;

/// What names stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Of names that were named: the proxy's.
    named: BTreeMap<String, IpAddr>,
    /// Of all others that were asked for.
    asked: BTreeMap<String, Ipv4Addr>,
    /// What `/etc/hosts` says of addresses.
    hosts: BTreeMap<IpAddr, String>,
    given: u32,
}

impl Known {
    fn fresh(&mut self) -> Ipv4Addr {
        self.given += 1;
        Ipv4Addr::from(FIRST + (self.given - 1) % (MOST - 2))
    }
}

impl Names {
    /// Those of the database, and what this machine's `/etc/hosts` says.
    pub(super) fn new(named: &[HostName], hosts: &str) -> Self {
        let mut known = Known::default();
        for host in named {
            if !known.named.contains_key(&host.name) {
                let address = host.address().unwrap_or_else(|| known.fresh().into());
                known.named.insert(host.name.clone(), address);
            }
        }
        for (address, name) in hosts.lines().filter_map(host_line) {
            known.hosts.entry(address).or_insert(name);
        }
        Self(Arc::new(Mutex::new(known)))
    }

    /// The address of a name of the database.
    pub(super) fn of_named(&self, name: &str) -> Option<IpAddr> {
        self.lock().named.get(name).copied()
    }

    /// This machine's addresses of its own in `127.0.0.0/8` that `/etc/hosts` names (Debian: `127.0.1.1`).
    pub(super) fn own(&self) -> Vec<IpAddr> {
        self.lock().hosts.keys().filter(|address| address.is_loopback() && address.is_ipv4()).copied().collect()
    }

    /// `/etc/hosts` for the command.
    pub(super) fn hosts_file(&self, hosts: &str) -> String {
        let known = self.lock();
        let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
        for (name, address) in known.named.iter().filter(|(name, _)| name.parse::<IpAddr>().is_err()) {
            text.push_str(&format!("{address} {name}\n"));
        }
        for line in hosts.lines() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let Some((address, names)) = words.split_first() else { continue };
            let others: Vec<&str> =
                names.iter().copied().filter(|name| !known.named.contains_key(&name.to_ascii_lowercase())).collect();
            if !others.is_empty() {
                text.push_str(&format!("{address} {}\n", others.join(" ")));
            }
        }
        text
    }

    /// The name that an address was given for, or that `/etc/hosts` has for it.
    pub(super) fn of(&self, address: IpAddr) -> Option<String> {
        let known = self.lock();
        let asked = known.asked.iter().find(|(_, given)| IpAddr::V4(**given) == address);
        let named = known.named.iter().find(|(_, given)| **given == address);
        let name = asked.map(|(name, _)| name).or(named.map(|(name, _)| name));
        name.or_else(|| known.hosts.get(&address)).cloned()
    }

    /// Names that were asked for and are not the database's.
    pub(super) fn asked(&self) -> Vec<String> {
        self.lock().asked.keys().cloned().collect()
    }

    /// Answers questions until `is_over`.
    pub(super) fn answer(&self, socket: &UdpSocket, is_over: impl Fn() -> bool) -> std::io::Result<()> {
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut question = [0; 1500];
        while !is_over() {
            let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
            if let Some(answer) = self.reply(&question[..length]) {
                // Whoever asked may be gone.
                let _unheard = socket.send_to(&answer, from);
            }
        }
        Ok(())
    }

    /// The answer to a question (RFC 1035): an address for A, nothing for any other type.
    fn reply(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = name_in(question)?;
        let kind = u16::from_be_bytes(question.get(end..end + 2)?.try_into().ok()?);
        let address = if name.ends_with(".arpa") || name.is_empty() { None } else { Some(self.resolve(&name)) };
        let address = address.filter(|_| kind == 1).and_then(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let mut answer = question.get(..2)?.to_vec();
        // An answer to a query, recursion available, no error; one question, as many answers as there are.
        answer.extend([0x81, 0x80, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
        answer.extend(question.get(12..end + 4)?);
        if let Some(address) = address {
            // The name as a pointer to the question's, type A, class IN, kept for no time, four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            answer.extend(address.octets());
        }
        Some(answer)
    }

    fn resolve(&self, name: &str) -> IpAddr {
        let mut known = self.lock();
        if let Some(address) = known.named.get(name) {
            return *address;
        }
        if name == "localhost" {
            return Ipv4Addr::LOCALHOST.into();
        }
        if let Some(address) = known.asked.get(name) {
            return (*address).into();
        }
        let address = known.fresh();
        known.asked.insert(name.to_owned(), address);
        address.into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address and the first name of a line of `/etc/hosts`.
fn host_line(line: &str) -> Option<(IpAddr, String)> {
    let mut words = line.split('#').next()?.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.to_ascii_lowercase()))
}

/// The name that a question asks for, and where it ends.
fn name_in(question: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        match length {
            0 => return Some((labels.join("."), at)),
            1..=63 => {
                labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase());
                at += length;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut bytes = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).expect("a label"));
            bytes.extend(label.as_bytes());
        }
        bytes.extend([0, 0, kind, 0, 1]);
        bytes
    }

    #[test]
    fn a_named_host_is_the_proxys_and_another_gets_an_address_that_tells_its_name() {
        let hosts = "127.0.0.1 localhost\n10.0.0.9 db.internal old # kept\n127.0.1.1 shop\n";
        let names = Names::new(&["db.internal".parse().expect("a host")], hosts);
        let address = names.of_named("db.internal").expect("an address");
        let answer = names.reply(&question("DB.internal", 1)).expect("an answer");
        assert_eq!(&answer[..4], &[7, 7, 0x81, 0x80]);
        let IpAddr::V4(own) = address else { panic!("{address}") };
        assert_eq!(&answer[answer.len() - 4..], own.octets());
        let other = names.reply(&question("api.example", 1)).expect("an answer");
        let last: [u8; 4] = other[other.len() - 4..].try_into().expect("four bytes");
        assert_ne!(last, own.octets());
        assert_eq!(names.of(IpAddr::from(last)).as_deref(), Some("api.example"));
        assert_eq!(names.asked(), ["api.example"]);
        // No IPv6, and no error either: a client then takes the other one.
        let six = names.reply(&question("api.example", 28)).expect("an answer");
        assert_eq!((six[3] & 15, six[7]), (0, 0));
        let file = names.hosts_file(hosts);
        assert!(file.contains(&format!("{address} db.internal\n")) && file.contains("10.0.0.9 old\n"), "{file}");
        assert!(!file.contains("10.0.0.9 db.internal"), "{file}");
        assert_eq!(names.own().len(), 2);
        assert!(names.reply(&[0; 12]).is_none() && names.reply(b"x").is_none());
    }
}
