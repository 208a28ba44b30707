//! A page of a terminal, as it is written.

/// What is written so far.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) colour: bool,
    pub(super) width: u16,
}

impl Page {
    pub(super) fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = self.paint(text, "1");
        self.out.push_str(&format!("\n{text}\n"));
    }

    /// A paragraph, wrapped, with a mark before its first line.
    pub(super) fn item(&mut self, mark: &str, code: &str, text: &str) {
        let indent = mark.chars().count() + 1;
        let room = usize::from(self.width).saturating_sub(indent + 2).max(30);
        for (index, line) in wrap(text, room).into_iter().enumerate() {
            let before = if index == 0 { format!("{} ", self.paint(mark, code)) } else { " ".repeat(indent) };
            self.out.push_str(&format!("  {before}{line}\n"));
        }
    }
}

/// Lines of at most `width` characters, broken at spaces.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
