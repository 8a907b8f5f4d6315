//! The parameters of faults, as typed.

use std::str::FromStr;

use super::{
    kind::kind,
    values::{WINDOW, duration, share, whole, window},
};
use crate::config::faults::{
    faults::Faults, kind::FaultKind, profile::FaultProfile, rule::FaultRule, share::Share,
};

/// The parameters of faults of one listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultParameters {
    profile: Option<&'static FaultProfile>,
    seed: Option<u64>,
    /// The faults, each with its text.
    rules: Vec<(String, FaultRule)>,
    /// Names of the faults of the profile that are left out (`delay=off`).
    off: Vec<String>,
}

impl FaultParameters {
    /// Returns the names of the parameters, for messages.
    #[cfg(feature = "cli")]
    pub(crate) fn names() -> String {
        format!("{}, fault-seed and fault-profile", super::kind::joined_names())
    }

    /// Returns whether a parameter of this name belongs to faults.
    #[cfg(feature = "cli")]
    pub(crate) fn has(name: &str) -> bool {
        is_fault(name) || matches!(name, "fault-seed" | "fault-profile")
    }

    /// Parses `KIND=VALUE` parameters that are joined by `&`.
    ///
    /// # Errors
    ///
    /// The expected form, with the parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parameters = Self::default();
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            parameters.set(name, value).map_err(|error| format!("'{parameter}': {error}"))?;
        }
        Ok(parameters)
    }

    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// The expected form.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is_set = match name {
            "fault-seed" => {
                let seed = whole(value).ok_or("expected a whole number below 2^64")?;
                self.seed.replace(seed).is_some()
            }
            "fault-profile" => self.profile.replace(FaultProfile::find(value)?).is_some(),
            _ if self.has_rule(name) => true,
            _ if value == "off" && is_fault(name) => {
                self.off.push(name.to_owned());
                false
            }
            _ => {
                self.rules.push((format!("{name}={value}"), rule(name, value)?));
                false
            }
        };
        if is_set { Err("it is set twice".to_owned()) } else { Ok(()) }
    }

    /// Returns the faults; those of a profile come first. `for_datagrams`: the listener has no connections. `None`: no parameter
    /// is set.
    ///
    /// # Errors
    ///
    /// If the profile has no faults for such a listener.
    pub(crate) fn faults(&self, for_datagrams: bool) -> Result<Option<Faults>, String> {
        if *self == Self::default() {
            return Ok(None);
        }
        let profile =
            self.profile.map_or(Ok(Vec::new()), |profile| profile.rules(for_datagrams))?;
        let is_kept = |rule: &FaultRule| !self.has_rule(rule.kind.name());
        let kept = profile.into_iter().filter(is_kept);
        Ok(Some(Faults {
            seed: self.seed,
            rules: kept.chain(self.rules.iter().map(|(_, rule)| rule.clone())).collect(),
        }))
    }

    /// Returns whether a fault is set, or left out.
    fn has_rule(&self, name: &str) -> bool {
        self.rules.iter().any(|(_, rule)| rule.kind.name() == name)
            || self.off.iter().any(|off| off == name)
    }

    /// Returns one of the faults as it was typed, for messages. One that a profile has added names the profile.
    #[cfg(any(feature = "admin", feature = "cli"))]
    pub(crate) fn shown(&self, rule: &FaultRule) -> String {
        let typed = self.rules.iter().find(|(_, own)| own == rule);
        match (typed, self.profile) {
            (Some((text, _)), _) => format!("'{text}'"),
            (None, Some(FaultProfile { name, .. })) => {
                let fault = rule.kind.name();
                format!("'{rule}' of fault-profile={name} ({fault}=off leaves it out)")
            }
            (None, None) => format!("'{rule}'"),
        }
    }
}

impl FaultProfile {
    /// Returns the faults of a listener with this profile. `for_datagrams`: it has no connections.
    ///
    /// # Errors
    ///
    /// If it has none for such a listener.
    fn rules(&self, for_datagrams: bool) -> Result<Vec<FaultRule>, String> {
        let text = if for_datagrams { self.datagrams } else { Some(self.faults) };
        let text = text.ok_or_else(|| {
            format!("the fault profile '{}' is for connections, and UDP has none", self.name)
        })?;
        let parsed = FaultParameters::parse(text)?.rules;
        Ok(parsed.into_iter().map(|(_, rule)| rule).collect())
    }
}

fn is_fault(name: &str) -> bool {
    FaultKind::names().any(|fault| fault == name)
}

/// Parses `VALUE[@SHARE%][@FROM..TO]`.
fn rule(name: &str, value: &str) -> Result<FaultRule, String> {
    let mut parts = value.split('@');
    let (kind, own_share) = kind(name, parts.next().unwrap_or_default())?;
    let mut rule = FaultRule { kind, share: own_share.unwrap_or(Share::ALL), window: None };
    let mut last = None;
    for part in parts {
        let next = if part.contains("..") { "window" } else { "share" };
        match (last, next) {
            (None, "share") if own_share.is_some() => {
                return Err("its value is the share of the connections already".to_owned());
            }
            (None, "share") if duration(part).is_ok() => return Err(WINDOW.to_owned()),
            (None, "share") => rule.share = share(part)?,
            (None | Some("share"), "window") => rule.window = Some(window(part)?),
            (Some("window"), "share") => {
                return Err("the share comes before the time, as in @5%@10s..20s".to_owned());
            }
            _ => {
                return Err("expected VALUE, VALUE@SHARE, VALUE@FROM..TO or VALUE@SHARE@FROM..TO"
                    .to_owned());
            }
        }
        last = Some(next);
    }
    Ok(rule)
}

impl FromStr for Faults {
    type Err = String;

    /// Parses the parameters of a listener's URL: `delay=50ms&reset-after=1MB@5%&fault-seed=7`. A profile gives its faults for
    /// connections.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(FaultParameters::parse(text)?.faults(false)?.unwrap_or_default())
    }
}
