//! What a source is, told by its first bytes.

use super::{Kind, general, pretend, slow, table};

/// What a beginning looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// This.
    Kind(Kind),
    /// Nothing that a capture can be made of: why, in words.
    Refused(&'static str),
}

/// Tells a source by its first bytes.
pub fn guess(head: &[u8]) -> Guess {
    if head.starts_with(b"\xfebin") {
        return Guess::Kind(Kind::RawBinlog);
    }
    if [&b"\xd4\xc3\xb2\xa1"[..], b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a"]
        .iter()
        .any(|magic| head.starts_with(magic))
    {
        return Guess::Refused(
            "recorded packets (tcpdump): capture with `rehearse capture -- COMMAND`, or switch the general log on",
        );
    }
    if head.starts_with(b"SQLite format 3") {
        return Guess::Refused("a database of SQLite");
    }
    if is_tcpdump(head) {
        return Guess::Refused(
            "tcpdump's text: packets are not put together here; capture with `rehearse capture -- COMMAND`, or switch the general log on",
        );
    }
    if memchr::memmem::find(&head[..head.len().min(8192)], b"DELIMITER /*!*/;").is_some() {
        return Guess::Kind(Kind::Binlog);
    }
    if let Some(kind) = table::begins(head) {
        return Guess::Kind(kind);
    }
    // A slow log may hold comments that look like anything: its heads are told first.
    if slow::begins(head) {
        return Guess::Kind(Kind::Slow);
    }
    if general::begins(head) {
        return Guess::Kind(Kind::General);
    }
    if pretend::begins(head) {
        return Guess::Kind(Kind::Laravel);
    }
    if head[..head.len().min(4096)].contains(&0) {
        return Guess::Refused("no text");
    }
    Guess::Kind(Kind::Sql)
}

/// `2026-11-21 18:20:46.249468 IP 127.0.0.1.3306 > …` and lines of `0x0010:`.
fn is_tcpdump(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').take(20).any(|line| {
        let text = String::from_utf8_lossy(&line[..line.len().min(200)]);
        (text.contains(" IP ") || text.contains(" IP6 "))
            && text.contains(" > ")
            && text.contains(": ")
            && text.starts_with(|c: char| c.is_ascii_digit())
            || text.trim_start().starts_with("0x0000:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_by_their_beginning() {
        let kind = |text: &str| match guess(text.as_bytes()) {
            Guess::Kind(kind) => kind.to_string(),
            Guess::Refused(why) => why.to_owned(),
        };
        assert_eq!(
            kind("Time                 Id Command    Argument\n2026-11-21T18:20:46.249468Z\t    8 Query\tSELECT 1\n"),
            "general"
        );
        assert_eq!(kind("261121 18:14:45\t     4 Query\tselect 1\n\t\t     4 Quit\t\n"), "general");
        assert_eq!(kind("# Time: 261121 18:14:45\n# User@Host: root[root] @ localhost []\n"), "slow");
        assert_eq!(kind("/*!50530 SET @@SESSION.PSEUDO_SLAVE_MODE=1*/;\nDELIMITER /*!*/;\n"), "binlog");
        assert_eq!(kind("\u{2}"), "sql");
        assert_eq!(guess(b"\xfebin\x01"), Guess::Kind(Kind::RawBinlog));
        assert_eq!(
            kind("\"2026-11-21 18:14:45.760364\",\"root[root] @ localhost []\",8,1,\"Query\",\"select 1\"\n"),
            "general-table"
        );
        assert_eq!(kind("CreateUsersTable: create table `users` (`id` int)\n"), "laravel");
        assert_eq!(kind("ALTER TABLE t ADD a INT;\n"), "sql");
        assert!(kind("18:20:46.249468 IP 127.0.0.1.5 > 127.0.0.1.3306: tcp 5\n").contains("tcpdump"));
        assert_eq!(kind(""), "sql");
    }
}
