//! Snapshots of the screen.

use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend};

use super::draw::{Scroll, TypedLine, View};
use crate::chat::{event::Event, model::conversation::Conversation};

/// 12:34 UTC on the first day of the epoch.
const NOW: u64 = (12 * 60 + 34) * 60_000;

struct Test {
    terminal: Terminal<TestBackend>,
    conversation: Conversation,
    view: View,
    typed: String,
}

impl Test {
    fn new(columns: u16, rows: u16) -> Self {
        let mut conversation = Conversation::default();
        conversation.set_attended(true);
        let mut test = Self {
            terminal: Terminal::new(TestBackend::new(columns, rows)).unwrap(),
            conversation,
            view: View::new("127.0.0.1:65432", false, TimeZone::UTC),
            typed: String::new(),
        };
        test.receive(&Event::Welcome {
            room: "lobby".to_owned(),
            name: "bob".to_owned(),
            number: Some(0),
            members: Some(2),
            is_recorded: false,
        });
        test
    }

    fn receive(&mut self, event: &Event) {
        self.conversation.receive(event, NOW);
    }

    fn message(&mut self, number: u64, name: &str, text: &str) {
        self.receive(&Event::Message {
            number: Some(number),
            name: name.to_owned(),
            text: text.to_owned(),
            time: None,
            is_replayed: false,
        });
    }

    fn scroll(&mut self, scroll: Scroll) {
        self.screen();
        self.view.scroll(scroll, &self.conversation);
        self.conversation.set_attended(self.view.is_following());
    }

    /// Draws the screen; returns its rows without the blanks at their end.
    fn screen(&mut self) -> Vec<String> {
        let Self { terminal, conversation, view, typed } = self;
        let typed = TypedLine { text: typed, cursor: typed.len() };
        terminal.draw(|frame| view.draw(frame, conversation, typed)).unwrap();
        let buffer = terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let rows = buffer.content.chunks(width);
        // The second cell of a wide character has a blank.
        let text = |row: &[ratatui::buffer::Cell]| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in row {
                if skip == 0 {
                    text.push_str(cell.symbol());
                    skip = super::wrap::width(cell.symbol()).max(1);
                }
                skip -= 1;
            }
            text.trim_end().to_owned()
        };
        rows.map(text).collect()
    }

    fn cursor(&mut self) -> (u16, u16) {
        let position = self.terminal.get_cursor_position().unwrap();
        (position.x, position.y)
    }
}

#[test]
fn shows_the_conversation_the_status_and_the_line() {
    let mut test = Test::new(60, 9);
    test.receive(&Event::Joined { number: Some(1), name: "@ann".to_owned() });
    test.message(2, "@ann", "hello");
    test.message(3, "bob", "one two three four five six seven eight nine ten eleven");
    test.receive(&Event::Error { text: "That name is taken".to_owned() });
    test.typed = "half a li".to_owned();
    assert_eq!(
        test.screen(),
        [
            "12:34 * You are bob in lobby, with 1 other",
            "12:34 * @ann joined",
            "12:34 @ann: hello",
            "12:34 bob: one two three four five six seven eight nine ten",
            "      eleven",
            "12:34 ! That name is taken",
            "",
            " lobby | bob | 3 members | 127.0.0.1:65432",
            "> half a li",
        ]
    );
    assert_eq!(test.cursor(), (11, 8));
}

#[test]
fn the_same_name_has_the_same_colour_and_a_notice_none() {
    let mut test = Test::new(60, 6);
    test.message(1, "ann", "a");
    test.message(2, "ann", "b");
    test.screen();
    let buffer = test.terminal.backend().buffer();
    let colour = |row| buffer[(6, row)].fg;
    assert_eq!(colour(1), colour(2));
    assert_ne!(colour(1), ratatui::style::Color::Reset);
    assert_eq!(colour(0), ratatui::style::Color::Reset);
}

#[test]
fn a_hostile_text_is_shown_as_escapes_and_cannot_forge_a_row() {
    let mut test = Test::new(60, 6);
    test.message(1, "\u{202e}eve", "\x1b[2J\x07a\n12:34 bob: forged\u{9b}31m");
    test.receive(&Event::Info { text: "a\x1b]0;t\x07".to_owned() });
    let screen = test.screen();
    assert_eq!(screen[1], r"12:34 \u{202e}eve: \x1b[2J\x07a\n12:34 bob: forged\u{9b}31m");
    assert_eq!(screen[2], r"12:34 * a\x1b]0;t\x07");
    test.receive(&Event::Welcome {
        room: "\x1b[2J".to_owned(),
        name: "\u{202e}".repeat(300),
        number: None,
        members: None,
        is_recorded: false,
    });
    assert!(test.screen()[4].starts_with(r" \x1b[2J | \u{202e}"));
}

#[test]
fn wide_characters_wrap_by_their_columns_and_the_cursor_follows_them() {
    let mut test = Test::new(20, 7);
    test.message(
        1,
        "ann",
        "\u{4f60}\u{597d}\u{4f60}\u{597d}\u{4f60}\u{597d}\u{4f60}\u{597d}\u{4f60}",
    );
    test.typed = "\u{4f60}".to_owned();
    let screen = test.screen();
    assert_eq!(screen[2], "ann: \u{4f60}\u{597d}\u{4f60}\u{597d}\u{4f60}\u{597d}\u{4f60}");
    assert_eq!(screen[3], "\u{597d}\u{4f60}");
    assert_eq!(test.cursor(), (4, 6));
    test.typed = "\u{4f60}".repeat(20);
    assert_eq!(test.screen()[6], format!("> {}", "\u{4f60}".repeat(8)));
    assert_eq!(test.cursor(), (18, 6));
}

#[test]
fn numbers_are_shown_on_request() {
    let mut test = Test::new(60, 5);
    test.message(1, "ann", "hello");
    test.view.show_numbers(true);
    assert_eq!(test.screen()[1], "12:34 1 ann: hello");
}

#[test]
fn the_view_stays_while_messages_arrive_and_the_marker_shows_which_are_new() {
    let mut test = Test::new(60, 6);
    for number in 1..=9 {
        test.message(number, "ann", &number.to_string());
    }
    assert_eq!(
        test.screen()[..4],
        ["12:34 ann: 6", "12:34 ann: 7", "12:34 ann: 8", "12:34 ann: 9"]
    );
    test.scroll(Scroll::PageUp);
    let scrolled = test.screen();
    assert_eq!(scrolled[..4], ["12:34 ann: 3", "12:34 ann: 4", "12:34 ann: 5", "12:34 ann: 6"]);
    assert!(scrolled[4].ends_with("Esc: newest message"), "{scrolled:?}");
    test.message(10, "ann", "10");
    test.message(11, "ann", "11");
    let screen = test.screen();
    assert_eq!(screen[..4], scrolled[..4]);
    assert!(screen[4].ends_with("2 new (Esc)"), "{screen:?}");
    test.scroll(Scroll::End);
    let screen = test.screen();
    assert_eq!(screen[0], "12:34 ann: 9");
    assert!(screen[1].starts_with("-- new messages ----"), "{screen:?}");
    assert_eq!(screen[2..4], ["12:34 ann: 10", "12:34 ann: 11"]);
    test.scroll(Scroll::Start);
    assert_eq!(test.screen()[0], "12:34 * You are bob in lobby, with 1 other");
    test.scroll(Scroll::Down(1));
    assert_eq!(test.screen()[0], "12:34 ann: 1");
}

#[test]
fn a_fault_in_the_numbers_is_a_row_and_a_count() {
    let mut test = Test::new(80, 8);
    test.message(1, "ann", "one");
    test.message(4, "ann", "four");
    test.message(4, "ann", "four");
    let screen = test.screen();
    assert_eq!(screen[2], "12:34 ! Events 2 to 3 are missing (2)");
    assert_eq!(screen[4], "12:34 ! Event 4 arrived twice", "{screen:?}");
    assert!(screen[6].contains(" | 2 missing, 1 duplicate | "), "{screen:?}");
}

#[test]
fn the_end_of_the_connection_is_shown() {
    let mut test = Test::new(80, 6);
    test.conversation.end("The server has closed the connection", NOW);
    let screen = test.screen();
    assert_eq!(screen[1], "12:34 ! The connection has ended: The server has closed the connection");
    assert!(screen[4].ends_with("connection ended: Enter to leave"), "{screen:?}");
}

#[test]
fn every_size_can_be_drawn() {
    for (columns, rows) in [(1, 1), (2, 1), (1, 2), (1, 3), (2, 9), (7, 4), (300, 100)] {
        let mut test = Test::new(columns, rows);
        test.message(1, "\u{4f60}ann", "\u{4f60}e\u{301} one two");
        test.typed = "\u{4f60}one".to_owned();
        for scroll in [Scroll::PageUp, Scroll::Start, Scroll::PageDown, Scroll::End] {
            test.scroll(scroll);
        }
        assert_eq!(test.screen().len(), usize::from(rows));
    }
}

#[test]
fn another_size_shows_the_same_entries() {
    let long =
        |number| format!("{number} two three four five six seven eight nine ten eleven twelve");
    let mut test = Test::new(80, 6);
    for number in 1..=9 {
        test.message(number, "ann", &long(number));
    }
    test.scroll(Scroll::PageUp);
    assert_eq!(test.screen()[3], format!("12:34 ann: {}", long(6)));
    test.terminal.backend_mut().resize(30, 12);
    let screen = test.screen();
    assert_eq!(
        screen[7..10],
        ["ann: 6 two three four five six", "seven eight nine ten eleven", "twelve"]
    );
    test.terminal.backend_mut().resize(120, 30);
    assert_eq!(test.screen()[9], format!("12:34 ann: {}", long(9)));
}
