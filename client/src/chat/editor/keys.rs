//! What each key does.

use termina::{
    Event,
    event::{KeyCode, KeyEvent, KeyEventKind, Modifiers},
};

use super::line::Edit;
use crate::chat::screen::draw::Scroll;

/// Meaning of a key, or of another event of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Action {
    /// Change the line.
    Edit(Edit),
    /// Complete the word.
    Complete,
    /// Send the line.
    Submit,
    /// Move in the conversation.
    Scroll(Scroll),
    /// Leave.
    Leave,
    /// Leave if the line is empty; otherwise delete a character.
    LeaveOrDelete,
    /// Draw the whole screen again.
    Redraw,
    /// The user looks at the terminal, or no longer.
    Focus(bool),
}

/// Returns the meaning of an event of the terminal.
pub(in crate::chat) fn action(event: Event) -> Option<Action> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_action(key),
        Event::Paste(text) => Some(Action::Edit(Edit::Insert(text))),
        Event::FocusIn => Some(Action::Focus(true)),
        Event::FocusOut => Some(Action::Focus(false)),
        _ => None,
    }
}

fn key_action(key: KeyEvent) -> Option<Action> {
    let is = |modifier| key.modifiers.contains(modifier);
    if is(Modifiers::CONTROL) {
        return control(key.code);
    }
    if is(Modifiers::ALT) {
        return alt(key.code);
    }
    Some(match key.code {
        KeyCode::Char(char) => Action::Edit(Edit::Insert(char.into())),
        KeyCode::Enter => Action::Submit,
        KeyCode::Tab => Action::Complete,
        KeyCode::Backspace => Action::Edit(Edit::Backspace),
        KeyCode::Delete => Action::Edit(Edit::Delete),
        KeyCode::Left => Action::Edit(Edit::Left),
        KeyCode::Right => Action::Edit(Edit::Right),
        KeyCode::Home => Action::Edit(Edit::Start),
        KeyCode::End => Action::Edit(Edit::End),
        KeyCode::Up if is(Modifiers::SHIFT) => Action::Scroll(Scroll::Up(1)),
        KeyCode::Down if is(Modifiers::SHIFT) => Action::Scroll(Scroll::Down(1)),
        KeyCode::Up => Action::Edit(Edit::Previous),
        KeyCode::Down => Action::Edit(Edit::Next),
        KeyCode::PageUp => Action::Scroll(Scroll::PageUp),
        KeyCode::PageDown => Action::Scroll(Scroll::PageDown),
        KeyCode::Escape => Action::Scroll(Scroll::End),
        _ => return None,
    })
}

fn control(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char('c') => Action::Leave,
        KeyCode::Char('d') => Action::LeaveOrDelete,
        KeyCode::Char('l') => Action::Redraw,
        KeyCode::Char('a') => Action::Edit(Edit::Start),
        KeyCode::Char('e') => Action::Edit(Edit::End),
        KeyCode::Char('b') => Action::Edit(Edit::Left),
        KeyCode::Char('f') => Action::Edit(Edit::Right),
        KeyCode::Char('h') => Action::Edit(Edit::Backspace),
        KeyCode::Char('w') => Action::Edit(Edit::DeleteWord),
        KeyCode::Char('u') => Action::Edit(Edit::DeleteToStart),
        KeyCode::Char('k') => Action::Edit(Edit::DeleteToEnd),
        KeyCode::Char('p') => Action::Edit(Edit::Previous),
        KeyCode::Char('n') => Action::Edit(Edit::Next),
        KeyCode::Left => Action::Edit(Edit::WordLeft),
        KeyCode::Right => Action::Edit(Edit::WordRight),
        KeyCode::Home => Action::Scroll(Scroll::Start),
        KeyCode::End => Action::Scroll(Scroll::End),
        _ => return None,
    })
}

fn alt(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char('b') | KeyCode::Left => Action::Edit(Edit::WordLeft),
        KeyCode::Char('f') | KeyCode::Right => Action::Edit(Edit::WordRight),
        KeyCode::Backspace => Action::Edit(Edit::DeleteWord),
        _ => return None,
    })
}
