//! Who may come in, and how the proxy itself comes into the server behind it.
//!
//! Passwords end here: the client proves itself to the proxy, and the proxy to the server with its own account. So every
//! client works whatever the server's methods are, and TLS can end here too.

use anyhow::{Context, Result, bail, ensure};
use mysql_common::packets::AuthPlugin;
use mysql_common::scramble::{scramble_native, scramble_sha256};

use super::Accept;
use super::greeting::{Hello, NONCE};
use super::key;
use super::wire::{Reader, put_with_nul, read_error};

const NATIVE: &[u8] = b"mysql_native_password";
const SHA2: &[u8] = b"caching_sha2_password";
/// `0x01` heads more data of a login; 3 says that the password was known, 4 that it is wanted whole.
const MORE: u8 = 1;

/// How a login's packets go to and fro.
pub(super) trait Dialogue {
    fn send(&mut self, payload: &[u8]) -> Result<()>;
    fn receive(&mut self) -> Result<Vec<u8>>;
}

/// A challenge of the proxy's: 20 bytes without NUL or `$`, as servers make them.
pub(super) fn challenge() -> Vec<u8> {
    (0..NONCE).map(|_| rand::random_range(b'%'..=b'~')).collect()
}

/// The method that clients of a server which greets with `plugin` are sure to know.
pub(super) fn method(plugin: &[u8]) -> &'static [u8] {
    if plugin == NATIVE || plugin.starts_with(b"mysql_old") || plugin.is_empty() { NATIVE } else { SHA2 }
}

/// Lets a client in that answered the challenge `nonce` of `method`, or says why not. `anew` asks it again in any case,
/// as servers do on COM_CHANGE_USER.
pub(super) fn admit(
    dialogue: &mut impl Dialogue,
    hello: &Hello,
    (method, nonce): (&[u8], &[u8]),
    anew: bool,
    accept: &Accept,
) -> Result<Option<String>> {
    let own = if hello.plugin.is_empty() { NATIVE } else { &hello.plugin };
    let known = if own == NATIVE || own == SHA2 { own } else { method };
    let mut answer = hello.answer.clone();
    if anew || own != method {
        let mut switch = vec![0xfe];
        put_with_nul(&mut switch, known);
        put_with_nul(&mut switch, nonce);
        dialogue.send(&switch)?;
        answer = dialogue.receive()?;
    }
    let empty = matches!(answer.as_slice(), [] | [0]);
    if let Accept::Only { user, password } = accept {
        let right = match (password.is_empty(), known == SHA2) {
            (true, _) => empty,
            (false, true) => scramble_sha256(nonce, password.as_bytes()).is_some_and(|own| own[..] == answer[..]),
            (false, false) => scramble_native(nonce, password.as_bytes()).is_some_and(|own| own[..] == answer[..]),
        };
        if !right || user.as_bytes() != hello.user {
            return Ok(Some(if empty { "NO" } else { "YES" }.to_owned()));
        }
    }
    if known == SHA2 && !empty {
        dialogue.send(&[MORE, 3])?;
    }
    Ok(None)
}

/// The proxy's own login.
#[derive(Debug)]
pub(super) struct Login {
    password: String,
    plugin: AuthPlugin<'static>,
    nonce: Vec<u8>,
    /// The password may be sent as it is.
    secure: bool,
    wants_key: bool,
}

/// What the proxy does with a packet of its login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Send(Vec<u8>),
    Wait,
    /// The server let us in; this is its OK.
    In,
    /// The server refused; this is its error.
    Out,
}

impl Login {
    pub fn new(password: &str, plugin: &[u8], nonce: &[u8], secure: bool) -> Self {
        let plugin = AuthPlugin::from_bytes(plugin).into_owned();
        Self { password: password.to_owned(), plugin, nonce: nonce.to_vec(), secure, wants_key: false }
    }

    /// The method's name.
    pub fn plugin(&self) -> &[u8] {
        self.plugin.as_bytes()
    }

    /// The answer to the challenge.
    pub fn answer(&self) -> Vec<u8> {
        match &self.plugin {
            AuthPlugin::Other(name) if name.as_ref() == b"sha256_password" && !self.password.is_empty() => {
                if self.secure { self.clear() } else { vec![1] }
            }
            // An unencrypted way is no way for a password as it is.
            AuthPlugin::MysqlClearPassword => {
                if self.secure {
                    self.clear()
                } else {
                    Vec::new()
                }
            }
            AuthPlugin::MariadbParsec { .. } => Vec::new(),
            plugin => plugin.gen_data(Some(&self.password), &self.nonce).map(|data| data.to_vec()).unwrap_or_default(),
        }
    }

    fn clear(&self) -> Vec<u8> {
        [self.password.as_bytes(), &[0]].concat()
    }

    /// Takes a packet of the server's.
    ///
    /// # Errors
    /// When it is none of a login that we can answer.
    pub fn take(&mut self, packet: &[u8]) -> Result<Turn> {
        match packet {
            [0, ..] => Ok(Turn::In),
            [0xff, ..] => Ok(Turn::Out),
            [0xfe, rest @ ..] if !rest.is_empty() => {
                let mut reader = Reader(rest);
                self.plugin = AuthPlugin::from_bytes(reader.until_nul()).into_owned();
                self.nonce = reader.0.strip_suffix(&[0]).unwrap_or(reader.0).to_vec();
                self.wants_key = matches!(&self.plugin, AuthPlugin::Other(name) if name.as_ref() == b"sha256_password");
                Ok(Turn::Send(self.answer()))
            }
            [MORE, data @ ..] => self.more(data),
            data => self.more(data),
        }
    }

    fn more(&mut self, data: &[u8]) -> Result<Turn> {
        if let AuthPlugin::MariadbParsec { .. } = self.plugin {
            self.plugin.read_add_data(data).context("the server's parsec salt is none")?;
            let answer = self.plugin.gen_data(Some(&self.password), &self.nonce);
            return Ok(Turn::Send(answer.map(|data| data.to_vec()).unwrap_or_default()));
        }
        match data {
            [3] => Ok(Turn::Wait),
            [4] if self.secure => Ok(Turn::Send(self.clear())),
            [4] => {
                self.wants_key = true;
                Ok(Turn::Send(vec![2]))
            }
            pem if self.wants_key && pem.starts_with(b"-----BEGIN PUBLIC KEY") => {
                self.wants_key = false;
                let clear = self.clear();
                ensure!(
                    key::takes(pem, clear.len()),
                    "the server's public key is none that a password can be sent with"
                );
                let masked: Vec<u8> =
                    clear.iter().zip(self.nonce.iter().cycle()).map(|(byte, nonce)| byte ^ nonce).collect();
                Ok(Turn::Send(mysql_common::crypto::encrypt(&masked, pem)))
            }
            _ => bail!(
                "the server's login by {} goes a way that the proxy does not know",
                String::from_utf8_lossy(self.plugin.as_bytes())
            ),
        }
    }
}

/// Carries the proxy's login on, after its first packet was sent, to its end; gives the server's last packet.
pub(super) fn carry(login: &mut Login, dialogue: &mut impl Dialogue) -> Result<(Vec<u8>, bool)> {
    loop {
        let packet = dialogue.receive()?;
        match login.take(&packet)? {
            Turn::Send(answer) => dialogue.send(&answer)?,
            Turn::Wait => {}
            Turn::In => return Ok((packet, true)),
            Turn::Out => {
                tracing::debug!("the server refuses the proxy's login: {:?}", read_error(&packet));
                return Ok((packet, false));
            }
        }
    }
}
