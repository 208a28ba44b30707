//! An upgrade command run against the filled sandbox, where only the sandbox answers; what it sends goes into a capture.

use std::fs::{self, DirBuilder, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};

use super::settings::{Live, Settings};
use super::stage::{self, Stage};
use crate::advise::record::Unchecked;
use crate::capture::file::{CaptureFile, Header, Options};
use crate::capture::live::access::{Access, Template};
use crate::capture::live::command::{self, Came, Counted};
use crate::capture::live::enclosure::{Enclosure, Network, Wanted};
use crate::capture::live::record::PORT;
use crate::capture::proxy::{self, Listen, Proxy, Sessions};
use crate::capture::record::Listener;
use crate::capture::summary::Summary;
use crate::problem::BadInput;
use crate::progress::{Interrupted, Progress, Unit};
use crate::quantity::{counted, seconds};
use crate::sandbox::Instance;
use crate::server::address::Endpoint;
use crate::server::role::Role;
use crate::server::session::ReadOnly;

/// A command that ran, and what it sent.
#[derive(Debug)]
pub struct Recorded {
    /// What the capture holds.
    pub summary: Summary,
    /// How the command ended.
    pub came: Came,
    /// Sessions that reached the sandbox.
    pub sessions: Sessions,
}

/// Fills a sandbox, runs the command, and writes what it sends into `file`.
///
/// # Errors
/// When an input cannot be used, no server is to be had, or the command cannot be started where only the sandbox answers.
/// That the command itself fails, or never comes, is in the answer.
pub fn capture(
    settings: &Settings,
    live: &Live,
    file: &Path,
    options: Options,
    progress: &dyn Progress,
) -> Result<Recorded> {
    let stage = stage::set(settings, progress)?;
    record(&stage, live, file, options, progress)
}

/// Runs the command against a stage as it stands.
///
/// # Errors
/// As [`capture`]; what was heard until then is kept.
pub(super) fn record(
    stage: &Stage,
    live: &Live,
    file: &Path,
    options: Options,
    progress: &dyn Progress,
) -> Result<Recorded> {
    let header = Header {
        source: format!("command {}", live.command.join(" ")),
        flavor: Some(stage.flavor()),
        untold: Vec::new(),
    };
    let capture = Arc::new(CaptureFile::create(file, &header, options)?);
    let mut files = file.as_os_str().to_owned();
    files.push(".files");
    let ran = with_proxy(stage, live, &capture, &PathBuf::from(files), progress);
    let capture = Arc::into_inner(capture).context("the capture is still being written")?;
    let summary = capture.finish()?;
    let (came, sessions) = ran?;
    Ok(Recorded { summary, came, sessions })
}

/// The live part of a rehearsal: the command runs once at full size, and the sandbox is put back to where it was. Answers
/// with the capture, beside the rehearsal's directory, and with how the command ended.
///
/// # Errors
/// As [`capture`]; also when the command never came, when somebody stopped it, or when the sandbox cannot be put back.
pub(super) fn rehearsed(
    stage: &mut Stage,
    settings: &Settings,
    live: &Live,
    progress: &dyn Progress,
) -> Result<(PathBuf, Came)> {
    if !stage.sandbox.can_rewind() {
        let error = BadInput::new("a command cannot be rehearsed on a server that cannot be put back");
        bail!(
            anyhow!("hint: Capture it first (rehearse capture -- COMMAND), and rehearse the capture.").context(error)
        );
    }
    let mut path = settings.out.as_os_str().to_owned();
    path.push(".capture.sql");
    let path = PathBuf::from(path);
    let recorded = record(stage, live, &path, Options::default(), progress)?;
    for line in told(&recorded, live) {
        progress.note(&line);
    }
    let title = path.display().to_string();
    recorded.summary.page(&title, &[]).lines().for_each(|line| progress.note(line));
    if recorded.came.interrupted {
        return Err(Interrupted.into());
    }
    reached(&recorded, live)?;
    stage.sandbox.rewind(progress)?;
    Ok((path, recorded.came))
}

/// What a rehearsal of a capture cannot know of its command.
pub(super) fn unchecked(came: &Came) -> Vec<Unchecked> {
    let mut lines = vec![
        "the command itself ran once, at this size, without probes beside it: what is measured is its SQL, run again from the \
         capture, one statement after the other; what it does between its statements, and sessions of its that run at once, \
         are not"
            .to_owned(),
    ];
    lines.extend(came.code.filter(|code| *code != 0).map(|code| {
        format!("the command failed with exit code {code}: what it would have done after that was not rehearsed")
    }));
    lines.into_iter().map(|why| Unchecked { rule: "capture".into(), statement: None, why }).collect()
}

/// Holds a command to having come.
///
/// # Errors
/// When no session of it reached the sandbox: what it did it did elsewhere. The hint names the next step.
pub fn reached(recorded: &Recorded, live: &Live) -> Result<()> {
    if recorded.sessions.served > 0 {
        return Ok(());
    }
    let name = live.command.first().map_or("the command", String::as_str);
    let databases =
        recorded.came.tried.iter().filter(|tried| tried.port.is_some_and(is_database_port) && !tried.is_udp);
    let database = databases.min_by_key(|tried| tried.port != Some(PORT));
    let hint = match database {
        Some(tried) => {
            let port = tried.port.filter(|port| *port != PORT).map(|port| format!(":{port}")).unwrap_or_default();
            format!("hint: It tried {tried}: --host-name {}{port} has the sandbox answer for that.", tried.host)
        }
        None => {
            "hint: Its configuration must lead to the sandbox: by its variables, or with --template, --host-name or \
                 --socket."
                .to_owned()
        }
    };
    let ended = match recorded.came.code {
        Some(code) => format!(" (exit code {code})"),
        None => String::new(),
    };
    let what = format!("no session of {name} reached the sandbox{ended}: if it wrote somewhere, it was elsewhere");
    Err(anyhow!(hint).context(what))
}

fn is_database_port(port: u16) -> bool {
    port == PORT || (3300..3400).contains(&port) || port == 33060
}

/// How a command ended, in lines for a person.
pub fn told(recorded: &Recorded, live: &Live) -> Vec<String> {
    let came = &recorded.came;
    let name = live.command.first().map_or("the command", String::as_str);
    let how = match (came.code, came.interrupted) {
        (_, true) => "was interrupted".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, _) => "was ended".to_owned(),
    };
    let sessions = counted(recorded.sessions.served, "session");
    let mut lines = vec![format!("{name} {how} after {}; {sessions} reached the sandbox", seconds(came.seconds))];
    lines.extend(came.notes.iter().map(|note| format!("  note: {note}")));
    if !came.tried.is_empty() {
        lines.push("It also tried, and nothing answered (its network is its own):".to_owned());
    }
    for tried in came.tried.iter().take(MOST_TOLD) {
        let hint = match tried.port {
            Some(port) if is_database_port(port) && !tried.is_udp => {
                " (a database? --host-name has the sandbox answer for it)"
            }
            _ => "",
        };
        lines.push(format!("  {tried}{hint}"));
    }
    if came.tried.len() > MOST_TOLD {
        lines.push(format!("  and {} more", came.tried.len() - MOST_TOLD));
    }
    lines
}

/// The most hosts that are told.
const MOST_TOLD: usize = 20;

fn with_proxy(
    stage: &Stage,
    live: &Live,
    capture: &Arc<CaptureFile>,
    files: &Path,
    progress: &dyn Progress,
) -> Result<(Came, Sessions)> {
    let instance = stage.sandbox.instance();
    let home = Home::make(instance)?;
    let socket = home.0.join("mysqld.sock");
    let listener = UnixListener::bind(&socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    // Whoever the command becomes may come in.
    fs::set_permissions(&socket, Permissions::from_mode(0o666))
        .with_context(|| format!("cannot open {} to all", socket.display()))?;
    let mut doors = vec![Listen::BoundUnix(listener)];
    let mut port = PORT;
    if live.network == Network::Host {
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on 127.0.0.1")?;
        port = any.local_addr().context("cannot tell the proxy's port")?.port();
        doors.push(Listen::BoundTcp(any));
        progress.note(
            "WARNING: --network host: nothing keeps the command from production. It runs in this machine's own network, with \
             this machine's names, sockets and servers.",
        );
    }
    let access = Access {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
        user: "root".to_owned(),
        password: PASSWORD.to_owned(),
        database: stage.database.clone(),
        socket: socket.clone(),
    };
    let (covers, _copies) = render(live, &access, &home.0)?;
    let words: Vec<String> = live.command.iter().map(|word| access.fill(word)).collect();
    let visits: Vec<String> = live.visits.iter().map(|url| access.fill(url)).collect();
    let mut enclosure = Enclosure::open(&Wanted {
        command: &words,
        environment: &access.environment(),
        visits: &visits,
        network: live.network,
        hosts: &live.hosts,
        sockets: &live.sockets,
        covers: &covers,
        socket: &socket,
        directory: &home.0,
        launcher: &live.launcher,
    })?;
    doors.extend(enclosure.listeners().into_iter().map(Listen::BoundTcp));
    let heard = Arc::new(Counted::new(Arc::clone(capture) as Arc<dyn Listener>));
    let mut upstream = proxy::Options::new(instance.address().clone());
    upstream.files = Some(files.to_owned());
    let proxy = Proxy::start(doors, upstream, Arc::clone(&heard) as Arc<dyn Listener>)?;
    progress.stage(&format!("running {}", words.first().map_or("the command", String::as_str)), Unit::Waiting, None);
    let mut reader = instance.reader(Role::Watcher).context("cannot look at the sandbox")?;
    let came = command::run(enclosure, live.until, &heard, &mut || is_busy(&proxy, &mut reader), progress);
    let sessions = proxy.sessions();
    // A statement that was cut off is told before the file ends.
    proxy.stop()?;
    // Removed unless LOAD DATA LOCAL put something there.
    let _not_empty = fs::remove_dir(files);
    Ok((came?, sessions))
}

/// The password that a command is given. The proxy asks for none, but some programs take an empty one for a missing one.
const PASSWORD: &str = "rehearse";

/// True while one of the command's sessions is at a statement.
fn is_busy(proxy: &Proxy, reader: &mut ReadOnly) -> bool {
    let ids: Vec<String> = proxy.connections().values().map(u32::to_string).collect();
    if ids.is_empty() {
        return false;
    }
    let query = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE command <> 'Sleep' AND id IN ({})",
        ids.join(", ")
    );
    // A server that does not answer is at something.
    reader.first::<u64>(&query).map_or(true, |count| count.unwrap_or(0) > 0)
}

/// Files that we made for a command without a network of its own. Dropping it removes them.
struct Copies(Vec<PathBuf>);

impl Drop for Copies {
    fn drop(&mut self) {
        for path in &self.0 {
            let _gone_already = fs::remove_file(path);
        }
    }
}

/// Renders the templates: laid over their targets in a network of its own, else written where nothing is yet.
fn render(live: &Live, access: &Access, home: &Path) -> Result<(Vec<(PathBuf, PathBuf)>, Copies)> {
    let (mut covers, mut copies) = (Vec::new(), Copies(Vec::new()));
    for (number, Template { file, target }) in live.templates.iter().enumerate() {
        let template = Template { file: absolute(file)?, target: absolute(target)? };
        let copy = access.render(&template, home, number)?;
        if live.network == Network::Own {
            covers.push((template.target, copy));
            continue;
        }
        if template.target.exists() {
            let error = BadInput::new(format!("the template's target {} is there already", template.target.display()));
            bail!(
                anyhow::anyhow!("hint: With --network host name a new file for the copy: --template FILE:TARGET.")
                    .context(error)
            );
        }
        fs::copy(&copy, &template.target).with_context(|| format!("cannot write {}", template.target.display()))?;
        copies.0.push(template.target);
    }
    Ok((covers, copies))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))
}

/// A directory for the proxy's socket that every user may pass through. Dropping it removes it.
struct Home(PathBuf);

impl Home {
    /// Beside the sandbox's own socket, so that a later run sweeps it when this one is killed.
    fn make(instance: &Instance) -> Result<Self> {
        let below = match &instance.address().endpoint {
            Endpoint::Socket(path) if instance.pid().is_some() => path.parent(),
            _ => None,
        };
        let path = below.unwrap_or(Path::new("/tmp")).join(format!("live-{:08x}", rand::random::<u32>()));
        let made = DirBuilder::new().mode(0o711).create(&path);
        made.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _swept_later = fs::remove_dir_all(&self.0);
    }
}
