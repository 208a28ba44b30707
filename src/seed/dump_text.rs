//! A dump as text: dumps hold the bytes of blobs, and of texts in old character sets, inside quotes. Such literals are
//! written as hexadecimal ones on the way, so that all that comes after can take the dump for UTF-8.
//!
//! Works line by line: dumps write a newline inside a value as `\n`, so a literal that holds strange bytes ends on its
//! line. Lines that are UTF-8 already, nearly all of them, pass untouched.

use std::io::{self, BufRead, Read};

/// Reads a dump as UTF-8.
#[derive(Debug)]
pub struct DumpText<R> {
    input: R,
    line: Vec<u8>,
    given: usize,
    /// The introducer for texts in the character set that `SET NAMES` named; none for UTF-8.
    introducer: Option<String>,
}

impl<R: BufRead> DumpText<R> {
    /// The text of a dump.
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new(), given: 0, introducer: None }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.given = 0;
        self.input.read_until(b'\n', &mut self.line)?;
        if let Some(charset) = named_charset(&self.line) {
            let utf8 = charset.starts_with("utf8") || charset == "binary";
            self.introducer = (!utf8).then(|| format!("_{charset} "));
        }
        if std::str::from_utf8(&self.line).is_err() {
            self.line = with_hexadecimal(&self.line, self.introducer.as_deref());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for DumpText<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.next_line()?;
        }
        let rest = &self.line[self.given..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// The character set of a `SET NAMES` that stands alone on its line.
fn named_charset(line: &[u8]) -> Option<String> {
    if line.len() > 100 {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?.to_ascii_lowercase();
    let (_, rest) = text.split_once("set names ")?;
    let word = rest.trim_start_matches(['\'', '"']);
    let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
    Some(word[..end].to_owned())
}

/// The line with each quoted literal that is no UTF-8 as `x'…'`.
fn with_hexadecimal(line: &[u8], introducer: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len() * 2);
    let mut at = 0;
    while at < line.len() {
        let byte = line[at];
        if !matches!(byte, b'\'' | b'"' | b'`') {
            out.push(byte);
            at += 1;
            continue;
        }
        let end = closing(line, at);
        let literal = &line[at..end];
        if byte == b'`' || std::str::from_utf8(literal).is_ok() {
            out.extend_from_slice(literal);
        } else {
            if !has_introducer(&out) {
                out.extend_from_slice(introducer.unwrap_or_default().as_bytes());
            }
            out.extend_from_slice(b"x'");
            for byte in unescaped(literal) {
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
            out.push(b'\'');
        }
        at = end;
    }
    out
}

/// Where the literal that begins at `start` is over.
fn closing(line: &[u8], start: usize) -> usize {
    let quote = line[start];
    let mut at = start + 1;
    while at < line.len() {
        match line[at] {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote && line.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    line.len()
}

/// The bytes that a quoted literal stands for.
fn unescaped(literal: &[u8]) -> Vec<u8> {
    let quote = literal[0];
    let inner = &literal[1..literal.len() - usize::from(literal.len() > 1 && literal.ends_with(&[quote]))];
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'0') => 0,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'b') => 8,
                Some(b'Z') => 26,
                Some(other) => other,
                None => b'\\',
            },
            byte if byte == quote => {
                rest.next();
                quote
            }
            other => other,
        });
    }
    bytes
}

/// True when what was written so far ends with `_charset`, which then says what the literal is.
fn has_introducer(out: &[u8]) -> bool {
    let end = out.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let word = out[..end].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    word > 1 && out[end - word] == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(dump: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        DumpText::new(dump).read_to_end(&mut text).expect("a slice can be read");
        text
    }

    #[test]
    fn strange_bytes_become_hexadecimal_and_the_rest_stays() {
        let dump =
            b"INSERT INTO `t` VALUES (1,'caf\xc3\xa9',_binary '\xff\\0\\n''\\\\',NULL),(2,'it''s','\xe9');\n-- end\n";
        let text = String::from_utf8(read(dump)).expect("text");
        assert_eq!(text, "INSERT INTO `t` VALUES (1,'café',_binary x'ff000a275c',NULL),(2,'it''s',x'e9');\n-- end\n");
    }

    #[test]
    fn old_character_sets_are_introduced() {
        let dump = b"/*!40101 SET NAMES latin1 */;\nINSERT INTO t VALUES ('\xe9',_binary '\xe9');\nSET NAMES utf8mb4;\nx '\xe9'\n";
        let text = String::from_utf8(read(dump)).expect("text");
        assert!(text.contains("(_latin1 x'e9',_binary x'e9')"), "{text}");
        assert!(text.ends_with("x x'e9'\n"), "{text}");
    }

    proptest! {
        #[test]
        fn a_literal_keeps_its_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut dump = b"(_binary '".to_vec();
            for byte in &bytes {
                match byte {
                    0 => dump.extend(b"\\0"),
                    b'\n' => dump.extend(b"\\n"),
                    b'\\' => dump.extend(b"\\\\"),
                    b'\'' => dump.extend(b"\\'"),
                    other => dump.push(*other),
                }
            }
            dump.extend(b"')");
            let text = read(&dump);
            prop_assert!(std::str::from_utf8(&text).is_ok());
            if std::str::from_utf8(&dump).is_err() {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                prop_assert_eq!(String::from_utf8(text).expect("text"), format!("(_binary x'{hex}')"));
            } else {
                prop_assert_eq!(text, dump);
            }
        }
    }
}
