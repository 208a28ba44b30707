//! In which forms a result is shown, and where each goes.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ClapArgs, ValueEnum};

use crate::problem::nearest;

/// In which forms a result is shown.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Formats {
    /// What to print, or with =FILE to write: text, json, markdown, html, sarif, github, gitlab, junit, such as
    /// sarif=rehearse.sarif; may be given again [default: text]
    #[arg(long, value_name = "FORMAT[=FILE]", help_heading = "Result")]
    pub format: Vec<Wanted>,
    /// Print no annotations under GitHub Actions; without this they go to the standard error there
    #[arg(long, env = "REHEARSE_NO_ANNOTATIONS", value_parser = clap::builder::FalseyValueParser::new(), help_heading = "Result")]
    pub no_annotations: bool,
}

/// One form, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The form.
    pub format: Format,
    /// The file; none: the standard output.
    pub file: Option<PathBuf>,
}

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: report.json
    Json,
    /// For pull requests and job summaries
    Markdown,
    /// One page for a browser, as report.html; of rehearsals
    Html,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code-quality report
    Gitlab,
    /// JUnit's XML: a case for each statement
    Junit,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err(format!("no file is named after the =; write {text}FILE")),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let names: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned()))
            .collect();
        let format =
            Format::from_str(name, false).map_err(|_| match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("there is no format '{name}'; did you mean {near}?"),
                None => format!("there is no format '{name}'; there are {}", names.join(", ")),
            })?;
        Ok(Self { format, file })
    }
}

impl Formats {
    /// The one that goes to the standard output, where people read text unless they ask for something else there.
    ///
    /// # Errors
    /// When two are to go there.
    pub fn printed(&self) -> Result<Format, String> {
        let mut printed = self.format.iter().filter(|wanted| wanted.file.is_none());
        match (printed.next(), printed.next()) {
            (Some(_), Some(_)) => Err("two formats cannot both go to the standard output".to_owned()),
            (one, _) => Ok(one.map(|wanted| wanted.format).unwrap_or_default()),
        }
    }

    /// A form that was asked for.
    pub fn asks(&self, format: Format) -> bool {
        self.format.iter().any(|wanted| wanted.format == format)
    }

    /// Those that go to files.
    pub fn written(&self) -> impl Iterator<Item = (Format, &PathBuf)> {
        self.format.iter().filter_map(|wanted| Some((wanted.format, wanted.file.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_name_its_file() {
        let wanted = |text: &str| text.parse::<Wanted>();
        assert_eq!(wanted("sarif=a=b.sarif"), Ok(Wanted { format: Format::Sarif, file: Some("a=b.sarif".into()) }));
        assert_eq!(wanted("text"), Ok(Wanted { format: Format::Text, file: None }));
        assert!(wanted("sariff").is_err_and(|why| why.contains("did you mean sarif?")));
        assert!(wanted("json=").is_err() && wanted("").is_err());
    }

    #[test]
    fn text_is_printed_unless_another_form_is() {
        let formats = |texts: &[&str]| Formats {
            format: texts.iter().map(|text| text.parse().expect("a format")).collect(),
            no_annotations: false,
        };
        assert_eq!(formats(&[]).printed(), Ok(Format::Text));
        assert_eq!(formats(&["json=x", "sarif=y"]).printed(), Ok(Format::Text));
        assert_eq!(formats(&["json", "sarif=y"]).printed(), Ok(Format::Json));
        assert!(formats(&["json", "text"]).printed().is_err());
    }
}
