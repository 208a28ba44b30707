//! A server's vendor and version, as a value that can be asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who makes the server. Percona Server answers as MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Oracle MySQL, and what is built from it.
    MySql,
    /// MariaDB Server.
    MariaDb,
}

/// A vendor and a version: `mysql:9.7`, `mariadb:10.11.19`. A part that was not given counts as 0 in compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flavor {
    /// Who makes it.
    pub vendor: Vendor,
    /// First number of the version.
    pub major: u16,
    /// Second number.
    pub minor: u16,
    /// Third number, when it is known.
    pub patch: Option<u16>,
}

impl Flavor {
    /// Reads what `SELECT VERSION()` answered, such as `9.7.4` or `10.11.19-MariaDB-0+deb12u1`
    /// (and `5.5.5-10.5.…-MariaDB`, the prefix some MariaDB versions put before their own).
    pub fn from_version_string(version: &str) -> Result<Self, BadFlavor> {
        let is_mariadb = version.to_ascii_lowercase().contains("mariadb");
        let digits = if is_mariadb { version.strip_prefix("5.5.5-").unwrap_or(version) } else { version };
        let vendor = if is_mariadb { Vendor::MariaDb } else { Vendor::MySql };
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        Self::with_version(vendor, &digits[..end]).ok_or_else(|| BadFlavor(version.to_owned()))
    }

    fn with_version(vendor: Vendor, version: &str) -> Option<Self> {
        let mut parts = version.split('.').map(|part| part.parse::<u16>().ok());
        let major = parts.next()??;
        let minor = parts.next().unwrap_or(Some(0))?;
        let patch = match parts.next() {
            Some(part) => Some(part?),
            None => None,
        };
        if parts.next().is_some() {
            return None;
        }
        Some(Self { vendor, major, minor, patch })
    }

    /// True for MySQL (and its builds) at or above this version.
    pub fn at_least_mysql(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.vendor == Vendor::MySql && self.version() >= (major, minor, patch)
    }

    /// True for MariaDB at or above this version.
    pub fn at_least_mariadb(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.vendor == Vendor::MariaDb && self.version() >= (major, minor, patch)
    }

    /// True for MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.vendor == Vendor::MariaDb
    }

    /// True when a server of `self` may stand in for one asked for as `wanted`: the same vendor, and the same version
    /// as far as `wanted` gives it.
    pub fn serves(&self, wanted: &Flavor) -> bool {
        self.vendor == wanted.vendor
            && self.major == wanted.major
            && self.minor == wanted.minor
            && wanted.patch.is_none_or(|patch| self.patch == Some(patch))
    }

    /// `mysql` or `mariadb`: the vendor's name in flavours, image names and scenarios.
    pub fn vendor_name(&self) -> &'static str {
        match self.vendor {
            Vendor::MySql => "mysql",
            Vendor::MariaDb => "mariadb",
        }
    }

    fn version(&self) -> (u16, u16, u16) {
        (self.major, self.minor, self.patch.unwrap_or(0))
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}.{}", self.vendor_name(), self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

/// A text that names no flavour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFlavor(pub String);

impl fmt::Display for BadFlavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no server flavour: write `mysql:9.7` or `mariadb:10.11`", self.0)
    }
}

impl std::error::Error for BadFlavor {}

impl FromStr for Flavor {
    type Err = BadFlavor;

    fn from_str(text: &str) -> Result<Self, BadFlavor> {
        let bad = || BadFlavor(text.to_owned());
        let (vendor, version) = text.split_once(':').ok_or_else(bad)?;
        let vendor = match vendor {
            "mysql" => Vendor::MySql,
            "mariadb" => Vendor::MariaDb,
            _ => return Err(bad()),
        };
        Self::with_version(vendor, version).ok_or_else(bad)
    }
}

impl Serialize for Flavor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Flavor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_strings_of_both_vendors_are_read() {
        let read = |text| Flavor::from_version_string(text).map(|flavor| flavor.to_string()).unwrap_or_default();
        assert_eq!(read("9.7.4"), "mysql:9.7.4");
        assert_eq!(read("8.0.36-28"), "mysql:8.0.36");
        assert_eq!(read("10.11.19-MariaDB-0+deb12u1-log"), "mariadb:10.11.19");
        assert_eq!(read("5.5.5-10.5.29-MariaDB"), "mariadb:10.5.29");
        assert!(Flavor::from_version_string("PostgreSQL 15").is_err());
    }

    #[test]
    fn a_flavor_prints_as_it_is_written() {
        for text in ["mysql:9.7", "mariadb:10.11", "mariadb:10.11.19"] {
            assert_eq!(text.parse::<Flavor>().map(|flavor| flavor.to_string()).as_deref(), Ok(text));
        }
        for text in ["mysql", "mysql:", "mysql:x", "oracle:9", "mysql:1.2.3.4"] {
            assert!(text.parse::<Flavor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_serves_the_version_asked_for_as_far_as_it_is_given() {
        let server = Flavor::from_version_string("10.11.19-MariaDB").expect("a version");
        assert!(server.serves(&"mariadb:10.11".parse().expect("a flavor")));
        assert!(!server.serves(&"mariadb:10.11.18".parse().expect("a flavor")));
        assert!(!server.serves(&"mysql:10.11".parse().expect("a flavor")));
    }
}
