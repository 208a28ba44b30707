//! A server in a local container: no network, no capabilities, a read-only root, and the store mounted from the host
//! under its own path, so that everything above talks to it exactly as to a local process.
//!
//! What testcontainers lacks (kill, labels, images) goes through the bollard that it re-exports, here alone.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testcontainers::bollard;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecOptions};
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::Mount;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, GenericImage, ImageExt};

use super::launch::Launch;
use super::started::Started;

/// The label that names the directory of the run that a container belongs to.
const LABEL: &str = "rehearse.lease";

/// The local container engine. Its calls run on one current-thread runtime, one at a time.
pub(super) struct Docker {
    client: bollard::Docker,
    runtime: tokio::runtime::Runtime,
}

impl Docker {
    /// Connects to the engine, when one answers and runs on this host.
    pub(super) fn connect() -> Result<Self> {
        if let Ok(host) = std::env::var("DOCKER_HOST")
            && !host.starts_with("unix://")
        {
            bail!("the container engine at {host} is not on this host, so it cannot mount a store from here");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot build a runtime for the container engine's calls")?;
        let client = runtime.block_on(docker_client_instance()).context("no container engine is configured")?;
        let client = client.with_timeout(Duration::from_secs(60));
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(5), client.ping()).await })
            .context("the container engine does not answer within 5 s")?
            .context("no container engine answers")?;
        Ok(Self { client, runtime })
    }

    /// The engine's own version.
    pub(super) fn version(&self) -> Option<String> {
        self.runtime.block_on(self.client.version()).ok()?.version
    }

    /// The id of a local image, or none when there is none of that name.
    pub(super) fn image_id(&self, image: &str) -> Option<String> {
        self.runtime.block_on(self.client.inspect_image(image)).ok()?.id
    }

    /// The names of all local images.
    pub(super) fn image_names(&self) -> Result<Vec<String>> {
        let options = ListImagesOptionsBuilder::new().build();
        let images = self.runtime.block_on(self.client.list_images(Some(options))).context("cannot list the images")?;
        let mut names: Vec<String> = images.into_iter().flat_map(|image| image.repo_tags).collect();
        names.sort();
        Ok(names)
    }

    /// Pulls an image from its registry.
    pub(super) fn pull(&self, image: &str) -> Result<()> {
        generic_image(image).pull_image().map(drop).with_context(|| format!("cannot pull the image {image}"))
    }

    /// All containers that carry our label, running or not, with the run's directory that the label names.
    pub(super) fn leased_containers(&self) -> Result<Vec<(String, String)>> {
        let filters = HashMap::from([("label", vec![LABEL])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.runtime.block_on(self.client.list_containers(Some(options)));
        let found = found.context("cannot list the containers")?;
        Ok(found.into_iter().filter_map(|one| Some((one.id?, one.labels?.remove(LABEL)?))).collect())
    }

    /// Kills and removes a container, with the volumes that were made for it.
    pub(super) fn remove(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.runtime.block_on(self.client.remove_container(id, Some(options))) {
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot remove the container {id}")),
        }
    }

    fn kill(&self, id: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        match self.runtime.block_on(self.client.kill_container(id, Some(options))) {
            // Gone, or not running.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot kill the container {id}")),
        }
    }

    /// The container's state: its process on this host while it runs.
    fn process(&self, id: &str) -> Result<Option<Started>> {
        let found = self.runtime.block_on(self.client.inspect_container(id, None));
        let state = found.with_context(|| format!("cannot inspect the container {id}"))?.state;
        let pid = state.filter(|state| state.running == Some(true)).and_then(|state| state.pid);
        Ok(pid.and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid != 0).and_then(Started::of))
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Docker")
    }
}

/// A server in a container. Dropping it removes the container.
pub(super) struct Server {
    docker: Docker,
    container: Option<Container<GenericImage>>,
    image: String,
    process: Option<Started>,
}

impl Server {
    /// A server of an image that is there, not started yet.
    pub(super) fn new(docker: Docker, image: &str) -> Self {
        Self { docker, container: None, image: image.to_owned(), process: None }
    }

    /// Starts it, and returns its process on this host; none when it ended at once.
    pub(super) fn start(&mut self, launch: &Launch) -> Result<Option<Started>> {
        match &self.container {
            Some(container) => container.start(),
            None => self.create(launch).map(|container| self.container = Some(container)),
        }
        .with_context(|| format!("cannot start a container of {}", self.image))?;
        let Some(container) = &self.container else { return Ok(None) };
        self.process = self.docker.process(container.id())?;
        Ok(self.process)
    }

    fn create(&self, launch: &Launch) -> Result<Container<GenericImage>, testcontainers::TestcontainersError> {
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut command = vec!["-c".to_owned()];
        command.extend(launch.command(None));
        let mut image = generic_image(&self.image)
            .with_entrypoint("/bin/sh")
            .with_cmd(command)
            .with_user(format!("{}:{}", launch.owner.uid, launch.owner.gid))
            .with_mount(Mount::bind_mount(path(&launch.root), path(&launch.root)))
            .with_mount(Mount::bind_mount(path(&launch.sockets), path(&launch.sockets)))
            .with_readonly_rootfs(true)
            .with_cap_drop("ALL")
            .with_security_opt("no-new-privileges")
            .with_label(LABEL, path(&launch.lease))
            .with_host_config_modifier(|host| {
                host.network_mode = Some("none".to_owned());
                host.publish_all_ports = Some(false);
                host.tmpfs = Some(HashMap::from([("/run".to_owned(), "size=16m,mode=1777".to_owned())]));
            });
        for (name, value) in launch.environment() {
            image = image.with_env_var(name, value);
        }
        image.start()
    }

    /// Starts a command beside the server, in its container and as its user, and answers with the command's id.
    pub(super) fn execute(&self, words: &[String]) -> Result<String> {
        let Some(container) = &self.container else { bail!("the container of {} is not there", self.image) };
        let mut cmd = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        cmd.extend(words.iter().cloned());
        let options = CreateExecOptions { cmd: Some(cmd), ..CreateExecOptions::default() };
        let detached = StartExecOptions { detach: true, ..StartExecOptions::default() };
        let started = self.docker.runtime.block_on(async {
            let id = self.docker.client.create_exec(container.id(), options).await?.id;
            self.docker.client.start_exec(&id, Some(detached)).await.map(|_| id)
        });
        started.with_context(|| format!("cannot run a command in the container of {}", self.image))
    }

    /// True while a command that [`execute`](Self::execute) started still runs.
    pub(super) fn still_executes(&self, id: &str) -> Result<bool> {
        let found = self.docker.runtime.block_on(self.docker.client.inspect_exec(id));
        Ok(found.context("cannot inspect a command of the container")?.running == Some(true))
    }

    /// Kills it, and waits until its process is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(container) = &self.container {
            self.docker.kill(container.id())?;
        }
        self.wait_stopped(Duration::from_secs(30))
    }

    /// Waits until the process is gone and the engine knows it, so that it can be started again.
    pub(super) fn wait_stopped(&mut self, patience: Duration) -> Result<()> {
        if let Some(process) = self.process.take()
            && !process.wait_gone(patience)
        {
            self.process = Some(process);
            bail!("the server in the container of {} does not end within {} s", self.image, patience.as_secs());
        }
        let Some(container) = &self.container else { return Ok(()) };
        let until = std::time::Instant::now() + patience;
        while container.is_running().with_context(|| format!("cannot inspect the container {}", container.id()))? {
            if std::time::Instant::now() > until {
                bail!("the container engine does not notice that the server of {} has ended", self.image);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What the container wrote to its standard error: the reason, when the server could not even open its own log.
    pub(super) fn output(&self) -> String {
        let bytes = self.container.as_ref().and_then(|container| container.stderr_to_vec().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            let id = container.id().to_owned();
            if container.rm().is_err() {
                let _swept_later = self.docker.remove(&id);
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("image", &self.image).finish_non_exhaustive()
    }
}

/// `repository:tag` (a registry's port is no tag) as testcontainers wants it.
fn generic_image(image: &str) -> GenericImage {
    let (name, tag) = split_tag(image);
    GenericImage::new(name, tag)
}

fn split_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_port_is_no_tag() {
        assert_eq!(split_tag("rehearse/mysql:9.7"), ("rehearse/mysql", "9.7"));
        assert_eq!(split_tag("registry:5000/mysql"), ("registry:5000/mysql", "latest"));
    }
}
