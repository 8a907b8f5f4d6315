//! The tables.

use common::escape::Escaped;
use server::FaultProfile;

use super::model::Listener;
use crate::cli::table::{Column, table};

const LISTENERS: [Column; 6] = [
    Column::name("LISTENER"),
    Column::name("PROTOCOL"),
    Column::number("CONNECTIONS"),
    Column::number("SINCE"),
    Column::number("SEED"),
    Column::name("FAULTS"),
];

/// Returns the lines of a table of listeners. Faults are never cut, since they may be copied.
pub(super) fn listeners(listeners: &[Listener]) -> Vec<String> {
    let rows: Vec<_> = listeners.iter().map(row).collect();
    table(&LISTENERS, &rows, None)
}

fn row(listener: &Listener) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let shown = |text: &str| Escaped(text.as_bytes()).to_string();
    let address = match &listener.addresses[..] {
        [] => listener.address.clone(),
        addresses => addresses.join(" "),
    };
    vec![
        shown(&address),
        shown(&listener.protocol),
        or_none(listener.connections.map(|count| count.to_string())),
        or_none(listener.age_seconds.map(|age| format!("{age:.1}s ago"))),
        or_none(listener.seed.map(|seed| seed.to_string())),
        or_none(listener.faults.as_deref().map(shown)),
    ]
}

/// Returns the lines about profiles: a table, and a paragraph for each.
pub(super) fn profiles(profiles: &[FaultProfile]) -> Vec<String> {
    let columns = [Column::name("PROFILE"), Column::name("FAULTS"), Column::name("OVER UDP")];
    let rows = profiles.iter().map(|profile| {
        [profile.name, profile.faults, profile.datagrams.unwrap_or("-")].map(str::to_owned).to_vec()
    });
    let rows: Vec<_> = rows.collect();
    let mut lines = table(&columns, &rows, None);
    for FaultProfile { name, description, source, .. } in profiles {
        lines.extend([
            String::new(),
            format!("{name}: {description}"),
            format!("  Source: {source}"),
        ]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::faults::model::Document;

    #[test]
    fn a_listener_without_faults_has_dashes_and_text_of_the_server_is_escaped() {
        let json = r#"{"listeners":[
            {"listener":"127.0.0.1:7","addresses":["127.0.0.1:7","[::1]:7"],"protocol":"text","faults":"delay=50ms&drop=1%","seed":7,
             "since":"2026-01-31T12:00:00Z","age_seconds":3.14,"connections":12},
            {"listener":"unix:\u001bx","protocol":"http","faults":null,"seed":null,"later":1}]}"#;
        let document: Document = serde_json::from_str(json).unwrap();
        assert_eq!(
            listeners(&document.listeners),
            [
                "LISTENER             PROTOCOL  CONNECTIONS     SINCE  SEED  FAULTS",
                "127.0.0.1:7 [::1]:7  text               12  3.1s ago     7  delay=50ms&drop=1%",
                r"unix:\x1bx           http                -         -     -  -",
            ]
        );
    }
}
