//! Sentences with Markdown's `**` and backticks, as a plan says them, for a page.

use askama::Template;

/// A sentence. It escapes what it holds by its own template.
#[derive(Clone, Debug, Template)]
#[template(
    source = "{% for (kind, text) in parts %}{% match kind %}{% when Kind::Code %}<code>{{ text }}</code>{% when Kind::Strong %}<b>{{ text }}</b>{% when Kind::Plain %}{{ text }}{% endmatch %}{% endfor %}",
    ext = "html"
)]
pub struct Marked {
    parts: Vec<(Kind, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Strong,
    Code,
}

impl Marked {
    /// True when it says nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl From<&str> for Marked {
    fn from(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let next = rest.find(['`', '*']).unwrap_or(rest.len());
            let (before, marked) = rest.split_at(next);
            push(&mut parts, Kind::Plain, before);
            rest = match code(marked).or_else(|| strong(marked)) {
                Some((kind, inner, after)) => {
                    push(&mut parts, kind, inner);
                    after
                }
                // A sign that marks nothing is itself.
                None => {
                    let sign = marked.chars().next().map_or(0, char::len_utf8);
                    push(&mut parts, Kind::Plain, &marked[..sign]);
                    &marked[sign..]
                }
            };
        }
        Self { parts }
    }
}

impl From<String> for Marked {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

fn push(parts: &mut Vec<(Kind, String)>, kind: Kind, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some((last, own)) if *last == kind && kind == Kind::Plain => own.push_str(text),
        _ => parts.push((kind, text.to_owned())),
    }
}

/// A part in as many backticks as it begins with.
fn code(text: &str) -> Option<(Kind, &str, &str)> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let fence = text.get(..ticks).filter(|fence| !fence.is_empty())?;
    let (inner, after) = text[ticks..].split_once(fence)?;
    Some((Kind::Code, inner.trim(), after))
}

fn strong(text: &str) -> Option<(Kind, &str, &str)> {
    let (inner, after) = text.strip_prefix("**")?.split_once("**")?;
    // Code in it is rare, and then the ticks are in the way.
    (!inner.contains('`')).then_some((Kind::Strong, inner, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_elements_and_texts_stay_texts() {
        for (text, page) in [
            ("no script: `a < b` & **not** so", "no script: <code>a &#60; b</code> &#38; <b>not</b> so"),
            ("`` ALTER TABLE `t` `` ends", "<code>ALTER TABLE `t`</code> ends"),
            ("2 * 3 ** 4 `open", "2 * 3 ** 4 `open"),
            ("**<script>**", "<b>&#60;script&#62;</b>"),
            ("", ""),
        ] {
            assert_eq!(Marked::from(text).to_string(), page, "{text}");
        }
    }
}
