//! Sockets handed from one process to another (SCM_RIGHTS, unix(7)).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, bail};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The most that are handed over (the kernel's limit is 253).
pub(super) const MOST: usize = 250;

/// Hands sockets over; none is fine, too.
pub(super) fn hand_over(to: impl AsFd, sockets: &[BorrowedFd<'_>]) -> Result<()> {
    if sockets.len() > MOST {
        bail!("{} hosts and ports are too many: at most {MOST} can be listened on", sockets.len());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        bail!("the sockets do not fit into a message");
    }
    sendmsg(to, &[IoSlice::new(b"S")], &mut control, SendFlags::NOSIGNAL).context("cannot hand the sockets over")?;
    Ok(())
}

/// Takes what [`hand_over`] gives.
pub(super) fn take(from: impl AsFd) -> Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC);
    if received.context("cannot take the sockets")?.bytes == 0 {
        bail!("the other process is gone");
    }
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(handed) = message {
            sockets.extend(handed);
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_handed_over_is_the_same_file_and_the_stream_goes_on() {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let place = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(place.path(), "handed").expect("written");
        let file = File::open(place.path()).expect("a file");
        hand_over(&here, &[file.as_fd(), file.as_fd()]).expect("handed over");
        std::io::Write::write_all(&mut &here, b"next").expect("written");
        let mut taken = take(&there).expect("taken");
        assert_eq!(taken.len(), 2);
        let mut text = String::new();
        File::from(taken.remove(0)).read_to_string(&mut text).expect("read");
        let mut rest = [0; 4];
        there.read_exact(&mut rest).expect("read");
        assert_eq!((text.as_str(), &rest), ("handed", b"next"));
        drop(here);
        assert!(take(&there).is_err());
    }
}
