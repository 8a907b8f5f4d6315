//! The status bar.

use common::escape::Escaped;
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::wrap::width;
use crate::chat::model::conversation::Conversation;

/// Returns the bar: the room and the member on the left, what needs attention on the right. What does not fit is left out,
/// the server first; what needs attention never is.
pub(super) fn bar(
    conversation: &Conversation,
    server: &str,
    is_following: bool,
    columns: usize,
) -> Line<'static> {
    let (member, right) = (member(conversation), right(conversation, is_following));
    let fits = |left: &String| width(left) + width(&right) < columns || right.is_empty();
    let left = [format!("{member} | {server}"), member, String::new()].into_iter().find(fits);
    let left = left.unwrap_or_default();
    let gap = columns.saturating_sub(width(&left) + width(&right));
    let style = Style::new().add_modifier(Modifier::REVERSED);
    let has_fault = conversation.has_ended() || !conversation.membership().counts().is_perfect();
    let style = if has_fault { style.fg(Color::Red) } else { style };
    Line::from(Span::styled(format!("{left}{}{right}", " ".repeat(gap)), style))
}

fn member(conversation: &Conversation) -> String {
    let member = conversation.membership();
    let safe = |text: &str| Escaped(text.as_bytes()).to_string();
    let mut parts = vec![match member.room() {
        Some(room) => format!(" {}", safe(room)),
        None => " no room".to_owned(),
    }];
    parts.push(safe(member.name()));
    match member.member_count() {
        None => {}
        Some(1) => parts.push("1 member".to_owned()),
        Some(count) => parts.push(format!("{count} members")),
    }
    let counts = member.counts();
    if !counts.is_perfect() {
        parts.push(counts.to_string());
    }
    parts.join(" | ")
}

fn right(conversation: &Conversation, is_following: bool) -> String {
    if conversation.has_ended() {
        return "connection ended: Enter to leave ".to_owned();
    }
    match conversation.unread() {
        0 if is_following => String::new(),
        0 => "Esc: newest message ".to_owned(),
        unread => format!("{unread} new (Esc) "),
    }
}
