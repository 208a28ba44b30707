//! How an error tells whose fault it is, and what to do next.
//!
//! An error is an `anyhow` chain. A [`BadInput`] anywhere in it says that what the person gave cannot be used (exit code 2,
//! nothing was tried); without one the rehearsal itself failed (exit code 3). A link of the chain whose text begins with
//! `hint: ` is the next step, a full sentence; `cli` shows it last, under the causes.

use std::fmt;

/// What the person gave cannot be used: the text names it.
///
/// ```
/// use mysql_rehearsal::problem::{BadInput, is_bad_input};
/// let error = anyhow::Error::new(BadInput::new("there is no table app.order")).context("cannot use --rows");
/// assert!(is_bad_input(&error));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInput(String);

impl BadInput {
    /// Says what cannot be used and why; lower case, no final period.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// True when a link of the chain is a [`BadInput`], be it an error or a context.
pub fn is_bad_input(error: &anyhow::Error) -> bool {
    error.downcast_ref::<BadInput>().is_some() || error.chain().any(|link| link.is::<BadInput>())
}

/// The one of `known` that is most like `given`, when it is like it at all.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn bad_input_is_found_wherever_it_stands_in_the_chain() {
        let as_cause = anyhow::Error::new(BadInput::new("x")).context("outer").context("hint: Do y.");
        let as_context = Err::<(), _>(std::io::Error::other("disk"))
            .context("first")
            .context(BadInput::new("middle"))
            .context("outer")
            .expect_err("an error");
        assert!(is_bad_input(&as_cause) && is_bad_input(&as_context));
        assert!(!is_bad_input(&anyhow::anyhow!("x")));
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_stranger_is_not() {
        let known = ["app.orders", "app.users", "app.order_items"];
        assert_eq!(nearest("app.order", known), Some("app.orders"));
        assert_eq!(nearest("app.usres", known), Some("app.users"));
        assert_eq!(nearest("zzz", known), None);
    }
}
