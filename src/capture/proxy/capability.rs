//! What client and server agree on at login. Numbers: MySQL's `mysql_com.h`; MariaDB's own stand above the 32nd bit.

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(pub u64);

impl Capabilities {
    /// MySQL's `CLIENT_LONG_PASSWORD`; a MariaDB server leaves it out to say that it has capabilities of its own.
    pub const MYSQL: u64 = 1;
    pub const FOUND_ROWS: u64 = 1 << 1;
    pub const CONNECT_WITH_DB: u64 = 1 << 3;
    pub const COMPRESS: u64 = 1 << 5;
    pub const IGNORE_SPACE: u64 = 1 << 8;
    pub const PROTOCOL_41: u64 = 1 << 9;
    pub const SSL: u64 = 1 << 11;
    pub const SECURE_CONNECTION: u64 = 1 << 15;
    pub const MULTI_STATEMENTS: u64 = 1 << 16;
    pub const PLUGIN_AUTH: u64 = 1 << 19;
    pub const CONNECT_ATTRS: u64 = 1 << 20;
    pub const AUTH_LENGTH: u64 = 1 << 21;
    pub const DEPRECATE_EOF: u64 = 1 << 24;
    pub const OPTIONAL_METADATA: u64 = 1 << 25;
    pub const ZSTD: u64 = 1 << 26;
    pub const QUERY_ATTRIBUTES: u64 = 1 << 27;
    /// Factors beyond the first: the proxy asks for one password at most.
    pub const MULTI_FACTOR: u64 = 1 << 28;
    /// Reserved for more flags than 32, and two flags that never travel.
    pub const RESERVED: u64 = 0b111 << 29;
    pub const PROGRESS: u64 = 1 << 32;
    pub const CACHE_METADATA: u64 = 1 << 36;
    /// MariaDB's that the proxy knows: progress, COM_MULTI (never used), bulk execution, extended metadata, cached
    /// metadata, unit results of bulk execution.
    pub const MARIADB: u64 = 0b11_1111 << 32;

    /// All of these are there.
    pub fn has(self, flags: u64) -> bool {
        self.0 & flags == flags
    }

    /// What the proxy offers in the place of a server that offers this: the same, but for compression and a second
    /// factor, and with TLS, which ends at the proxy.
    pub fn offered(self) -> Self {
        let known = u64::from(u32::MAX) | Self::MARIADB;
        Self(self.0 & known & !(Self::COMPRESS | Self::ZSTD | Self::MULTI_FACTOR | Self::RESERVED) | Self::SSL)
    }
}
