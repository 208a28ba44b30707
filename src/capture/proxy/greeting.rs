//! The first packets of a session: the server's greeting and the client's answer.

use anyhow::{Context, Result, bail};

use super::capability::Capabilities;
use super::wire::{Reader, put_bytes, put_with_nul};

/// Bytes of a challenge.
pub(super) const NONCE: usize = 20;

/// A server's greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Greeting {
    pub version: Vec<u8>,
    pub connection: u32,
    pub capabilities: Capabilities,
    pub charset: u8,
    pub status: u16,
    pub plugin: Vec<u8>,
    pub nonce: Vec<u8>,
}

impl Greeting {
    /// Reads a greeting (protocol 10, of MySQL 4.1 or later).
    pub fn read(payload: &[u8]) -> Result<Self> {
        if payload.first() != Some(&10) {
            bail!("the server greets with protocol {:?}, not 10", payload.first());
        }
        let mut reader = Reader(&payload[1..]);
        let version = reader.until_nul().to_vec();
        let read = |reader: &mut Reader<'_>| {
            let connection = reader.u32()?;
            let first = reader.take(8)?;
            reader.take(1)?;
            let low = reader.u16()?;
            let (charset, status, high) = (reader.u8()?, reader.u16()?, reader.u16()?);
            let length = usize::from(reader.u8()?);
            let reserved = Reader(reader.take(10)?.get(6..)?).u32()?;
            let mut capabilities = u64::from(low) | u64::from(high) << 16;
            // MariaDB says more in the reserved bytes, and says that it does by leaving this one out.
            if capabilities & Capabilities::MYSQL == 0 {
                capabilities |= u64::from(reserved) << 32;
            }
            let second = reader.take(length.saturating_sub(8).max(13))?;
            let nonce = [first, second.get(..NONCE - 8)?].concat();
            let plugin = reader.until_nul().to_vec();
            Some((connection, Capabilities(capabilities), charset, status, plugin, nonce))
        };
        let (connection, capabilities, charset, status, plugin, nonce) =
            read(&mut reader).context("the server's greeting is cut off")?;
        Ok(Self { version, connection, capabilities, charset, status, plugin, nonce })
    }

    /// Writes it.
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![10];
        put_with_nul(&mut out, &self.version);
        out.extend_from_slice(&self.connection.to_le_bytes());
        put_with_nul(&mut out, &self.nonce[..8]);
        let flags = self.capabilities.0.to_le_bytes();
        out.extend_from_slice(&flags[..2]);
        out.push(self.charset);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&flags[2..4]);
        out.push(NONCE as u8 + 1);
        out.extend_from_slice(&[0; 6]);
        let own =
            if self.capabilities.has(Capabilities::MYSQL) { [0; 4] } else { [flags[4], flags[5], flags[6], flags[7]] };
        out.extend_from_slice(&own);
        put_with_nul(&mut out, &self.nonce[8..]);
        put_with_nul(&mut out, &self.plugin);
        out
    }
}

/// A client's answer to the greeting, or its COM_CHANGE_USER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    pub capabilities: Capabilities,
    pub max_packet: u32,
    /// The character set's byte and the 19 after it that say nothing.
    pub charset: Vec<u8>,
    pub user: Vec<u8>,
    pub answer: Vec<u8>,
    pub database: Vec<u8>,
    pub plugin: Vec<u8>,
    /// Connection attributes, as they came, without their length.
    pub attributes: Vec<u8>,
}

impl Hello {
    /// Reads the answer to a greeting that offered `offered`. One of 32 bytes asks for TLS, and has no user.
    pub fn read(payload: &[u8], offered: Capabilities) -> Result<Self> {
        let mut reader = Reader(payload);
        let mut head = || {
            let flags = u64::from(reader.u32()?);
            let max_packet = reader.u32()?;
            let charset = reader.take(20)?.to_vec();
            let own = u64::from(reader.u32()?);
            let own = if flags & Capabilities::MYSQL == 0 { own << 32 } else { 0 };
            Some((Capabilities((flags | own) & offered.0), max_packet, charset, flags))
        };
        let (capabilities, max_packet, charset, asked) = head().context("the client's greeting is cut off")?;
        if asked & Capabilities::PROTOCOL_41 == 0 {
            bail!("the client speaks the protocol from before MySQL 4.1");
        }
        let mut hello = Self { capabilities, max_packet, charset, ..Self::default() };
        if reader.0.is_empty() {
            return Ok(hello);
        }
        hello.user = reader.until_nul().to_vec();
        let answer = if asked & Capabilities::AUTH_LENGTH != 0 {
            reader.bytes()
        } else if asked & Capabilities::SECURE_CONNECTION != 0 {
            reader.u8().and_then(|length| reader.take(length.into()))
        } else {
            Some(reader.until_nul())
        };
        hello.answer = answer.context("the client's greeting is cut off in its password")?.to_vec();
        if asked & Capabilities::CONNECT_WITH_DB != 0 {
            hello.database = reader.until_nul().to_vec();
        }
        if asked & Capabilities::PLUGIN_AUTH != 0 {
            hello.plugin = reader.until_nul().to_vec();
        }
        if capabilities.has(Capabilities::CONNECT_ATTRS) {
            hello.attributes = reader.bytes().unwrap_or_default().to_vec();
        }
        Ok(hello)
    }

    /// Reads a COM_CHANGE_USER, without its command byte, of a session that agreed on `capabilities`.
    pub fn read_change(payload: &[u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader(payload);
        let user = reader.until_nul().to_vec();
        let length = reader.u8().context("COM_CHANGE_USER is cut off")?;
        let answer = reader.take(length.into()).context("COM_CHANGE_USER is cut off in its password")?.to_vec();
        let database = reader.until_nul().to_vec();
        let charset = reader.take(2).unwrap_or_default().to_vec();
        let plugin = if capabilities.has(Capabilities::PLUGIN_AUTH) { reader.until_nul().to_vec() } else { Vec::new() };
        let attributes = match capabilities.has(Capabilities::CONNECT_ATTRS) {
            true => reader.bytes().unwrap_or_default().to_vec(),
            false => Vec::new(),
        };
        Ok(Self { capabilities, max_packet: 0, charset, user, answer, database, plugin, attributes })
    }

    /// Writes it as the answer to a greeting, for `user`, who answers the challenge with `answer`.
    pub fn payload(&self, user: &[u8], plugin: &[u8], answer: &[u8]) -> Vec<u8> {
        let flags = self.capabilities.0.to_le_bytes();
        let mut out = flags[..4].to_vec();
        out.extend_from_slice(&self.max_packet.to_le_bytes());
        out.extend_from_slice(&self.charset);
        let own =
            if self.capabilities.has(Capabilities::MYSQL) { [0; 4] } else { [flags[4], flags[5], flags[6], flags[7]] };
        out.extend_from_slice(&own);
        put_with_nul(&mut out, user);
        if self.capabilities.has(Capabilities::AUTH_LENGTH) {
            put_bytes(&mut out, answer);
        } else {
            out.push(answer.len() as u8);
            out.extend_from_slice(answer);
        }
        if self.capabilities.has(Capabilities::CONNECT_WITH_DB) {
            put_with_nul(&mut out, &self.database);
        }
        put_with_nul(&mut out, plugin);
        if self.capabilities.has(Capabilities::CONNECT_ATTRS) {
            put_bytes(&mut out, &self.attributes);
        }
        out
    }

    /// Writes it as a COM_CHANGE_USER.
    pub fn change_payload(&self, user: &[u8], plugin: &[u8], answer: &[u8]) -> Vec<u8> {
        let mut out = vec![0x11];
        put_with_nul(&mut out, user);
        out.push(answer.len() as u8);
        out.extend_from_slice(answer);
        put_with_nul(&mut out, &self.database);
        out.extend_from_slice(&self.charset);
        if self.charset.is_empty() {
            return out;
        }
        put_with_nul(&mut out, plugin);
        if self.capabilities.has(Capabilities::CONNECT_ATTRS) {
            put_bytes(&mut out, &self.attributes);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_greeting_and_its_answer_read_back() {
        for own in [Capabilities::MYSQL, Capabilities::CACHE_METADATA] {
            let flags = own | Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH | Capabilities::SECURE_CONNECTION;
            let greeting = Greeting {
                version: b"9.7.4".to_vec(),
                connection: 77,
                capabilities: Capabilities(flags | Capabilities::CONNECT_WITH_DB | Capabilities::CONNECT_ATTRS),
                charset: 255,
                status: 2,
                plugin: b"caching_sha2_password".to_vec(),
                nonce: (1..=20).collect(),
            };
            assert_eq!(Greeting::read(&greeting.payload()).expect("a greeting"), greeting);
            let hello = Hello {
                capabilities: greeting.capabilities,
                max_packet: 1 << 24,
                charset: [vec![45], vec![0; 19]].concat(),
                database: b"app".to_vec(),
                attributes: b"\x01a\x01b".to_vec(),
                ..Hello::default()
            };
            let read = Hello::read(&hello.payload(b"me", b"p", b"secret"), greeting.capabilities).expect("an answer");
            let expected = Hello { user: b"me".to_vec(), answer: b"secret".to_vec(), plugin: b"p".to_vec(), ..hello };
            assert_eq!(read, expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_stop_it(bytes in prop::collection::vec(any::<u8>(), 0..200), flags in any::<u64>()) {
            let _any = (Greeting::read(&bytes), Hello::read(&bytes, Capabilities(flags)),
                Hello::read_change(&bytes, Capabilities(flags)));
        }
    }
}
