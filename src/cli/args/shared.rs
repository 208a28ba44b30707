//! What several commands take.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{FailOnArg, Formats, table_rows};
use crate::quantity::Count;
use crate::scenario::record;
use crate::server::flavor::Flavor;

/// What production is like.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Production {
    /// Production's schema: a file or directory of CREATE statements
    #[arg(long, value_name = "FILE", help_heading = "Production")]
    pub schema: Option<PathBuf>,
    /// Production's shape, as `rehearse survey` saved it
    #[arg(long, value_name = "FILE", help_heading = "Production")]
    pub survey: Option<PathBuf>,
    /// Rows of a table in production, such as app.orders=9M; may be given again
    #[arg(long, value_name = "TABLE=N", value_parser = table_rows, help_heading = "Production")]
    pub rows: Vec<(String, Count)>,
    /// The database in use when the upgrade begins, which a schema file fills when it names none [default: app]
    #[arg(long, value_name = "NAME", help_heading = "Production")]
    pub database: Option<String>,
    /// Production's server, such as mysql:9.7 or mariadb:10.11 [default: the survey's, else mysql:8.4]
    #[arg(long, value_name = "FLAVOR", help_heading = "Production")]
    pub server: Option<Flavor>,
}

impl From<&Production> for record::Production {
    fn from(typed: &Production) -> Self {
        Self {
            schema: typed.schema.clone(),
            survey: typed.survey.clone(),
            rows: typed.rows.iter().cloned().collect(),
            database: typed.database.clone(),
            ..Self::default()
        }
    }
}

/// What is made of the findings.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Verdict {
    /// How to show the result
    #[command(flatten)]
    pub show: Formats,
    /// From which severity on findings make exit code 1 [default: error]
    #[arg(long, value_enum, help_heading = "Result")]
    pub fail_on: Option<FailOnArg>,
    /// The environment of rehearse.yaml whose section holds, such as ci
    #[arg(long, env = "REHEARSE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// Print what would be used, and do nothing
    #[arg(long)]
    pub show_config: bool,
}
