//! Choice of a mechanism among those that a server offers.

use common::login::{ClientBinding, Mechanism};

use super::{channel::Channel, credentials::Credentials, error::Error};

/// Mechanism of a login, and what the client says of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) mechanism: Mechanism,
    pub(super) binding: ClientBinding,
}

/// Chooses the strongest mechanism that both sides have.
///
/// # Errors
///
/// There is none, or the forced one is not among them.
pub(super) fn choose(
    credentials: &Credentials,
    channel: &Channel,
    offered: &[Mechanism],
) -> Result<Choice, Error> {
    let forced = match credentials {
        Credentials::Password { mechanism, .. } => *mechanism,
        Credentials::Certificate { .. } => Some(Mechanism::External),
        Credentials::Token(_) => None,
    };
    let has_password = matches!(credentials, Credentials::Password { .. });
    let is_usable = |mechanism| match mechanism {
        Mechanism::ScramSha256Plus => has_password && channel.exporter.is_some(),
        Mechanism::ScramSha256 => has_password,
        Mechanism::External => channel.has_certificate,
        // PLAIN sends the password, so the server must be verified, unless the user forces the mechanism.
        Mechanism::Plain => {
            has_password && channel.is_tls && (channel.is_verified || forced.is_some())
        }
    };
    let mut all = Mechanism::ALL.into_iter().filter(|&it| forced.is_none_or(|forced| forced == it));
    let mechanism = all.find(|&mechanism| is_usable(mechanism) && offered.contains(&mechanism));
    let Some(mechanism) = mechanism else {
        return Err(match forced {
            Some(forced) if offered.contains(&forced) => Error::Unfit(forced),
            Some(forced) => Error::NotOffered { forced, offered: offered.to_vec() },
            None if offered == [Mechanism::Plain] && channel.is_tls => Error::Unverified,
            None => Error::NoMechanism(offered.to_vec()),
        });
    };
    Ok(Choice { mechanism, binding: binding(mechanism, channel, offered) })
}

/// Returns the channel binding. If the client could bind and the list has no mechanism with binding, the client sends that to
/// the server, which detects a shortened list.
fn binding(mechanism: Mechanism, channel: &Channel, offered: &[Mechanism]) -> ClientBinding {
    match (mechanism, channel.exporter) {
        (Mechanism::ScramSha256Plus, Some(exporter)) => ClientBinding::Exporter(exporter),
        (_, Some(_)) if !offered.contains(&Mechanism::ScramSha256Plus) => ClientBinding::NotOffered,
        _ => ClientBinding::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Mechanism::{External, Plain, ScramSha256, ScramSha256Plus};

    const TLS_1_2: Channel =
        Channel { is_tls: true, is_verified: true, has_certificate: false, exporter: None };
    const TLS_1_3: Channel = Channel { exporter: Some([7; 32]), ..TLS_1_2 };

    fn password(mechanism: Option<Mechanism>) -> Credentials {
        let password = "pencil".to_owned().into();
        Credentials::Password { user: "alice".to_owned(), password, mechanism }
    }

    #[test]
    fn the_strongest_mechanism_that_both_have_is_chosen() {
        let with_certificate = Channel { has_certificate: true, ..TLS_1_2 };
        for (channel, offered, chosen) in [
            (TLS_1_3, &Mechanism::ALL[..], ScramSha256Plus),
            (TLS_1_2, &Mechanism::ALL, ScramSha256),
            (Channel::default(), &Mechanism::ALL, ScramSha256),
            (TLS_1_3, &[Plain, ScramSha256], ScramSha256),
            (with_certificate, &[Plain, External], External),
            (TLS_1_2, &[Plain, External], Plain),
        ] {
            let choice = choose(&password(None), &channel, offered).unwrap();
            assert_eq!(choice.mechanism, chosen, "{channel:?} {offered:?}");
        }
        let certificate = Credentials::Certificate { user: None };
        let choice = choose(&certificate, &with_certificate, &Mechanism::ALL).unwrap();
        assert_eq!(choice.mechanism, External);
    }

    #[test]
    fn a_server_is_told_that_its_list_has_no_channel_binding() {
        let exporter = ClientBinding::Exporter([7; 32]);
        for (channel, offered, forced, binding) in [
            (TLS_1_3, &Mechanism::ALL[..], None, exporter),
            (TLS_1_3, &[ScramSha256, Plain], None, ClientBinding::NotOffered),
            (TLS_1_3, &[ScramSha256], Some(ScramSha256), ClientBinding::NotOffered),
            (TLS_1_3, &Mechanism::ALL, Some(ScramSha256), ClientBinding::Unsupported),
            (TLS_1_2, &[ScramSha256], None, ClientBinding::Unsupported),
        ] {
            let choice = choose(&password(forced), &channel, offered).unwrap();
            assert_eq!(choice.binding, binding, "{channel:?} {offered:?} {forced:?}");
        }
    }

    #[test]
    fn a_password_goes_only_to_a_verified_server_over_tls() {
        let choose = |channel, forced| choose(&password(forced), &channel, &[Plain]);
        let unverified = Channel { is_verified: false, ..TLS_1_3 };
        assert!(matches!(choose(Channel::default(), None), Err(Error::NoMechanism(_))));
        assert!(matches!(choose(Channel::default(), Some(Plain)), Err(Error::Unfit(Plain))));
        assert!(matches!(choose(unverified, None), Err(Error::Unverified)));
        assert_eq!(choose(unverified, Some(Plain)).unwrap().mechanism, Plain);
        assert_eq!(choose(TLS_1_2, None).unwrap().mechanism, Plain);
    }

    #[test]
    fn a_forced_mechanism_that_is_not_possible_is_an_error() {
        let offered = [ScramSha256];
        for (forced, text) in [
            (
                ScramSha256Plus,
                "the server does not offer SCRAM-SHA-256-PLUS: it offers SCRAM-SHA-256",
            ),
            (Plain, "the server does not offer PLAIN: it offers SCRAM-SHA-256"),
        ] {
            let error = choose(&password(Some(forced)), &TLS_1_2, &offered).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        let forced = password(Some(ScramSha256Plus));
        let error = choose(&forced, &TLS_1_2, &Mechanism::ALL).unwrap_err();
        assert!(error.with_advice().contains("TLS 1.3"), "{}", error.with_advice());
    }
}
