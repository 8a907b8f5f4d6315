//! Part of the conversation that is visible.
//!
//! The position is that of the lowest visible row, so that it stays where it is while entries are added below, and while
//! the oldest are dropped.

/// Rows of a conversation: its entries by identity, and how many rows each has.
pub(super) struct Rows<'a> {
    /// Identity of the oldest entry.
    pub(super) start: u64,
    /// Identity after that of the newest.
    pub(super) end: u64,
    /// Rows of the screen.
    pub(super) height: usize,
    /// Returns the rows of an entry, at least one.
    pub(super) of: &'a dyn Fn(u64) -> usize,
}

/// Position of the lowest visible row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bottom {
    /// Entry of the row.
    pub(super) entry: u64,
    /// Rows of the entry that are below the screen.
    pub(super) hidden: usize,
}

/// Position in a conversation.
#[derive(Debug, Default)]
pub(super) struct Viewport {
    /// `None`: at the newest row, also when more arrive.
    bottom: Option<Bottom>,
}

impl Viewport {
    /// Returns `true` if the newest row is visible, and stays so.
    pub(super) fn is_following(&self) -> bool {
        self.bottom.is_none()
    }

    /// Shows the newest row.
    pub(super) fn follow(&mut self) {
        self.bottom = None;
    }

    /// Returns the lowest visible row; `None` without entries.
    pub(super) fn bottom(&self, rows: &Rows<'_>) -> Option<Bottom> {
        let newest = Bottom { entry: rows.end.checked_sub(1)?, hidden: 0 };
        if rows.start == rows.end {
            return None;
        }
        let Some(Bottom { entry, hidden }) = self.bottom else { return Some(newest) };
        let Some(first) = rows.first_page() else { return Some(newest) };
        // The entry may have been dropped, or have fewer rows than before.
        let entry = entry.clamp(rows.start, newest.entry);
        Some(later(Bottom { entry, hidden: hidden.min((rows.of)(entry) - 1) }, first))
    }

    /// Shows the oldest row.
    pub(super) fn scroll_to_start(&mut self, rows: &Rows<'_>) {
        self.set(rows.first_page(), rows);
    }

    /// Scrolls up by `count` rows.
    pub(super) fn scroll_up(&mut self, mut count: usize, rows: &Rows<'_>) {
        let Some(Bottom { mut entry, mut hidden }) = self.bottom(rows) else { return };
        loop {
            let visible = (rows.of)(entry) - hidden;
            if count < visible || entry == rows.start {
                hidden += count.min(visible - 1);
                break;
            }
            count -= visible;
            entry -= 1;
            hidden = 0;
        }
        let first = rows.first_page();
        self.set(first.map(|first| later(Bottom { entry, hidden }, first)), rows);
    }

    /// Scrolls down by `count` rows.
    pub(super) fn scroll_down(&mut self, mut count: usize, rows: &Rows<'_>) {
        let Some(Bottom { mut entry, mut hidden }) = self.bottom(rows) else { return };
        while count > hidden {
            count -= hidden;
            entry += 1;
            if entry == rows.end {
                return self.follow();
            }
            hidden = (rows.of)(entry);
        }
        self.set(Some(Bottom { entry, hidden: hidden - count }), rows);
    }

    fn set(&mut self, bottom: Option<Bottom>, rows: &Rows<'_>) {
        let newest = rows.end.checked_sub(1).map(|entry| Bottom { entry, hidden: 0 });
        self.bottom = bottom.filter(|_| bottom != newest);
    }
}

impl Rows<'_> {
    /// Returns the position at which the oldest row is the first one of the screen; `None` if all rows fit.
    fn first_page(&self) -> Option<Bottom> {
        let mut total = 0;
        for entry in self.start..self.end {
            total += (self.of)(entry);
            if total > self.height || total == self.height && entry + 1 < self.end {
                return Some(Bottom { entry, hidden: total - self.height });
            }
        }
        None
    }
}

fn later(one: Bottom, other: Bottom) -> Bottom {
    let is_later = (one.entry, other.hidden) >= (other.entry, one.hidden);
    if is_later { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten entries, of which every third has four rows, on a screen of five.
    fn rows(of: &dyn Fn(u64) -> usize) -> Rows<'_> {
        Rows { start: 10, end: 20, height: 5, of }
    }

    fn of(entry: u64) -> usize {
        if entry.is_multiple_of(3) { 4 } else { 1 }
    }

    /// Returns the number of rows below the screen.
    fn below(viewport: &Viewport, rows: &Rows<'_>) -> usize {
        let Bottom { entry, hidden } = viewport.bottom(rows).unwrap();
        hidden + (entry + 1..rows.end).map(rows.of).sum::<usize>()
    }

    #[test]
    fn each_row_is_reached_up_and_down() {
        let rows = rows(&of);
        let total: usize = (rows.start..rows.end).map(rows.of).sum();
        for step in [1, 2, 3, 5, 7, 100] {
            let mut viewport = Viewport::default();
            for scrolled in 1.. {
                viewport.scroll_up(step, &rows);
                let expected = (scrolled * step).min(total - rows.height);
                assert_eq!(below(&viewport, &rows), expected, "step {step}");
                if expected == total - rows.height {
                    break;
                }
            }
            let mut other = Viewport::default();
            other.scroll_to_start(&rows);
            assert_eq!(other.bottom(&rows), viewport.bottom(&rows));
            for left in (0..total - rows.height).rev().step_by(step) {
                viewport.scroll_down(step, &rows);
                assert_eq!(below(&viewport, &rows), left + 1 - step.min(left + 1), "step {step}");
            }
            assert!(viewport.is_following());
        }
    }

    #[test]
    fn the_position_stays_while_entries_are_added_and_moves_when_its_entry_is_dropped() {
        let mut viewport = Viewport::default();
        viewport.scroll_up(6, &rows(&of));
        let at = viewport.bottom(&rows(&of));
        let more = Rows { end: 30, ..rows(&of) };
        assert_eq!(viewport.bottom(&more), at);
        let dropped = Rows { start: 25, end: 35, ..rows(&of) };
        assert_eq!(viewport.bottom(&dropped), dropped.first_page());
    }

    #[test]
    fn a_conversation_that_fits_does_not_scroll() {
        let rows = Rows { end: 12, height: 50, ..rows(&of) };
        let mut viewport = Viewport::default();
        viewport.scroll_up(3, &rows);
        viewport.scroll_to_start(&rows);
        assert!(viewport.is_following());
        let none = Rows { end: 10, ..rows };
        viewport.scroll_up(3, &none);
        viewport.scroll_down(3, &none);
        assert_eq!(viewport.bottom(&none), None);
    }
}
