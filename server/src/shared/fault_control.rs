//! Changes of the faults of listeners at run time, and their lines in the log.

use std::{sync::Arc, time::Instant};

use common::{endpoint::Endpoint, escape::Quoted};
use log::info;
use thiserror::Error;

use super::state::SharedState;
use crate::{
    config::Faults,
    faults::{ListenerFaults, OpenListenerFaults},
};

/// Origin of the faults of a listener, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultSource {
    /// The settings, at the start or after a reload.
    Settings,
    /// A request to the admin listener.
    #[cfg(feature = "admin")]
    Admin,
    /// The program that embeds the server.
    Program,
}

impl FaultSource {
    /// Returns its name in the log in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            #[cfg(feature = "admin")]
            Self::Admin => "admin",
            Self::Program => "program",
        }
    }

    /// Returns the words for it in the text of a change.
    fn words(self) -> &'static str {
        match self {
            Self::Settings => "",
            #[cfg(feature = "admin")]
            Self::Admin => " through the admin listener",
            Self::Program => " by the embedding program",
        }
    }
}

/// Reason why the faults of a listener are not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultsError {
    /// No open listener has the address.
    #[error("no listener has the address {}; the listeners are {}", Quoted(name.as_bytes()), listeners.join(", "))]
    NoListener {
        /// The address that was given.
        name: String,
        /// The addresses of the open listeners.
        listeners: Vec<String>,
    },
    /// The faults contradict each other, or the listener.
    #[error("{0}")]
    Contradiction(String),
}

impl<T> SharedState<T> {
    /// Publishes the open listeners after they have changed, so that their faults can be changed.
    pub(crate) fn publish_faults(&self, listeners: Vec<OpenListenerFaults>) {
        self.faults.publish(listeners);
        self.dispatch.wake_all();
    }

    /// Returns the open listener with this name: its address as the log has it, or a URL of its endpoint.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn open_listener_faults(
        &self,
        name: &str,
    ) -> Result<OpenListenerFaults, FaultsError> {
        let listeners = self.faults.listeners();
        let named = listeners.iter().find(|listener| listener.is_named(name)).cloned();
        named.ok_or_else(|| FaultsError::NoListener {
            name: name.to_owned(),
            listeners: listeners.into_iter().map(|listener| listener.address).collect(),
        })
    }

    /// Checks the faults that the embedding program sets at the listener with this endpoint, and sets them. `None` clears them.
    ///
    /// # Errors
    ///
    /// If there is no such listener, or it cannot have the faults.
    pub(crate) fn change_faults(
        &self,
        endpoint: &Endpoint,
        faults: Option<&Arc<Faults>>,
    ) -> Result<(), FaultsError> {
        let listener = self.open_listener_faults(&endpoint.to_string())?;
        let checked = faults.map_or(Ok(()), |faults| faults.check(&listener.listener));
        checked.map_err(FaultsError::Contradiction)?;
        self.set_faults(&listener, faults, FaultSource::Program);
        Ok(())
    }

    /// Sets the faults of a listener for its new and its open connections. `None` clears them.
    pub(crate) fn set_faults(
        &self,
        listener: &OpenListenerFaults,
        faults: Option<&Arc<Faults>>,
        source: FaultSource,
    ) {
        let had_faults = listener.faults.get().is_some();
        listener.faults.set(faults, Instant::now());
        let open = self.faults.listeners();
        if !open.iter().any(|open| Arc::ptr_eq(&open.faults, &listener.faults)) {
            // It has closed meanwhile, and no later change would free its connections.
            listener.faults.clear();
        }
        // The last step, so that a worker that has seen it has also seen the faults.
        self.faults.count_change();
        self.dispatch.wake_all();
        let address = &listener.address;
        if !log_faults(address, &listener.faults, source) && had_faults {
            info!(event = "faults-cleared", listener = address, source = source.name();
                "Faults of {address} cleared{}", source.words());
        }
    }
}

/// Logs the faults that a listener has now, with their seed. Returns whether it has any.
pub(crate) fn log_faults(address: &str, faults: &ListenerFaults, source: FaultSource) -> bool {
    let Some(injector) = faults.get() else { return false };
    let seed = injector.seed();
    // With the seed, so that the text is the query of a URL that has the same faults again.
    let faults = Faults { seed: Some(seed), ..injector.faults().clone() }.to_string();
    let set = if source == FaultSource::Settings { "" } else { ", set" };
    info!(event = "faults-set", listener = address, faults, seed, source = source.name();
        "{address} injects faults on purpose{set}{}: {faults}", source.words());
    true
}
