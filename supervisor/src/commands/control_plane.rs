//! Whom `run` tells of the stack, from options, variables and credentials.
//!
//! Deliberately absent: telling (`run::control_plane`).

use std::path::PathBuf;

use crate::run::Recipient;

/// The credential that holds the secret, unless a file is named (`LoadCredential=` of systemd.exec(5)).
const CREDENTIAL: &str = "callback-secret";

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct ControlPlaneArgs {
    /// https:// address that is told once, when the stack is first healthy, in place of `SUPERVISOR_CALLBACK_URL`
    ///
    /// It gets a POST of JSON: `instance_id`, `callback_secret`, `supervisor_version`, `engine_version` and
    /// `SERVICE_version` of each service. It is told until it answers 2xx, and never again after that, also not after a
    /// restart or a reboot. Every attempt has the same `Idempotency-Key`. The machine's `curl` makes the call.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// What the control plane calls this machine, in place of `SUPERVISOR_INSTANCE_ID`
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// File with what proves to it who calls; without it, a systemd credential named `callback-secret`
    #[arg(long, value_name = "FILE")]
    callback_secret_file: Option<PathBuf>,
    /// Certificates that it is known by, in place of the system's and of `SUPERVISOR_CALLBACK_CA`
    #[arg(long, value_name = "FILE")]
    callback_ca: Option<PathBuf>,
    /// https:// address that is told every minute how the stack is, in place of `SUPERVISOR_HEARTBEAT_URL`
    #[arg(long, value_name = "URL")]
    heartbeat_url: Option<String>,
}

impl ControlPlaneArgs {
    /// Whom to tell, if anybody.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub(crate) fn recipient(&self) -> Result<Option<Recipient>, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(url) = self.callback_url.clone().or_else(|| variable("SUPERVISOR_CALLBACK_URL")) else {
            return Ok(None);
        };
        let instance = self.instance_id.clone().or_else(|| variable("SUPERVISOR_INSTANCE_ID"));
        let instance = instance.ok_or(
            "there is a callback and no instance id: set `--instance-id` or `SUPERVISOR_INSTANCE_ID`",
        )?;
        let secret = self.callback_secret_file.clone().or_else(|| {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
            Some(PathBuf::from(folder).join(CREDENTIAL))
        });
        let secret = secret.ok_or(
            "there is a callback and no secret: name a file by `--callback-secret-file`, or give a credential `callback-secret`",
        )?;
        let heartbeat = self.heartbeat_url.clone().or_else(|| variable("SUPERVISOR_HEARTBEAT_URL"));
        let ca = self.callback_ca.clone().or_else(|| variable("SUPERVISOR_CALLBACK_CA").map(PathBuf::from));
        Recipient::new(&url, heartbeat.as_deref(), &instance, secret, ca).map(Some)
    }
}
