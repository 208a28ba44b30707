//! An upgrade command's settings, resolved.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::args;
use crate::capture::live::command::Until;
use crate::capture::live::enclosure::Network;
use crate::pipeline::settings::Live;
use crate::problem::BadInput;

/// How long nothing is sent until a server that was only to be visited is over.
const IDLE: Duration = Duration::from_secs(5);

/// Programs that have others do the work, outside of any network that we make.
const ELSEWHERE: [&str; 8] = ["docker", "docker-compose", "podman", "nerdctl", "kubectl", "oc", "ssh", "systemctl"];

/// Resolves a command, typed or from a scenario.
///
/// # Errors
/// A [`BadInput`] when it would run elsewhere than where we can see it, or when this program cannot be found again.
pub fn resolve(typed: &args::Live, command: &[String]) -> Result<Live> {
    let network = Network::from(typed.network);
    let program = command.first().map(Path::new).and_then(Path::file_name);
    let program = program.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if network == Network::Own && ELSEWHERE.contains(&program.as_str()) {
        bail!(anyhow!("hint: Name the command that runs there, or run this program there.").context(BadInput::new(
            format!("{program} has its work done elsewhere, where nothing would keep it from production")
        )));
    }
    let idle = typed.until_idle.and_then(|span| span.0).or_else(|| (!typed.visit.is_empty()).then_some(IDLE));
    Ok(Live {
        command: command.to_vec(),
        network,
        hosts: typed.host_name.clone(),
        sockets: typed.socket.clone(),
        templates: typed.template.clone(),
        visits: typed.visit.clone(),
        until: Until { serves: typed.serve, idle },
        launcher: std::env::current_exe().context("cannot tell where this program is")?,
    })
}
