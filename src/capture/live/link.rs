//! The only link of the command's network: loopback, up, and every address there is on it.
//!
//! Spoken is netlink (rtnetlink(7)), so that neither `ip` nor any other program is needed.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// `RTM_NEWLINK`, `RTM_NEWROUTE` (linux/rtnetlink.h).
const NEW_LINK: u16 = 16;
const NEW_ROUTE: u16 = 24;
/// `NLM_F_REQUEST | NLM_F_ACK`, and with `NLM_F_CREATE`.
const REQUEST: u16 = 0x5;
const CREATE: u16 = 0x405;
/// The index that loopback has in every network.
const LOOPBACK: u32 = 1;

/// Brings loopback up and gives it every address: what the command connects to is then this network's, and refused at
/// once where nobody listens.
pub(super) fn every_address_is_ours() -> Result<()> {
    // Protocol 0 is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
    let socket = socket.context("cannot talk to the kernel about its network")?;
    let mut up = vec![0, 0, 0, 0];
    for word in [LOOPBACK, 1, 1] {
        // Index, IFF_UP, and that only this flag is meant.
        up.extend(word.to_ne_bytes());
    }
    ask(&socket, NEW_LINK, REQUEST, &up).context("cannot bring loopback up")?;
    ask(&socket, NEW_ROUTE, CREATE, &local_route(AddressFamily::INET)).context("cannot route addresses to loopback")?;
    // A kernel without IPv6 has no addresses of it either.
    let _without_ipv6 = ask(&socket, NEW_ROUTE, CREATE, &local_route(AddressFamily::INET6));
    Ok(())
}

/// `local default dev lo`: a route to every address, of the kind that this host's own addresses have.
fn local_route(family: AddressFamily) -> Vec<u8> {
    let family = u8::try_from(family.as_raw()).unwrap_or_default();
    // Prefixes 0, no TOS; table local (255), protocol boot (3), scope host (254), type local (2); no flags.
    let mut route = vec![family, 0, 0, 0, 255, 3, 254, 2, 0, 0, 0, 0];
    // Attribute RTA_OIF (4).
    route.extend([8_u16.to_ne_bytes(), 4_u16.to_ne_bytes()].concat());
    route.extend(LOOPBACK.to_ne_bytes());
    route
}

fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> Result<()> {
    let mut message = u32::try_from(16 + body.len())?.to_ne_bytes().to_vec();
    message.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
    // Sequence 1, from the kernel's choice of port.
    message.extend([1_u32.to_ne_bytes(), 0_u32.to_ne_bytes()].concat());
    message.extend(body);
    sendto(socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0_u8; 512];
    let (_, length) = recv(socket, &mut answer, RecvFlags::empty())?;
    let code = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(std::io::Error::from_raw_os_error(-code).into()),
        None => bail!("the kernel's answer is cut off"),
    }
}

/// A socket that sees every packet of this network (packet(7)).
pub(super) fn sniffer() -> std::io::Result<OwnedFd> {
    // ETH_P_ALL in network order.
    let all = RawProtocol::new(u32::from(3_u16.to_be())).map(Protocol::from_raw);
    Ok(socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, all)?)
}
