//! A server's public key, looked at before anything is done with it: who encrypts takes it for granted that it is one.

/// Bytes of a modulus: 1,024 to 16,384 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 128..=2048;
/// What RSA-OAEP with SHA-1 takes of a block for itself.
const PADDING: usize = 42;

/// True when `pem` is an RSA key as servers send one, which a message of `length` bytes can be encrypted with.
pub(super) fn takes(pem: &[u8], length: usize) -> bool {
    bytes_of(pem).is_some_and(|der| modulus(&der).is_some_and(|bytes| length + PADDING <= bytes))
}

/// What stands between the marks.
fn bytes_of(pem: &[u8]) -> Option<Vec<u8>> {
    let body = pem.strip_prefix(b"-----BEGIN PUBLIC KEY-----")?;
    let end = memchr::memchr(b'-', body)?;
    if !body[end..].starts_with(b"-----END PUBLIC KEY-----") || memchr::memmem::find(pem, b"BEGIN RSA").is_some() {
        return None;
    }
    let mut digits: Vec<u8> = body[..end].iter().copied().filter(|byte| !b" \n\t\r\x0b\x0c".contains(byte)).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let padded = digits.iter().rev().take(2).take_while(|digit| **digit == b'=').count();
    digits.truncate(digits.len() - padded);
    let (mut bytes, mut bits, mut have) = (Vec::new(), 0u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, have) = ((bits << 6 | u32::from(value)) & 0xffff, have + 6);
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    // Bits that belong to no byte are zeroes.
    (bits & ((1 << have) - 1) == 0).then_some(bytes)
}

/// Bytes of the modulus of a key (RFC 5280, SubjectPublicKeyInfo; RFC 8017, RSAPublicKey).
fn modulus(der: &[u8]) -> Option<usize> {
    let (info, _) = element(der, 0x30)?;
    let (_, rest) = element(info, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    let (key, _) = element(bits.strip_prefix(&[0])?, 0x30)?;
    let (modulus, rest) = element(key, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let whole = modulus.first().is_some_and(|first| *first > 0) && MODULUS.contains(&modulus.len());
    let small = exponent.len() <= 8 && exponent.iter().any(|byte| *byte > 0);
    (whole && small).then_some(modulus.len())
}

/// The content of the element that `der` begins with, when it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0Enr0yCADsj1FZiDshLB\n\
        Rs/a9SqrPt3YNgJwlG+uGE09LbUeerC8XlGnZJ8hqb4gK4KAmsX7BW2xqvV2dKko\n\
        jPR1w1rlb6Vc6UAE5/OsqkbqZTqs5cBTGqsYTa78I2/nS/iPttDjkn/UKQZqXvhV\n\
        z+T74qQ3pou0tpPOpjUYHUyzuZ6xxdid7U4A142lVq69XNVEt8oU7lChcCsYg9wO\n\
        WRXPh1P92Rdehjz2s8brGI8HbBgbhaUoO6qHOJdaU8NCql9pBN5yKTD1WJXTbbpF\n\
        NqoUbTd7QZ9BoiG/nCKzQSS4XWI2i5rdYc+bNFSbKbJPIBOxD5a2t53jOkJP40T9\n\
        cwIDAQAB\n\
        -----END PUBLIC KEY-----";

    #[test]
    fn a_key_is_told_from_what_is_none() {
        let long = vec![b'x'; 256 - PADDING];
        assert!(takes(KEY.as_bytes(), long.len()) && !takes(KEY.as_bytes(), long.len() + 1));
        assert_eq!(mysql_common::crypto::encrypt(&long, KEY.as_bytes()).len(), 256);
        for at in 0..KEY.len() {
            let cut = &KEY.as_bytes()[..at];
            assert!(!takes(cut, 8) || mysql_common::crypto::encrypt(b"8 bytes.", cut).len() == 256);
            let mut other = KEY.as_bytes().to_vec();
            for byte in [b'-', b'.', b'=', b'A', b'/', 0xff] {
                other[at] = byte;
                assert!(!takes(&other, 8) || !mysql_common::crypto::encrypt(b"8 bytes.", &other).is_empty());
            }
        }
        assert!(!takes(b"-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----", 8));
    }
}
