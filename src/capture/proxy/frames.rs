//! Packets out of bytes: a stream is walked as it comes, and no packet needs to be there as a whole.

use std::io::{self, Read};

/// The longest payload of one frame; a frame of just this length is continued by the next.
pub(super) const LONGEST: usize = 0xff_ffff;

/// Who takes packets, piece by piece.
pub(super) trait Sink {
    /// A piece of the current packet's payload.
    fn piece(&mut self, piece: &[u8]) -> anyhow::Result<()>;
    /// The current packet is whole. `sequence` is its last frame's number.
    fn end(&mut self, sequence: u8) -> anyhow::Result<()>;
}

/// Where a walk stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    header: [u8; 4],
    /// Bytes of the header that are there; 4 inside of a frame.
    have: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
    /// A frame of the packet has ended, and another belongs to it.
    continued: bool,
}

impl Frames {
    /// No packet has begun.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && !self.continued
    }

    /// Walks on through `bytes` to the end of a packet, or of the bytes; says how many were walked.
    pub fn walk(&mut self, bytes: &[u8], sink: &mut impl Sink) -> anyhow::Result<usize> {
        let mut at = 0;
        loop {
            if self.have < 4 {
                let more = (4 - self.have).min(bytes.len() - at);
                self.header[self.have..self.have + more].copy_from_slice(&bytes[at..at + more]);
                (self.have, at) = (self.have + more, at + more);
                if self.have < 4 {
                    return Ok(at);
                }
                self.left = length_of(&self.header);
            }
            let piece = self.left.min(bytes.len() - at);
            if piece > 0 {
                sink.piece(&bytes[at..at + piece])?;
                (self.left, at) = (self.left - piece, at + piece);
            }
            if self.left > 0 {
                return Ok(at);
            }
            self.have = 0;
            self.continued = length_of(&self.header) == LONGEST;
            if !self.continued {
                sink.end(self.header[3])?;
                return Ok(at);
            }
        }
    }
}

/// A frame's length, out of its header.
pub(super) fn length_of(header: &[u8]) -> usize {
    match header {
        [a, b, c, ..] => usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16,
        _ => 0,
    }
}

/// Writes a payload as one packet, of as many frames as it takes; gives the number after its last.
pub(super) fn put_packet(out: &mut Vec<u8>, payload: &[u8], mut sequence: u8) -> u8 {
    let mut rest = payload;
    loop {
        let (frame, after) = rest.split_at(rest.len().min(LONGEST));
        out.extend_from_slice(&(frame.len() as u32).to_le_bytes()[..3]);
        out.push(sequence);
        out.extend_from_slice(frame);
        sequence = sequence.wrapping_add(1);
        if frame.len() < LONGEST {
            return sequence;
        }
        rest = after;
    }
}

/// Reads one packet whole, and not a byte more: for a login, and for the proxy's own questions. Gives its payload and
/// the number after it.
pub(super) fn read_packet(from: &mut impl Read, most: usize) -> io::Result<(Vec<u8>, u8)> {
    let mut payload = Vec::new();
    loop {
        let mut header = [0; 4];
        from.read_exact(&mut header)?;
        let (length, have) = (length_of(&header), payload.len());
        if have + length > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a packet of more than {most} bytes")));
        }
        payload.resize(have + length, 0);
        from.read_exact(&mut payload[have..])?;
        if length < LONGEST {
            return Ok((payload, header[3].wrapping_add(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Whole {
        current: Vec<u8>,
        packets: Vec<Vec<u8>>,
    }

    impl Sink for Whole {
        fn piece(&mut self, piece: &[u8]) -> anyhow::Result<()> {
            self.current.extend_from_slice(piece);
            Ok(())
        }

        fn end(&mut self, _: u8) -> anyhow::Result<()> {
            self.packets.push(std::mem::take(&mut self.current));
            Ok(())
        }
    }

    fn walk_all(frames: &mut Frames, bytes: &[u8], sink: &mut Whole) {
        let mut at = 0;
        while at < bytes.len() {
            at += frames.walk(&bytes[at..], sink).expect("a sink that takes all");
        }
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_however_the_stream_is_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8), cut in 1usize..50,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                put_packet(&mut stream, packet, 0);
            }
            let (mut frames, mut sink) = (Frames::default(), Whole::default());
            for chunk in stream.chunks(cut) {
                walk_all(&mut frames, chunk, &mut sink);
            }
            prop_assert!(frames.at_boundary());
            prop_assert_eq!(sink.packets, packets);
        }

        #[test]
        fn no_bytes_stop_the_walk(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 1usize..100) {
            let (mut frames, mut sink) = (Frames::default(), Whole::default());
            for chunk in bytes.chunks(cut) {
                walk_all(&mut frames, chunk, &mut sink);
            }
        }
    }

    #[test]
    fn a_packet_of_several_frames_is_one() {
        for length in [LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST] {
            let mut stream = Vec::new();
            let next = put_packet(&mut stream, &vec![7; length], 0);
            let (mut frames, mut sink) = (Frames::default(), Whole::default());
            walk_all(&mut frames, &stream, &mut sink);
            assert_eq!(sink.packets.iter().map(Vec::len).collect::<Vec<_>>(), [length]);
            let (payload, after) = read_packet(&mut &stream[..], usize::MAX).expect("whole");
            assert_eq!((payload.len(), after), (length, next));
        }
    }
}
