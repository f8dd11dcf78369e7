//! The four actions, and sets of them.

use std::fmt;

/// What a caller does to a resource.
///
/// There is no hierarchy: to delete does not imply to read.
///
/// ```
/// use keygate::Action;
///
/// assert_eq!(Action::ALL.map(Action::as_str), ["create", "read", "update", "delete"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on an action needs no `_` arm")]
pub enum Action {
    /// To make what is not there yet.
    Create,
    /// To see what is there.
    Read,
    /// To change what is there.
    Update,
    /// To remove what is there.
    Delete,
}

impl Action {
    /// All four, in canonical order.
    pub const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    /// `create`, `read`, `update` or `delete`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "create" => Some(Self::Create),
            "read" => Some(Self::Read),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 4,
            Self::Delete => 8,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of actions, in one byte.
///
/// Its text is the one of scopes: `read`, `read,update` in the order create, read, update, delete, and `*` for all
/// four.
///
/// ```
/// use keygate::{Action, Actions};
///
/// let actions: Actions = [Action::Update, Action::Read].into_iter().collect();
/// assert_eq!(actions.to_string(), "read,update");
/// assert!(actions.contains(Action::Read));
/// assert!(!actions.contains(Action::Delete));
/// assert_eq!(Actions::ALL.to_string(), "*");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// All four actions: `*`.
    pub const ALL: Self = Self(0b1111);

    /// Whether the action is one of them.
    #[must_use]
    pub const fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them once, in the order create, read, update, delete.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.contains(action))
    }

    pub(super) const fn with(self, action: Action) -> Self {
        Self(self.0 | action.bit())
    }

    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(super) const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        Self(action.bit())
    }
}

impl<const N: usize> From<[Action; N]> for Actions {
    fn from(actions: [Action; N]) -> Self {
        actions.into_iter().collect()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("*");
        }
        for (index, action) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            action.fmt(f)?;
        }
        Ok(())
    }
}
