//! The arguments of `echo-server faults`.

use clap::{ArgGroup, Args, Subcommand, builder::PossibleValuesParser};
use server::{FaultProfile, Faults};

use crate::cli::admin_client::AdminArgs;

/// Commands for the faults of a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum FaultsCommand {
    /// Show the listeners with their faults
    #[command(after_long_help = LIST)]
    List(ListArgs),
    /// Set the faults of a listener, for its new and its open connections; they replace those that it has
    #[command(after_long_help = SET)]
    Set(SetArgs),
    /// Clear the faults of a listener, for its new and its open connections
    #[command(after_long_help = CLEAR)]
    Clear(ClearArgs),
    /// Show the profiles: names for several faults, with the sources of their figures
    #[command(after_long_help = PROFILES)]
    Profiles(ProfilesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) admin: AdminArgs,
    /// Print the answer of the server, an object of JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("faults-to-set").args(["faults", "profile"]).required(true).multiple(true))]
pub(crate) struct SetArgs {
    /// Faults, as in the URL of a listener: KIND=VALUE, with @SHARE% of the connections and @FROM..TO
    #[arg(value_name = "FAULT", value_parser = fault)]
    pub(super) faults: Vec<String>,
    /// Faults by a name; FAULT overrides single ones, and KIND=off leaves one out
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(FaultProfile::ALL.iter().map(|profile| profile.name)))]
    pub(super) profile: Option<String>,
    /// Seed of all random choices [default: the server chooses one, and shows it]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) which: WhichArgs,
    #[command(flatten)]
    pub(super) common: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
    #[command(flatten)]
    pub(super) common: ListArgs,
}

/// The listeners that are changed. Without arguments, the only one of the server.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Address of the listener, as 'echo-server faults list' shows it; can be repeated [default: the only listener]
    #[arg(long = "listener", value_name = "ADDRESS")]
    pub(super) listeners: Vec<String>,
    /// All listeners
    #[arg(long, conflicts_with = "listeners")]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProfilesArgs {
    /// Print an array of JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Checks the form of a fault. The server checks whether the listener can have it.
fn fault(typed: &str) -> Result<String, String> {
    if typed.starts_with("fault-") {
        return Err("use --profile and --seed".to_owned());
    }
    typed.parse::<Faults>().map(|_| typed.to_owned())
}

impl SetArgs {
    /// Returns the faults as the server parses them.
    pub(super) fn text(&self) -> String {
        let profile = self.profile.iter().map(|name| format!("fault-profile={name}"));
        let seed = self.seed.iter().map(|seed| format!("fault-seed={seed}"));
        profile.chain(self.faults.iter().cloned()).chain(seed).collect::<Vec<_>>().join("&")
    }
}

const LIST: &str = "\
The server needs an admin listener: echo-server --admin http://127.0.0.1:9465.

Examples:
  echo-server faults list                                    of the server at http://127.0.0.1:9465
  echo-server faults list --admin unix:///run/echo-admin.sock
  echo-server faults list --json | jq '.listeners[].faults'

Exit status:
  0  the listeners are shown
  1  the server does not answer; standard error says why
  2  an argument is invalid";

const SET: &str = "\
A change holds until the next one, until a reload changes the faults of the listener, or until \
the server ends. The admin listener allows it at a loopback address or a Unix socket, or with \
control=on in its URL.

Examples:
  echo-server faults set delay=50ms jitter=20ms:normal       the only listener of the server
  echo-server faults set --listener 127.0.0.1:7000 'reset-after=1MB@5%' --seed 7
  echo-server faults set --all --profile flaky-backend refuse=off
  echo-server faults set 'drop=1%@10s..20s'                  10 to 20 seconds after this command

Exit status:
  0  the faults are set
  1  the server does not answer, or refuses the change; standard error says why
  2  an argument is invalid";

const CLEAR: &str = "\
Examples:
  echo-server faults clear                                   the only listener of the server
  echo-server faults clear --listener tls://127.0.0.1:7443
  echo-server faults clear --all

Exit status:
  0  the faults are cleared
  1  the server does not answer, or refuses the change; standard error says why
  2  an argument is invalid";

const PROFILES: &str = "\
Examples:
  echo-server faults profiles
  echo-server faults set --profile slow-3g
  echo-server --listen 'tcp://127.0.0.1:7000?fault-profile=slow-3g'";
