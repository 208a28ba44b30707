//! Whether a connection to a server is encrypted, as the stock clients of MySQL ask it: `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use mysql::{ClientIdentity, SslOpts};

/// How far a connection must be encrypted (MySQL manual, "Command Options for Encrypted Connections").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Never.
    #[default]
    Disabled,
    /// Where the server offers it, whoever it is.
    Preferred,
    /// Always, whoever the server is.
    Required,
    /// Always, and the server's certificate is one of an authority that we know.
    VerifyCa,
    /// As [`Mode::VerifyCa`], and it names the host that we asked for.
    VerifyIdentity,
}

/// What rules the encryption of one address. A Unix socket is never encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// None: [`Mode::Preferred`], and with an authority of its own [`Mode::VerifyCa`], as with the stock client.
    pub mode: Option<Mode>,
    /// What it is at least: MariaDB's `ssl` asks for encryption, and takes back nothing that is to be verified.
    least: Mode,
    /// Certificates of authorities, PEM, beside the public ones.
    pub ca: Option<PathBuf>,
    /// Our own certificate, PEM, for accounts that ask for one.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// Takes one of the stock clients' options, `name` with dashes; an option file's may have no value. False where it is
    /// none of TLS.
    ///
    /// # Errors
    /// When it is one, and its value is none of it.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<bool> {
        let is_on = !value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "0" | "off" | "false"));
        match name {
            "ssl-mode" => self.mode = Some(mode(value.unwrap_or_default())?),
            "ssl-ca" => self.ca = value.map(PathBuf::from),
            "ssl-cert" => self.certificate = value.map(PathBuf::from),
            "ssl-key" => self.key = value.map(PathBuf::from),
            // MariaDB's client.
            "ssl" if is_on => self.least = Mode::Required,
            "ssl" | "skip-ssl" | "disable-ssl" => (self.mode, self.least) = (Some(Mode::Disabled), Mode::Disabled),
            "ssl-verify-server-cert" if is_on => self.mode = Some(Mode::VerifyIdentity),
            "ssl-verify-server-cert" | "disable-ssl-verify-server-cert" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What is said here, and what is not as in `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            least: if self.mode.is_some() { self.least } else { self.least.max(other.least) },
            mode: self.mode.or(other.mode),
            ca: self.ca.or(other.ca),
            certificate: self.certificate.or(other.certificate),
            key: self.key.or(other.key),
        }
    }

    /// How far the connection must be encrypted.
    pub fn mode(&self) -> Mode {
        let unasked = if self.ca.is_some() { Mode::VerifyCa } else { Mode::Preferred };
        self.mode.unwrap_or(unasked).max(self.least)
    }

    /// The same for the driver; none without encryption.
    ///
    /// # Errors
    /// A certificate without its key, or the other way round.
    pub fn options(&self) -> Result<Option<SslOpts>> {
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(ClientIdentity::new(certificate.clone(), key.clone())),
            (None, None) => None,
            _ => bail!("ssl-cert and ssl-key belong together"),
        };
        let options = SslOpts::default()
            .with_root_cert_path(self.ca.clone())
            .with_client_identity(identity)
            .with_danger_accept_invalid_certs(matches!(self.mode(), Mode::Preferred | Mode::Required))
            .with_danger_skip_domain_validation(self.mode() != Mode::VerifyIdentity);
        Ok((self.mode() != Mode::Disabled).then_some(options))
    }
}

fn mode(value: &str) -> Result<Mode> {
    Ok(match value.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" => Mode::Disabled,
        "preferred" => Mode::Preferred,
        "required" => Mode::Required,
        "verify_ca" => Mode::VerifyCa,
        "verify_identity" => Mode::VerifyIdentity,
        _ => bail!("'{value}' is no ssl-mode: disabled, preferred, required, verify_ca or verify_identity"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[(&str, Option<&str>)]) -> Tls {
        let mut tls = Tls::default();
        for (name, value) in options {
            assert!(tls.set(name, *value).expect("a value"), "{name}");
        }
        tls
    }

    #[test]
    fn what_is_asked_for_is_what_the_stock_client_would_do() {
        assert_eq!(Tls::default().mode(), Mode::Preferred);
        assert_eq!(of(&[("ssl-ca", Some("/ca.pem"))]).mode(), Mode::VerifyCa, "who names an authority wants it asked");
        assert_eq!(of(&[("ssl-ca", Some("/ca.pem")), ("ssl-mode", Some("REQUIRED"))]).mode(), Mode::Required);
        assert_eq!(of(&[("ssl", None)]).mode(), Mode::Required);
        for verified in [("ssl-verify-server-cert", None), ("ssl-mode", Some("VERIFY_IDENTITY"))] {
            assert_eq!(of(&[verified, ("ssl", None)]).mode(), Mode::VerifyIdentity, "nothing is taken back");
        }
        assert_eq!(of(&[("ssl", None), ("ssl-ca", Some("/ca.pem"))]).mode(), Mode::VerifyCa);
        let plain = of(&[("ssl-mode", Some("disabled"))]).or(of(&[("ssl", None)]));
        assert_eq!(plain.mode(), Mode::Disabled, "the address rules the file");
        assert_eq!(of(&[("ssl", Some("0"))]).mode(), Mode::Disabled);
        assert_eq!(of(&[("skip-ssl", None)]).options().expect("options"), None);
        assert_eq!(of(&[("ssl-mode", Some("verify-identity"))]).mode(), Mode::VerifyIdentity);
        assert!(!Tls::default().set("user", Some("app")).expect("none of ours"));
        assert!(Tls::default().set("ssl-mode", Some("perhaps")).is_err());
        assert!(of(&[("ssl-cert", Some("/c.pem"))]).options().is_err(), "half of an identity is none");
        let both = of(&[("ssl-mode", Some("required"))]).or(of(&[("skip-ssl", None), ("ssl-ca", Some("/ca.pem"))]));
        assert_eq!((both.mode(), both.ca), (Mode::Required, Some("/ca.pem".into())));
    }

    #[test]
    fn only_what_was_asked_for_is_verified() {
        let options = |mode: &str| of(&[("ssl-mode", Some(mode))]).options().expect("options").expect("encrypted");
        for (mode, anyone, any_name) in [
            ("preferred", true, true),
            ("required", true, true),
            ("verify_ca", false, true),
            ("verify_identity", false, false),
        ] {
            let options = options(mode);
            assert_eq!(
                (options.accept_invalid_certs(), options.skip_domain_validation()),
                (anyone, any_name),
                "{mode}"
            );
        }
    }
}
