//! The state of a member and of a conversation after events.

use super::{conversation::Conversation, membership::Membership, scrollback::Content};
use crate::chat::event::Event;

fn welcome(members: Option<u64>) -> Event {
    Event::Welcome {
        room: "lobby".to_owned(),
        name: "bob".to_owned(),
        number: Some(0),
        members,
        is_recorded: false,
    }
}

fn message(number: u64, name: &str, text: &str) -> Event {
    Event::Message {
        number: Some(number),
        name: name.to_owned(),
        text: text.to_owned(),
        time: None,
        is_replayed: false,
    }
}

fn joined(number: u64, name: &str) -> Event {
    Event::Joined { number: Some(number), name: name.to_owned() }
}

#[test]
fn a_member_knows_its_room_its_name_and_the_others() {
    let mut member = Membership::default();
    for event in [
        welcome(Some(2)),
        joined(1, "bob"),
        joined(2, "@ann"),
        joined(3, "@ann"),
        Event::Renamed { number: Some(4), name: "bob".to_owned(), to: "carol".to_owned() },
    ] {
        assert_eq!(member.observe(&event), None, "{event}");
    }
    assert_eq!(
        (member.room(), member.name(), member.member_count()),
        (Some("lobby"), "carol", Some(4))
    );
    let names = vec!["@ann".to_owned(), "@ann".to_owned(), "carol".to_owned(), "dan".to_owned()];
    member.observe(&Event::Members { room: "lobby".to_owned(), count: 4, names });
    member.observe(&Event::Left { number: Some(5), name: "@ann".to_owned() });
    member.observe(&Event::Left { number: Some(6), name: "dan".to_owned() });
    assert_eq!(member.member_names().collect::<Vec<_>>(), ["@ann", "carol"]);
    assert_eq!(member.member_count(), Some(2));
    member.observe(&Event::Info { text: "You have left lobby".to_owned() });
    assert_eq!((member.room(), member.member_count()), (None, None));
}

#[test]
fn an_own_message_returns_under_the_name_that_it_was_sent_with() {
    let mut member = Membership::default();
    member.observe(&welcome(Some(1)));
    member.expect("hi".to_owned());
    member.observe(&message(1, "ann", "hi"));
    assert_eq!(member.in_flight().due(), 1, "the message of another");
    member.observe(&message(2, "bob", "hi"));
    assert_eq!((member.in_flight().due(), member.in_flight().missing()), (0, 0));
}

/// A large room does not announce a new name.
#[test]
fn an_answer_that_has_the_new_name_is_enough() {
    let mut member = Membership::default();
    member.observe(&welcome(Some(300)));
    member.observe(&Event::Info { text: "You are now carol".to_owned() });
    member.expect("hi".to_owned());
    member.observe(&message(1, "carol", "hi"));
    assert_eq!((member.name(), member.in_flight().missing()), ("carol", 0));
}

#[test]
fn the_marker_stays_at_the_first_unread_message_until_the_user_sends_one() {
    let mut conversation = Conversation::default();
    conversation.set_attended(true);
    conversation.receive(&welcome(Some(2)), 0);
    conversation.receive(&message(1, "ann", "seen"), 0);
    assert_eq!((conversation.marker(), conversation.unread()), (None, 0));
    conversation.set_attended(false);
    conversation.receive(&message(2, "bob", "mine"), 0);
    conversation.receive(&message(3, "ann", "one"), 0);
    conversation.receive(&message(4, "ann", "two"), 0);
    assert_eq!((conversation.marker(), conversation.unread()), (Some(3), 2));
    conversation.set_attended(true);
    assert_eq!((conversation.marker(), conversation.unread()), (Some(3), 0));
    conversation.send("ok".to_owned());
    assert_eq!(conversation.marker(), None);
}

#[test]
fn a_fault_is_an_entry_before_the_event_that_shows_it() {
    let mut conversation = Conversation::default();
    conversation.receive(&welcome(None), 7);
    conversation.receive(&message(3, "ann", "hi"), 8);
    let entry = |identity| conversation.scrollback().get(identity).unwrap().clone();
    assert_eq!(entry(1).content, Content::Fault("Events 1 to 2 are missing (2)".to_owned()));
    assert_eq!((entry(2).number, entry(2).time), (Some(3), 8));
    assert_eq!(conversation.membership().counts().to_string(), "2 missing");
}

#[test]
fn a_list_of_members_that_the_program_asked_for_is_not_shown() {
    let mut conversation = Conversation::default();
    conversation.receive(&welcome(None), 0);
    conversation.hide_next_list();
    let list = Event::Members { room: "lobby".to_owned(), count: 1, names: vec!["bob".to_owned()] };
    conversation.receive(&list, 0);
    assert_eq!(conversation.scrollback().end(), 1);
    assert_eq!(conversation.membership().member_count(), Some(1));
    conversation.receive(&list, 0);
    assert_eq!(conversation.scrollback().end(), 2);
}
