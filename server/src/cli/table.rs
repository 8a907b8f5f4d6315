//! A table of text with columns that fit into a width.

use ratatui::text::Span;

/// The space between two columns.
const GAP: usize = 2;

/// The least width to which a column is cut.
const MIN_WIDTH: usize = 8;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Column {
    title: &'static str,
    /// It is a name, which is on the left and can be cut. A number is on the right and cannot.
    is_name: bool,
}

impl Column {
    pub(in crate::cli) const fn name(title: &'static str) -> Self {
        Self { title, is_name: true }
    }

    pub(in crate::cli) const fn number(title: &'static str) -> Self {
        Self { title, is_name: false }
    }
}

/// Returns the lines of a table, the titles first. Names are cut in the middle so that a line has `width` columns, as far
/// as this suffices.
pub(in crate::cli) fn table(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
) -> Vec<String> {
    let titles = columns.iter().map(|column| column.title.to_owned()).collect();
    let all = || [&titles].into_iter().chain(rows);
    let widest = |index: usize| all().map(|row: &Vec<String>| cells(&row[index])).max();
    let mut widths: Vec<usize> =
        (0..columns.len()).map(|index| widest(index).unwrap_or_default()).collect();
    while width.is_some_and(|width| total(&widths) > width) {
        let names = (0..columns.len())
            .filter(|index| columns[*index].is_name && widths[*index] > MIN_WIDTH);
        let Some(longest) = names.max_by_key(|index| widths[*index]) else { break };
        widths[longest] -= 1;
    }
    all().map(|row| line(columns, row, &widths)).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn line(columns: &[Column], row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((column, cell), width) in columns.iter().zip(row).zip(widths) {
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = cut_middle(cell, *width);
        let padding = " ".repeat(width.saturating_sub(cells(&cell)));
        let [before, after] = if column.is_name { ["", &padding] } else { [&padding[..], ""] };
        line.extend([before, &cell, after]);
    }
    line.trim_end().to_owned()
}

/// Returns the number of columns of a terminal that a text takes.
pub(in crate::cli) fn cells(text: &str) -> usize {
    Span::raw(text).width()
}

/// Replaces the middle of a text that is too long: the beginning and the end of an address tell it from others.
fn cut_middle(text: &str, width: usize) -> String {
    if cells(text) <= width {
        return text.to_owned();
    }
    let end = (width.saturating_sub(1)) / 2;
    let (start, end) =
        (take(text.chars(), width.saturating_sub(1 + end)), take(text.chars().rev(), end));
    format!("{start}\u{2026}{}", end.chars().rev().collect::<String>())
}

/// Replaces the end of a text that is too long.
pub(in crate::cli) fn cut_end(text: &str, width: usize) -> String {
    if cells(text) <= width {
        return text.to_owned();
    }
    format!("{}\u{2026}", take(text.chars(), width.saturating_sub(1)))
}

/// Returns the first characters that take at most `width` columns.
fn take(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut taken = String::new();
    for char in chars {
        taken.push(char);
        if cells(&taken) > width {
            taken.pop();
            break;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::name("PEER"), Column::number("WORKER"), Column::name("USER")];

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn numbers_are_on_the_right_and_wide_characters_count_twice() {
        let rows = [row(["127.0.0.1:5000", "1", "-"]), row(["\u{4f60}\u{597d}", "12", "alice"])];
        assert_eq!(
            table(&COLUMNS, &rows, None),
            [
                "PEER            WORKER  USER",
                "127.0.0.1:5000       1  -",
                "\u{4f60}\u{597d}                12  alice"
            ]
        );
    }

    #[test]
    fn names_are_cut_in_the_middle_and_the_longest_first() {
        let rows = [row(["[2001:db8:1:2:3:4:5:6]:54321", "1", "someone-with-a-name"])];
        let lines = table(&COLUMNS, &rows, Some(40));
        assert_eq!(lines[1], "[2001:d\u{2026}]:54321       1  someone\u{2026}-a-name");
        assert_eq!(cells(&lines[1]), 40);
        // The least width.
        assert_eq!(table(&COLUMNS, &rows, Some(3))[1], "[200\u{2026}321       1  some\u{2026}ame");
        assert_eq!(cut_end("\u{4f60}\u{597d}a", 4), "\u{4f60}\u{2026}");
    }
}
