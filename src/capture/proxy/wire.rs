//! Integers, lengths and names as the protocol writes them.

/// Reads from the front of a payload; none past its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn little_endian(&mut self, length: usize) -> Option<u64> {
        Some(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.little_endian(1).map(|number| number as u8)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.little_endian(2).map(|number| number as u16)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.little_endian(4).map(|number| number as u32)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.little_endian(8)
    }

    /// A length-encoded integer.
    pub fn length(&mut self) -> Option<u64> {
        match self.u8()? {
            0xfc => self.little_endian(2),
            0xfd => self.little_endian(3),
            0xfe => self.u64(),
            0xfb | 0xff => None,
            small => Some(u64::from(small)),
        }
    }

    /// A length, and so many bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }

    /// The bytes up to a NUL, which is taken too; the rest where there is none.
    pub fn until_nul(&mut self) -> &'a [u8] {
        let end = memchr::memchr(0, self.0).unwrap_or(self.0.len());
        let taken = &self.0[..end];
        self.0 = &self.0[(end + 1).min(self.0.len())..];
        taken
    }
}

/// Writes a length-encoded integer.
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=0xfa => out.push(length as u8),
        0xfb..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&(length as u64).to_le_bytes());
        }
    }
}

/// Writes a length, and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes bytes that a NUL ends.
pub(super) fn put_with_nul(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    out.push(0);
}

/// An ERR packet's payload.
pub(super) fn error(number: u16, state: &str, message: &str) -> Vec<u8> {
    let mut payload = vec![0xff];
    payload.extend_from_slice(&number.to_le_bytes());
    payload.push(b'#');
    payload.extend_from_slice(state.as_bytes());
    payload.extend_from_slice(message.as_bytes());
    payload
}

/// Number and message of an ERR packet's payload.
pub(super) fn read_error(payload: &[u8]) -> Option<(u16, String)> {
    let mut reader = Reader(payload.strip_prefix(&[0xff])?);
    let number = reader.u16()?;
    let message = match reader.0 {
        [b'#', rest @ ..] => rest.get(5..).unwrap_or_default(),
        rest => rest,
    };
    Some((number, String::from_utf8_lossy(message).into_owned()))
}
