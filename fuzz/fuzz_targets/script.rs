//! Any script: cut into the same statements however it comes in, each read and digested.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mysql_rehearsal::sql::digest::digest;
use mysql_rehearsal::sql::read::read;
use mysql_rehearsal::sql::script::fuzzing::pieces;
use mysql_rehearsal::sql::split::Piece;

fuzz_target!(|bytes: &[u8]| {
    let variables = BTreeMap::from([("#__".to_owned(), "j_".to_owned()), ("{prefix}".to_owned(), String::new())]);
    let (whole, error) = pieces(bytes, &BTreeMap::new(), 1 << 18);
    for chunk in [1, 7] {
        assert_eq!(pieces(bytes, &BTreeMap::new(), chunk), (whole.clone(), error.clone()), "in chunks of {chunk}");
    }
    let _filled = pieces(bytes, &variables, 1 << 18);
    for piece in &whole {
        let Piece::Statement(piece) = piece else { continue };
        assert!(!piece.text.is_empty() && piece.offset < bytes.len() as u64, "{piece:?}");
        let _digest = digest(&piece.text);
        for flavor in ["mysql:9.7", "mariadb:10.11"] {
            let _reading = read(&piece.text, "app", flavor.parse().expect("a flavor"));
        }
    }
});
