use proptest::prelude::*;

use super::*;
use crate::sql::record::TransactionStep;

fn summary(reading: &Reading, text: &str) -> String {
    let effect = &reading.effect;
    let mut out = format!("{} {:?}", reading.kind.name(), reading.confidence).to_lowercase();
    let names = |set: &BTreeSet<TableName>| {
        set.iter().map(|name| name.to_string().trim_start_matches("app.").to_owned()).collect::<Vec<_>>().join(",")
    };
    for (what, set) in [
        ("reads", &effect.reads),
        ("writes", &effect.writes),
        ("empties", &effect.empties),
        ("defines", &effect.defines),
        ("drops", &effect.drops),
    ] {
        if !set.is_empty() {
            out += &format!(" {what}={}", names(set));
        }
    }
    for (from, to) in &effect.renames {
        out +=
            &format!(" {}>{}", from.to_string().trim_start_matches("app."), to.to_string().trim_start_matches("app."));
    }
    for (what, set) in [
        ("where", effect.has_where),
        ("order", effect.has_order_by),
        ("limit", effect.has_limit),
        ("multi", effect.multi_table),
        ("temporary", effect.temporary),
        ("session", effect.changes_session),
    ] {
        if set {
            out += &format!(" {what}");
        }
    }
    if effect.transaction != TransactionStep::None {
        out += &format!(" {:?}", effect.transaction);
    }
    if let Some((first, last)) = effect.assignments {
        out += &format!(" [{}]", &text[first..last]);
    }
    if let Some((first, last)) = effect.condition {
        out += &format!(" ({})", &text[first..last]);
    }
    for clause in &effect.clauses {
        out += &format!(" {:?}", clause.class);
        if let Some(object) = &clause.object {
            out += &format!(":{object}");
        }
    }
    out
}

#[test]
fn statements_of_every_verb_are_read_right() {
    let mut flavor: Flavor = "mysql:9.7".parse().expect("a flavor");
    let mut lines = include_str!("statements.txt").lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    let mut wrong = Vec::new();
    let mut count = 0;
    while let Some(text) = lines.next() {
        if text == "mariadb" {
            flavor = "mariadb:10.11".parse().expect("a flavor");
            continue;
        }
        let expected = lines.next().unwrap_or_default().trim();
        let found = summary(&read(text, "app", flavor), text);
        if found != expected {
            wrong.push(format!("{text}\n  expected {expected}\n  found    {found}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 190, "{count}");
}

fn flavor() -> Flavor {
    "mysql:9.7".parse().expect("a flavor")
}

#[test]
fn what_is_not_parsed_says_why_and_what_is_does_not() {
    for text in ["SELECT 1", "UPDATE IGNORE t SET a = 1", "ALTER TABLE t FORCE", "frobnicate", "CALL p()", "SELECT 'a"]
    {
        let reading = read(text, "app", flavor());
        let parsed = matches!(reading.confidence, Confidence::Parsed | Confidence::Rewritten);
        assert_eq!(reading.why.is_none(), parsed, "{text}: {reading:?}");
    }
}

#[test]
fn clauses_keep_their_own_text() {
    let text =
        "ALTER TABLE t ADD a INT COMMENT 'x, (y', -- c\n ENGINE = InnoDB  ROW_FORMAT=DYNAMIC, ORDER BY a, b DESC";
    let clauses: Vec<_> = read(text, "app", flavor()).effect.clauses.into_iter().map(|clause| clause.text).collect();
    assert_eq!(clauses, ["ADD a INT COMMENT 'x, (y'", "ENGINE = InnoDB", "ROW_FORMAT=DYNAMIC", "ORDER BY a, b DESC"]);
}

#[test]
fn endless_chains_and_nests_neither_overflow_nor_hide_what_is_touched() {
    let chain = format!("DELETE FROM t WHERE a = 0{}", " OR a = 1 AND b IN (SELECT c FROM u)".repeat(20_000));
    let reading = read(&chain, "app", flavor());
    assert_eq!((reading.kind, reading.confidence), (Kind::Delete, Confidence::Scanned));
    assert!(reading.effect.has_where && reading.effect.reads.contains(&TableName::new("app", "u")));
    let nest = format!("SELECT {}1{} FROM t", "(".repeat(5_000), ")".repeat(5_000));
    assert!(read(&nest, "app", flavor()).effect.reads.contains(&TableName::new("app", "t")));
    let unions = vec!["SELECT 1 FROM t"; 5_000].join(" UNION ");
    assert_eq!(read(&unions, "app", flavor()).confidence, Confidence::Scanned);
}

#[test]
fn a_large_insert_is_parsed_as_its_first_rows() {
    let text = format!("INSERT INTO t (a, b) VALUES {}", vec!["(1, 'x')"; 400_000].join(","));
    let reading = read(&text, "app", flavor());
    assert_eq!((reading.kind, reading.confidence), (Kind::Insert, Confidence::Parsed));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,200}") {
        let _ = read(&text, "app", flavor());
    }

    #[test]
    fn reading_never_panics_on_near_sql(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..25)) {
        let text = words.join(" ");
        let reading = read(&text, "app", flavor());
        for (first, last) in reading.effect.condition.into_iter().chain(reading.effect.assignments) {
            prop_assert!(text.get(first..last).is_some());
        }
        crate::sql::digest::digest(&text);
        crate::sql::placeholder::unfilled(&text);
    }
}

const WORDS: [&str; 56] = [
    "SELECT",
    "FROM",
    "t",
    "`a b`",
    "db.",
    ".",
    ",",
    "(",
    ")",
    "WHERE",
    "=",
    "1",
    "'x'",
    "\"y\"",
    "UPDATE",
    "SET",
    "DELETE",
    "USING",
    "INSERT",
    "INTO",
    "VALUES",
    "ALTER",
    "TABLE",
    "ADD",
    "DROP",
    "COLUMN",
    "INDEX",
    "PARTITION",
    "BY",
    "ORDER",
    "LIMIT",
    "WITH",
    "AS",
    "JOIN",
    "ON",
    "CREATE",
    "TRIGGER",
    "RENAME",
    "TO",
    "ENGINE",
    "DEFAULT",
    "CHARACTER",
    "COLLATE",
    "@a",
    ":=",
    "/*!50000",
    "*/",
    "`",
    "LOCK",
    "TABLES",
    "LOAD",
    "DATA",
    "ANALYZE",
    "EXPLAIN",
    "#__",
    "é",
];
