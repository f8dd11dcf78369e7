//! What an API key is granted.

use super::Grant;
use crate::{Invalid, UserId};

/// An API key acts as the user it belongs to: what that user may do, the host knows.
#[derive(Clone, Debug)]
pub struct ApiKeyGrant {
    user: UserId,
}

impl ApiKeyGrant {
    /// To act as this user.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless the id is 1–64 bytes of 0x21–0x7E.
    pub fn new(user: &str) -> Result<Self, Invalid> {
        Ok(Self { user: UserId::parse(user)? })
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }
}

impl From<ApiKeyGrant> for Grant {
    fn from(grant: ApiKeyGrant) -> Self {
        Self::ApiKey(grant)
    }
}
