//! The first load of a web application, asked for as a browser would.

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use super::record::Visited;

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// The most of an answer that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Asks for an address until somebody answers. An answer may take as long as it takes: it is the upgrade.
pub(super) fn visit(url: &str) -> Visited {
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(5)))
        .user_agent(concat!("rehearse/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let mut visited = Visited { url: url.to_owned(), status: None, bytes: 0, tries: 0, seconds: 0.0, error: None };
    let first = Instant::now();
    loop {
        visited.tries += 1;
        let began = Instant::now();
        let answer = agent.get(url).call();
        if let Err(error) = &answer
            && nobody_listens(error)
            && first.elapsed() < PATIENCE
        {
            std::thread::sleep(PAUSE);
            continue;
        }
        match answer {
            Ok(mut answer) => {
                visited.status = Some(answer.status().as_u16());
                let mut rest = answer.body_mut().as_reader().take(LONGEST);
                match std::io::copy(&mut rest, &mut std::io::sink()) {
                    Ok(bytes) => visited.bytes = bytes,
                    Err(error) => visited.error = Some(format!("its answer broke off: {error}")),
                }
            }
            Err(error) => visited.error = Some(error.to_string()),
        }
        visited.seconds = began.elapsed().as_secs_f64();
        return visited;
    }
}

fn nobody_listens(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => true,
        _ => false,
    }
}
