//! The network and the mounts that a command gets: made by the keeper, for itself and what it starts.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change};
use rustix::thread::UnshareFlags;

use super::link;
use super::record::{Ground, Ready};
use super::sockets::is_database;

/// Makes it, and answers with its sockets: those to listen at, the one for names, the one that sees packets.
pub(super) fn make(ground: &Ground) -> Result<(Vec<OwnedFd>, Ready)> {
    leave()?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("cannot keep its mounts to itself")?;
    link::every_address_is_ours()?;
    let mut ready = Ready::default();
    let mut sockets = listen(&ground.listen, &mut ready)?;
    match UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)) {
        Ok(socket) => {
            ready.resolver = true;
            sockets.push(socket.into());
        }
        Err(error) => ready.notes.push(format!("names that it asks for cannot be answered or seen: {error}")),
    }
    match link::sniffer() {
        Ok(socket) => {
            ready.sniffer = true;
            sockets.push(socket);
        }
        Err(error) => ready.notes.push(format!("other hosts that it tries cannot be seen: {error}")),
    }
    let mut mounts = Mounts { ground, stages: 0, ready: &mut ready };
    mounts.all()?;
    Ok((sockets, ready))
}

/// Leaves this machine's network and mounts: as root directly, else in a user namespace in which the caller stays who it is.
fn leave() -> Result<()> {
    let own = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    if rustix::process::geteuid().is_root() && unshare(own).is_ok() {
        return Ok(());
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare(own | UnshareFlags::NEWUSER).context("the kernel gives this user no network of its own")?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text).with_context(|| format!("cannot write /proc/self/{file}"))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("{uid} {uid} 1"))?;
    write("gid_map", format!("{gid} {gid} 1"))
}

#[expect(deprecated, reason = "only leaving the table of open files is unsafe, and that is not asked for")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

fn listen(addresses: &[SocketAddr], ready: &mut Ready) -> Result<Vec<OwnedFd>> {
    let mut sockets = Vec::new();
    for address in addresses {
        match TcpListener::bind(address) {
            Ok(socket) => sockets.push(socket.into()),
            // A kernel without IPv6: then nobody can come by it.
            Err(error) if address.is_ipv6() => ready.notes.push(format!("nothing listens on {address}: {error}")),
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }
    ready.listeners = sockets.len();
    Ok(sockets)
}

struct Mounts<'a> {
    ground: &'a Ground,
    stages: u32,
    ready: &'a mut Ready,
}

impl Mounts<'_> {
    fn all(&mut self) -> Result<()> {
        for place in &self.ground.places {
            if let Err(error) = self.put(place) {
                self.ready.notes.push(format!("the proxy's socket cannot be had at {}: {error:#}", place.display()));
            }
        }
        for socket in &self.ground.closed {
            let instead = if is_database(socket) { self.ground.socket.as_path() } else { Path::new("/dev/null") };
            if fs::symlink_metadata(socket).is_ok() {
                mount_bind(instead, socket).with_context(|| format!("cannot close {}", socket.display()))?;
            }
        }
        for (file, instead) in &self.ground.covered {
            if !file.exists() {
                File::create_new(file).with_context(|| format!("cannot create {}", file.display()))?;
                self.ready.made.push(file.clone());
            }
            mount_bind(instead, file).with_context(|| format!("cannot cover {}", file.display()))?;
        }
        Ok(())
    }

    /// Lays the proxy's socket at a path.
    fn put(&mut self, path: &Path) -> Result<()> {
        let (there, rest) = split(path)?;
        // Nothing joined would end the path with a slash.
        let place = if rest.as_os_str().is_empty() { there.clone() } else { there.join(&rest) };
        if place != there {
            let made =
                if rest.components().count() == 1 { File::create_new(&place) } else { Err(ErrorKind::NotFound.into()) };
            match made {
                Ok(_) => self.ready.made.push(place.clone()),
                Err(_) => {
                    self.copy_of(&there)?;
                    let parent = place.parent().unwrap_or(&there);
                    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
                    File::create(&place).with_context(|| format!("cannot create {}", place.display()))?;
                }
            }
        }
        Ok(mount_bind(&self.ground.socket, &place)?)
    }

    /// Lays over a directory one with the same entries, to which something can be added that nobody else sees.
    fn copy_of(&mut self, directory: &Path) -> Result<()> {
        if directory == Path::new("/") {
            bail!("it would lie in /, of which there is no copy");
        }
        self.stages += 1;
        let stage = self.ground.stage.join(self.stages.to_string());
        fs::create_dir(&stage).with_context(|| format!("cannot create {}", stage.display()))?;
        mount("rehearse", &stage, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)
            .with_context(|| format!("cannot mount a file system at {}", stage.display()))?;
        let unreadable = || format!("cannot read {}", directory.display());
        for entry in fs::read_dir(directory).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let copy = stage.join(entry.file_name());
            if let Err(error) = bring(&entry, &copy) {
                self.ready.notes.push(format!("{} is not to be seen: {error}", entry.path().display()));
            }
        }
        let about = fs::metadata(directory).with_context(unreadable)?;
        fs::set_permissions(&stage, Permissions::from_mode(about.permissions().mode()))
            .with_context(|| format!("cannot set the mode of {}", stage.display()))?;
        mount_bind_recursive(&stage, directory).with_context(|| format!("cannot mount over {}", directory.display()))
    }
}

fn bring(entry: &fs::DirEntry, copy: &Path) -> std::io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return symlink(fs::read_link(entry.path())?, copy);
    }
    if kind.is_dir() {
        fs::create_dir(copy)?;
        return Ok(mount_bind_recursive(entry.path(), copy)?);
    }
    File::create(copy)?;
    Ok(mount_bind(entry.path(), copy)?)
}

/// A path as what of it is there, links resolved, and the rest.
fn split(path: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut there = path;
    loop {
        if let Ok(full) = there.canonicalize() {
            let rest = path.strip_prefix(there).unwrap_or(Path::new("")).to_owned();
            return Ok((full, rest));
        }
        there = there.parent().with_context(|| format!("{} is no full path", path.display()))?;
    }
}
