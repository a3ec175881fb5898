use std::fmt::Display;

use anstyle::Style;

use super::escape::escaped;

/// A line of text for people, in styled pieces. Hostile characters in a piece are escaped when the
/// line is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(super) pieces: Vec<(Style, String)>,
}

impl Line {
    /// Returns an empty line.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns a line of one style.
    pub(crate) fn of(style: Style, text: impl Display) -> Self {
        Self::new().styled(style, text)
    }

    /// Adds text in the default style of the terminal.
    pub(crate) fn plain(self, text: impl Display) -> Self {
        self.styled(Style::new(), text)
    }

    /// Adds text in a style.
    pub(crate) fn styled(mut self, style: Style, text: impl Display) -> Self {
        self.pieces.push((style, text.to_string()));
        self
    }

    /// Adds the pieces of another line.
    pub(crate) fn and(mut self, line: Self) -> Self {
        self.pieces.extend(line.pieces);
        self
    }

    /// Returns the number of characters on the screen.
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| escaped(text).chars().count()).sum()
    }
}

impl<T: Display> From<T> for Line {
    fn from(text: T) -> Self {
        Self::new().plain(text)
    }
}
