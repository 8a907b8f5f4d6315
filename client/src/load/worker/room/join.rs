//! How a member joins: it waits for its welcome, chooses a room, and learns the number of the last event before it.

use super::{
    error::Error,
    events::{Event, Form},
};

/// Dialogue of one member before its first event.
#[derive(Debug)]
pub(super) struct Join<'r> {
    form: Form,
    /// Room to join; `None` stays in the one that the server chooses.
    room: Option<&'r str>,
}

impl<'r> Join<'r> {
    pub(super) fn new(form: Form, room: Option<&'r str>) -> Self {
        Self { form, room }
    }

    /// Handles an event; appends what the member answers. Returns the number of the last event before the member, if it has
    /// joined.
    pub(super) fn receive(
        &self,
        event: &Event<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Option<u64>, Error> {
        match *event {
            Event::Welcome { room, .. } if self.room.is_some_and(|wanted| wanted != room) => {
                self.form.write_join(self.room.unwrap_or_default(), output);
                Ok(None)
            }
            Event::Welcome { number: Some(number), .. } => Ok(Some(number)),
            Event::Welcome { number: None, .. } => {
                output.extend_from_slice(b"/seq on\n");
                Ok(None)
            }
            Event::Numbers { last } => Ok(Some(last)),
            Event::Refusal { text } => Err(Error::Refused(text.to_owned())),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(
        form: Form,
        room: Option<&str>,
        events: &[Event<'_>],
    ) -> (Result<Option<u64>, Error>, String) {
        let (join, mut output) = (Join::new(form, room), Vec::new());
        let mut result = Ok(None);
        for event in events {
            assert_eq!(result, Ok(None));
            result = join.receive(event, &mut output);
        }
        (result, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_welcome_with_a_number_is_the_first_event() {
        let welcome = Event::Welcome { room: "lobby", number: Some(7) };
        assert_eq!(join(Form::Frames, None, &[welcome]), (Ok(Some(7)), String::new()));
        assert_eq!(join(Form::Frames, Some("lobby"), &[welcome]), (Ok(Some(7)), String::new()));
    }

    #[test]
    fn asks_for_numbers_before_the_first_line() {
        let welcome = Event::Welcome { room: "lobby", number: None };
        let events = [welcome, Event::Ignored, Event::Numbers { last: 9 }];
        assert_eq!(join(Form::Lines, None, &events), (Ok(Some(9)), "/seq on\n".to_owned()));
    }

    #[test]
    fn chooses_a_room_after_the_first_welcome() {
        let welcome = |room| Event::Welcome { room, number: Some(7) };
        let events = [welcome("lobby"), Event::Other { number: 8 }, welcome("a")];
        let (joined, output) = join(Form::Objects, Some("a"), &events);
        assert_eq!(joined, Ok(Some(7)));
        assert_eq!(output, "{\"type\":\"join\",\"room\":\"a\"}\n");
    }

    #[test]
    fn a_refusal_is_an_error() {
        let events = [Event::Refusal { text: "You cannot choose a room here" }];
        let error = join(Form::Frames, Some("a"), &events).0.unwrap_err();
        assert_eq!(error.to_string(), "the server refused a member: You cannot choose a room here");
    }
}
