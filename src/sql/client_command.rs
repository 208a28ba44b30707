//! What the stock client takes for itself instead of sending it.

/// A client command that a script can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// `DELIMITER x`.
    Delimiter(String),
    /// `USE db`: it is sent, in effect, as a statement.
    Use,
    /// `SOURCE file`.
    Source(String),
    /// `exit`, `quit`: the rest of the input is not read.
    Quit,
    /// What only shows or formats something: passed over.
    Display,
    /// What leaves the server or the session that a rehearsal can speak for.
    Refused(&'static str),
}

/// Commands by name: whether they take parameters, as in the client's own table (`client/mysql.cc`).
const COMMANDS: [(&str, char, bool); 26] = [
    ("?", '?', false),
    ("charset", 'C', true),
    ("clear", 'c', false),
    ("connect", 'r', true),
    ("costs", 'Q', false),
    ("delimiter", 'd', true),
    ("edit", 'e', false),
    ("ego", 'G', false),
    ("exit", 'q', false),
    ("go", 'g', false),
    ("help", 'h', true),
    ("nopager", 'n', false),
    ("notee", 't', false),
    ("nowarning", 'w', false),
    ("pager", 'P', true),
    ("print", 'p', false),
    ("prompt", 'R', true),
    ("quit", 'q', false),
    ("rehash", '#', false),
    ("sandbox", '-', false),
    ("source", '.', true),
    ("status", 's', false),
    ("system", '!', true),
    ("tee", 'T', true),
    ("use", 'u', true),
    ("warnings", 'W', false),
];

/// The command that this line (without its end) is, when its first word names one.
pub fn of_line(line: &str) -> Option<ClientCommand> {
    let line = line.trim();
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let (name, _, takes) = COMMANDS.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(word))?;
    let argument = rest.trim();
    // `help contents` is for the server; the client's own help only stands alone. What a quote leaves open is a statement's
    // beginning: a name may hold a line break.
    if !argument.is_empty() && (!takes || *name == "help" || is_open(argument)) {
        return None;
    }
    Some(of_name(name, argument))
}

/// The command that `\c` with this letter is; `rest` is the text after it. None for an unknown letter.
pub fn of_letter(letter: char, rest: &str) -> Option<(ClientCommand, bool)> {
    let (name, _, takes) = COMMANDS.iter().find(|(_, short, _)| *short == letter)?;
    Some((of_name(name, rest.trim()), *takes))
}

fn of_name(name: &'static str, argument: &str) -> ClientCommand {
    match name {
        "delimiter" => ClientCommand::Delimiter(first_word(argument).to_owned()),
        "use" => ClientCommand::Use,
        "source" => ClientCommand::Source(argument.trim_end_matches(';').trim().to_owned()),
        "exit" | "quit" => ClientCommand::Quit,
        "system" | "edit" | "connect" | "charset" => ClientCommand::Refused(name),
        _ => ClientCommand::Display,
    }
}

/// True when the argument begins with a quote that does not close, or holds nothing.
fn is_open(argument: &str) -> bool {
    let mut bytes = argument.bytes().peekable();
    let Some(quote @ (b'\'' | b'"' | b'`')) = bytes.next() else { return false };
    let mut empty = true;
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && quote != b'`' || byte == quote && bytes.peek() == Some(&quote) {
            bytes.next();
        } else if byte == quote {
            return empty;
        }
        empty = false;
    }
    true
}

/// The first word, or what stands in quotes.
fn first_word(text: &str) -> &str {
    match text.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => text[1..].split(quote).next().unwrap_or(""),
        _ => text.split_whitespace().next().unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_by_its_first_word() {
        assert_eq!(of_line("  delimiter d//"), Some(ClientCommand::Delimiter("d//".to_owned())));
        assert_eq!(of_line("DELIMITER ;;; extra"), Some(ClientCommand::Delimiter(";;;".to_owned())));
        assert_eq!(of_line("source a b.sql"), Some(ClientCommand::Source("a b.sql".to_owned())));
        assert_eq!(of_line("warnings"), Some(ClientCommand::Display));
        assert_eq!(of_line("status"), Some(ClientCommand::Display));
        assert_eq!(of_line("help"), Some(ClientCommand::Display));
        assert_eq!(of_line("help contents"), None);
        assert_eq!(of_line("delimiterx"), None);
    }

    /// As the clients of MySQL 9.7 and MariaDB 11.8 take them.
    #[test]
    fn a_name_whose_quote_stays_open_on_its_line_begins_a_statement() {
        for line in ["USE `a b`", "use `a``b` c", "USE 'it''s'", "USE `a\\`b", "USE a`", "USE ````"] {
            assert_eq!(of_line(line), Some(ClientCommand::Use), "{line}");
        }
        for line in ["USE `a", "USE `a``", "use \"a\\\"", "USE '", "USE ``", "source 'a"] {
            assert_eq!(of_line(line), None, "{line}");
        }
    }
}
