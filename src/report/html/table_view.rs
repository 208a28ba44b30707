//! Tables before and after the upgrade.

use crate::quantity;
use crate::report::record::{Report, Table};
use crate::survey::record::Basis;

/// A line of a schema diff.
#[derive(Clone, Debug)]
pub struct DiffLine {
    /// `add`, `del`, `at` or empty.
    pub class: &'static str,
    /// The line.
    pub text: String,
}

/// One table.
#[derive(Clone, Debug)]
pub struct TableView {
    /// Its name.
    pub name: String,
    /// Rows in production, with where that number comes from.
    pub production: String,
    /// Rows before, in the sandbox.
    pub before: String,
    /// Rows after.
    pub after: String,
    /// `−180,000`; empty when nothing changed.
    pub change: String,
    /// Bytes before and after.
    pub bytes: String,
    /// How its definition changed.
    pub diff: Vec<DiffLine>,
}

/// The tables that the upgrade touches; those that it changes first.
pub fn all(report: &Report) -> Vec<TableView> {
    let mut views: Vec<TableView> = report.tables.iter().map(of).collect();
    views.sort_by_key(|view| view.change.is_empty() && view.diff.is_empty());
    views
}

fn of(table: &Table) -> TableView {
    let count = |rows: Option<u64>| rows.map_or_else(|| "–".to_owned(), quantity::grouped);
    let basis = match table.production_rows_basis {
        Some(Basis::Stated) => " (stated)",
        Some(Basis::Estimated) => " (estimated)",
        Some(Basis::Extrapolated) => " (extrapolated)",
        Some(Basis::Measured) | None => "",
    };
    TableView {
        name: table.name.to_string(),
        production: format!("{}{basis}", count(table.production_rows)),
        before: count(table.rows_before),
        after: count(table.rows_after),
        change: change(table),
        bytes: match (table.bytes_before, table.bytes_after) {
            (Some(before), Some(after)) if before != after => {
                format!("{} → {}", quantity::bytes(before), quantity::bytes(after))
            }
            (Some(bytes), _) | (None, Some(bytes)) => quantity::bytes(bytes),
            (None, None) => String::new(),
        },
        diff: diff(&table.schema_diff),
    }
}

fn change(table: &Table) -> String {
    match (table.rows_before, table.rows_after) {
        (Some(before), Some(after)) if after > before => format!("+{}", quantity::grouped(after - before)),
        (Some(before), Some(after)) if after < before => format!("−{}", quantity::grouped(before - after)),
        (None, Some(_)) => "new".to_owned(),
        (Some(_), None) => "gone".to_owned(),
        _ => String::new(),
    }
}

/// A unified diff by lines.
pub fn diff(text: &str) -> Vec<DiffLine> {
    (text.lines())
        .filter(|line| !line.starts_with("--- ") && !line.starts_with("+++ "))
        .map(|line| {
            let class = match line.chars().next() {
                Some('+') => "add",
                Some('-') => "del",
                Some('@') => "at",
                _ => "",
            };
            DiffLine { class, text: line.to_owned() }
        })
        .collect()
}
