//! How a replica stands, channel by channel: what `verify` tells of it, and what `apply` rests for.

use anyhow::Result;

use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;

/// A replica's channel, from `SHOW REPLICA STATUS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) name: String,
    /// `host:port`.
    pub(super) source: String,
    /// What its source calls itself: `server_uuid`, on MariaDB `server_id`. Empty before it has connected once.
    pub(super) source_id: String,
    /// Both threads run.
    pub(super) runs: bool,
    /// The last error of either; empty when there is none.
    pub(super) error: String,
    /// Seconds behind; none when it does not say.
    pub(super) lag: Option<u64>,
    /// Seconds that it stays behind on purpose.
    pub(super) delay: u64,
    /// Filters by database and table, as the server writes them.
    pub(super) filters: Vec<String>,
}

/// The channels by which this server replicates from others, or why they could not be read.
///
/// # Errors
/// When the connection is lost.
pub(super) fn channels(reader: &mut ReadOnly, flavor: Flavor) -> Result<Result<Vec<Channel>, String>> {
    let sql = if flavor.is_mariadb() {
        "SHOW ALL SLAVES STATUS"
    } else if flavor.at_least_mysql(8, 0, 22) {
        "SHOW REPLICA STATUS"
    } else {
        "SHOW SLAVE STATUS"
    };
    let mut channels = Vec::new();
    let read = reader.each(sql, |row: mysql::Row| channels.push(channel(row)));
    match read {
        Ok(()) => Ok(Ok(channels)),
        Err(fault) if fault.is_connection_lost() => Err(fault.into()),
        Err(fault) => Ok(Err(fault.to_string())),
    }
}

/// Columns were renamed in MySQL 8.0.22: `Source_Host` for `Master_Host`, `Replica_IO_Running` for `Slave_IO_Running`.
fn channel(row: mysql::Row) -> Channel {
    let names: Vec<String> = row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
    let cells = <Cells as mysql::prelude::FromRow>::from_row(row);
    let text = |wanted: &[&str]| {
        let place = names.iter().position(|name| wanted.iter().any(|one| name.eq_ignore_ascii_case(one)));
        place.map(|place| cells.text(place)).unwrap_or_default()
    };
    let yes = |wanted: &[&str]| text(wanted).eq_ignore_ascii_case("yes");
    let errors = [text(&["Last_IO_Error"]), text(&["Last_SQL_Error"])];
    let filters =
        names.iter().enumerate().filter(|(_, name)| name.starts_with("Replicate_")).filter_map(|(place, name)| {
            let value = cells.text(place);
            let counts =
                !value.is_empty() && value != "0" && !name.ends_with("Domain_Ids") && !name.ends_with("Server_Ids");
            counts.then(|| format!("{name} = {value}"))
        });
    Channel {
        name: text(&["Channel_Name", "Connection_name"]),
        source: format!("{}:{}", text(&["Source_Host", "Master_Host"]), text(&["Source_Port", "Master_Port"])),
        source_id: text(&["Source_UUID", "Master_UUID", "Master_Server_Id"]),
        runs: yes(&["Replica_IO_Running", "Slave_IO_Running"]) && yes(&["Replica_SQL_Running", "Slave_SQL_Running"]),
        error: errors.into_iter().filter(|error| !error.is_empty()).collect::<Vec<_>>().join("; "),
        lag: text(&["Seconds_Behind_Source", "Seconds_Behind_Master"]).parse().ok(),
        delay: text(&["SQL_Delay"]).parse().unwrap_or_default(),
        filters: filters.collect(),
    }
}

impl Channel {
    /// Seconds that it is further behind than it is meant to be.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) fn behind(&self) -> Result<u64, String> {
        if !self.runs {
            let error = if self.error.is_empty() { String::new() } else { format!(": {}", self.error) };
            return Err(format!("its replication does not run{error}"));
        }
        self.lag.map(|lag| lag.saturating_sub(self.delay)).ok_or_else(|| "it does not say".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_is_behind_on_purpose_counts_from_there() {
        let channel = Channel {
            name: String::new(),
            source: "db1:3306".to_owned(),
            source_id: "1".to_owned(),
            runs: true,
            error: String::new(),
            lag: Some(3_605),
            delay: 3_600,
            filters: Vec::new(),
        };
        assert_eq!(channel.behind(), Ok(5));
        assert_eq!(Channel { lag: Some(20), ..channel.clone() }.behind(), Ok(0));
        assert!(Channel { lag: None, ..channel.clone() }.behind().is_err());
        let stopped = Channel { runs: false, error: "1062 duplicate".to_owned(), ..channel };
        assert_eq!(stopped.behind(), Err("its replication does not run: 1062 duplicate".to_owned()));
    }
}
