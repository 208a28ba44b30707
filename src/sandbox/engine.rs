//! Which server runs: a flavour, as an image of the local container engine or as a binary of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail};

use super::Kind;
use super::container::Docker;
use crate::progress::Progress;
use crate::server::flavor::Flavor;

/// Where servers lie besides `PATH`.
const DIRECTORIES: &[&str] = &[
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/local/libexec",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
    "/opt/mysql/bin",
    "/opt/mariadb/bin",
    "/opt/homebrew/bin",
];

/// What a server is run from.
#[derive(Debug)]
pub(super) enum Engine {
    /// An image that is there.
    Image {
        /// `repository:tag`.
        name: String,
        /// The image's id, which changes when the tag is moved.
        id: String,
        /// The engine that has it.
        docker: Docker,
    },
    /// A server binary of this machine.
    Binary {
        /// Its path.
        path: PathBuf,
        /// What its `--version` says.
        flavor: Flavor,
    },
}

impl Engine {
    /// What people call it: the image or the path.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Image { name, .. } => name.clone(),
            Self::Binary { path, .. } => path.display().to_string(),
        }
    }

    /// What a store made by it is cached by: changes when the engine does.
    pub(super) fn identity(&self) -> Result<String> {
        match self {
            Self::Image { id, .. } => Ok(format!("image {id}")),
            Self::Binary { path, .. } => {
                let about = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
                let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                Ok(format!("binary {} {} {}", path.display(), about.len(), changed.unwrap_or_default().as_nanos()))
            }
        }
    }

    /// Finds the engine that a request names.
    ///
    /// # Errors
    /// When there is none, with both ways to get one.
    pub(super) fn resolve(
        kind: &Kind,
        flavor: Option<&Flavor>,
        image: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let wanted = flavor.map_or_else(|| image.unwrap_or("a server").to_owned(), Flavor::to_string);
        match kind {
            Kind::Container => Self::container(flavor, image, progress)
                .with_context(|| format!("cannot get {wanted} as a container")),
            Kind::Process => Self::process(flavor).with_context(|| format!("cannot get {wanted} as a process")),
            Kind::Auto => match Self::container(flavor, image, progress) {
                Ok(engine) => Ok(engine),
                Err(error) if image.is_some() => Err(error).with_context(|| format!("cannot get {wanted}")),
                Err(no_container) => Self::process(flavor).map_err(|no_process| {
                    anyhow!(
                        "no server to be had for {wanted}\n  as a container: {no_container:#}\n  as a process: \
                         {no_process:#}\nhint: Start a container engine that has or can pull the image {wanted}, or install the \
                         server of that version on this machine."
                    )
                }),
            },
            Kind::Existing(address) => bail!("{address} is an existing server, not an engine"),
        }
    }

    fn container(flavor: Option<&Flavor>, image: Option<&str>, progress: &dyn Progress) -> Result<Self> {
        let docker = Docker::connect()?;
        let candidates = match (image, flavor) {
            (Some(image), _) => vec![image.to_owned()],
            (None, Some(flavor)) => image_names(flavor),
            (None, None) => local_images(&docker)?.into_iter().map(|(name, _)| name).take(1).collect(),
        };
        for name in &candidates {
            if let Some(id) = docker.image_id(name) {
                return Ok(Self::Image { name: name.clone(), id, docker });
            }
        }
        let official = match (image, flavor) {
            (Some(image), _) => image.to_owned(),
            (None, Some(flavor)) => flavor.to_string(),
            (None, None) => bail!("no image of a MySQL or MariaDB server is there, and no flavour was named to pull"),
        };
        progress.note(&format!("pulling the image {official}, which is not on this machine"));
        docker.pull(&official)?;
        let id =
            docker.image_id(&official).with_context(|| format!("the image {official} is not there after its pull"))?;
        Ok(Self::Image { name: official, id, docker })
    }

    fn process(flavor: Option<&Flavor>) -> Result<Self> {
        let found = local_binaries();
        let fits = |one: &&(PathBuf, Flavor)| flavor.is_none_or(|wanted| one.1.serves(wanted));
        if let Some((path, flavor)) = found.iter().find(fits) {
            return Ok(Self::Binary { path: path.clone(), flavor: *flavor });
        }
        if found.is_empty() {
            bail!("no mysqld or mariadbd in PATH, /usr/sbin, /usr/libexec or /usr/local");
        }
        let found: Vec<String> = found.iter().map(|(path, flavor)| format!("{} is {flavor}", path.display())).collect();
        bail!("{}", found.join(", "))
    }
}

/// The images that serve a flavour, the home-made first.
fn image_names(flavor: &Flavor) -> Vec<String> {
    let short = Flavor { patch: None, ..*flavor };
    let mut names = vec![format!("rehearse/{flavor}"), flavor.to_string()];
    if flavor.patch.is_some() {
        // May hold the patch level that is wanted; the running server is asked.
        names.push(format!("rehearse/{short}"));
    }
    names
}

/// The local images that are servers by their name, MySQL first and the newest of each first.
fn local_images(docker: &Docker) -> Result<Vec<(String, Flavor)>> {
    let mut found = Vec::new();
    for name in docker.image_names()? {
        let plain = name.strip_prefix("rehearse/").unwrap_or(&name);
        if let Ok(flavor) = plain.parse::<Flavor>() {
            found.push((name, flavor));
        }
    }
    found.sort_by_key(|(name, flavor)| {
        (flavor.vendor, std::cmp::Reverse((flavor.major, flavor.minor, flavor.patch)), !name.starts_with("rehearse/"))
    });
    Ok(found)
}

/// The server binaries of this machine, each once, with the flavour that it says it is.
fn local_binaries() -> Vec<(PathBuf, Flavor)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(DIRECTORIES.iter().map(PathBuf::from));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for directory in directories {
        for name in ["mysqld", "mariadbd"] {
            let path = directory.join(name);
            let Ok(real) = fs::canonicalize(&path) else { continue };
            let runs =
                fs::metadata(&real).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
            if runs
                && seen.insert(real.clone())
                && let Ok(flavor) = version_of(&real)
            {
                found.push((real, flavor));
            }
        }
    }
    found
}

/// Asks a binary for its version: `… Ver 10.11.19-MariaDB-0+deb12u1 for …`.
fn version_of(path: &Path) -> Result<Flavor> {
    let mut command = Command::new(path);
    let output = command.args(["--no-defaults", "--version"]).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_ascii_whitespace().skip_while(|word| *word != "Ver").skip(1);
    let version = words.next().with_context(|| format!("{} does not say its version", path.display()))?;
    Ok(Flavor::from_version_string(version)?)
}

/// What this machine offers for a sandbox, for `rehearse doctor`.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The container engine's version, or why there is none.
    pub container_engine: Result<String, String>,
    /// Server images that are there.
    pub images: Vec<(String, Flavor)>,
    /// Server binaries that are there.
    pub binaries: Vec<(PathBuf, Flavor)>,
    /// Where stores are cached.
    pub cache: PathBuf,
    /// Free bytes there; none when it cannot be told.
    pub free_disk: Option<u64>,
    /// All memory, in bytes.
    pub memory: u64,
}

/// Looks at what this machine offers for a sandbox. Starts nothing but `--version`.
///
/// # Errors
/// When no cache directory can be named.
pub fn survey_of_engines() -> Result<Offer> {
    let docker = Docker::connect();
    let cache = super::store::cache_directory(None)?;
    Ok(Offer {
        images: docker.as_ref().ok().and_then(|docker| local_images(docker).ok()).unwrap_or_default(),
        container_engine: match &docker {
            Ok(docker) => Ok(docker.version().unwrap_or_else(|| "of unknown version".to_owned())),
            Err(error) => Err(format!("{error:#}")),
        },
        binaries: local_binaries(),
        free_disk: super::store::free_bytes(&cache),
        cache,
        memory: super::settings::Machine::here().memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_made_images_come_before_official_ones() {
        let names = |text: &str| image_names(&text.parse().expect("a flavour"));
        assert_eq!(names("mysql:9.7"), ["rehearse/mysql:9.7", "mysql:9.7"]);
        let patch = names("mariadb:10.11.19");
        assert_eq!(patch, ["rehearse/mariadb:10.11.19", "mariadb:10.11.19", "rehearse/mariadb:10.11"]);
    }
}
