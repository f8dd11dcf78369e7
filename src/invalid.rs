//! The one error for a value that a programmer or a configuration got wrong.

use thiserror::Error;

/// Which argument is not acceptable, what was expected, and where the text went wrong.
///
/// It holds no text of the caller's, only a position: it can be logged and shown.
///
/// ```
/// let error = keygate::Scope::parse("read@web/prod:app").unwrap_err();
/// assert_eq!(error.to_string(), "scope: expected '/' at the start of a path pattern (at byte 14)");
/// assert_eq!(error.argument(), "scope");
/// assert_eq!(error.position(), Some(14));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{argument}: expected {expected}{}", At(*position))]
pub struct Invalid {
    argument: &'static str,
    expected: &'static str,
    position: Option<usize>,
}

impl Invalid {
    pub(crate) const fn new(argument: &'static str, expected: &'static str) -> Self {
        Self { argument, expected, position: None }
    }

    pub(crate) const fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The same failure as part of a longer text that begins `bytes` earlier and is another argument.
    pub(crate) const fn within(self, argument: &'static str, bytes: usize) -> Self {
        let position = match self.position {
            Some(position) => Some(position.saturating_add(bytes)),
            None => Some(bytes),
        };
        Self { argument, position, ..self }
    }

    /// The argument's name.
    #[must_use]
    pub const fn argument(&self) -> &'static str {
        self.argument
    }

    /// What was expected instead, as a phrase.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }

    /// The byte at which the text stopped being acceptable, where the argument is a text.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        self.position
    }
}

struct At(Option<usize>);

impl core::fmt::Display for At {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |position| write!(f, " (at byte {position})"))
    }
}
