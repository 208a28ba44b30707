//! What the command tried to reach and nobody answered for, read from the packets of its network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::names::Names;
use super::record::Tried;

/// The most different addresses that are kept: a program that scans a network is not to fill the memory.
const MOST: usize = 10_000;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Packets>>);

#[derive(Debug, Default)]
struct Packets {
    asked: BTreeSet<SocketAddr>,
    answered: BTreeSet<SocketAddr>,
    datagrams: BTreeSet<SocketAddr>,
}

impl Seen {
    /// Looks at packets until `is_over`.
    pub(super) fn watch(&self, socket: &OwnedFd, is_over: impl Fn() -> bool) {
        // Only the heads are wanted; the rest of a packet is cut off.
        let mut packet = [0; 128];
        while !is_over() {
            match recv(socket, &mut packet, RecvFlags::DONTWAIT) {
                Ok((_, length)) => self.take(&packet[..length.min(packet.len())]),
                Err(Errno::AGAIN | Errno::INTR) => std::thread::sleep(std::time::Duration::from_millis(20)),
                // Packets were lost: there is room again.
                Err(Errno::NOBUFS) => {}
                Err(_) => return,
            }
        }
        while let Ok((_, length)) = recv(socket, &mut packet, RecvFlags::DONTWAIT) {
            self.take(&packet[..length.min(packet.len())]);
        }
    }

    fn take(&self, packet: &[u8]) {
        let Some((from, to, kind)) = read(packet) else { return };
        let mut packets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, address) = match kind {
            Kind::Asks => (&mut packets.asked, to),
            Kind::Answers => (&mut packets.answered, from),
            Kind::Datagram => (&mut packets.datagrams, to),
        };
        if set.len() < MOST {
            set.insert(address);
        }
    }

    /// What nobody answered for: connections, datagrams to other hosts, and names that were asked for and not used.
    pub(super) fn unanswered(&self, names: &Names) -> BTreeSet<Tried> {
        let packets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = |address: IpAddr| names.of(address).unwrap_or_else(|| address.to_string());
        // A client that asks for `localhost` tries both of its addresses.
        let local: BTreeSet<u16> =
            packets.answered.iter().filter(|at| at.ip().is_loopback()).map(SocketAddr::port).collect();
        let asked = packets.asked.difference(&packets.answered);
        let mut tried: BTreeSet<Tried> = asked
            .filter(|at| !(at.ip().is_loopback() && local.contains(&at.port())))
            .map(|at| Tried { host: host(at.ip()), port: Some(at.port()), is_udp: false })
            .chain(
                packets
                    .datagrams
                    .iter()
                    .filter(|at| !at.ip().is_loopback() && !at.ip().is_multicast())
                    .map(|at| Tried { host: host(at.ip()), port: Some(at.port()), is_udp: true }),
            )
            .collect();
        for name in names.asked() {
            let answered = packets.answered.iter().any(|at| names.of(at.ip()).as_ref() == Some(&name));
            if !answered && !tried.iter().any(|one| one.host == name) {
                tried.insert(Tried { host: name, port: None, is_udp: false });
            }
        }
        tried
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// SYN.
    Asks,
    /// SYN and ACK.
    Answers,
    Datagram,
}

/// Where an IP packet comes from and goes to, when it opens a connection, answers that, or is a datagram.
fn read(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, Kind)> {
    let (protocol, from, to, rest) = match packet.first()? >> 4 {
        4 => {
            let address = |at: usize| packet.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            let head = usize::from(packet[0] & 15) * 4;
            let (from, to) = (Ipv4Addr::from(address(12)?), Ipv4Addr::from(address(16)?));
            (*packet.get(9)?, IpAddr::V4(from), IpAddr::V4(to), packet.get(head..)?)
        }
        6 => {
            let address = |at: usize| packet.get(at..at + 16).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            let (from, to) = (Ipv6Addr::from(address(8)?), Ipv6Addr::from(address(24)?));
            (*packet.get(6)?, IpAddr::V6(from), IpAddr::V6(to), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| rest.get(at..at + 2).and_then(|bytes| Some(u16::from_be_bytes(bytes.try_into().ok()?)));
    let (from, to) = (SocketAddr::new(from, port(0)?), SocketAddr::new(to, port(2)?));
    match protocol {
        6 => match rest.get(13)? & 0x12 {
            0x02 => Some((from, to, Kind::Asks)),
            0x12 => Some((from, to, Kind::Answers)),
            _ => None,
        },
        17 => Some((from, to, Kind::Datagram)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(from: [u8; 4], to: [u8; 4], ports: (u16, u16), flags: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
        packet.extend([from, to].concat());
        packet.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat());
        packet.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags]);
        packet
    }

    #[test]
    fn what_nobody_answers_for_is_told_and_what_somebody_does_is_not() {
        let seen = Seen::default();
        seen.take(&tcp([127, 0, 0, 1], [10, 0, 0, 7], (40000, 3306), 0x02));
        seen.take(&tcp([127, 0, 0, 1], [127, 0, 0, 1], (40001, 3306), 0x02));
        seen.take(&tcp([127, 0, 0, 1], [127, 0, 0, 1], (3306, 40001), 0x12));
        seen.take(&tcp([127, 0, 0, 1], [127, 0, 0, 1], (40002, 3306), 0x18));
        seen.take(&tcp([127, 0, 0, 1], [127, 0, 1, 1], (40003, 3306), 0x02));
        seen.take(&tcp([127, 0, 0, 1], [127, 0, 1, 1], (40003, 3307), 0x02));
        seen.take(b"\x45");
        seen.take(b"");
        let tried = seen.unanswered(&Names::default());
        let words: Vec<String> = tried.iter().map(Tried::to_string).collect();
        assert_eq!(words, ["10.0.0.7:3306", "127.0.1.1:3307"]);
    }
}
