//! What a host without keygate would keep of a credential, and how it would answer "may it".

/// Who it is, until when, and what it may.
pub struct Account {
    /// Whom the credential stands for.
    pub subject: String,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// Separated by spaces, as in an access token's claim.
    pub scope: String,
}

impl Account {
    /// The account of this number, with the rights that keygate's cases have.
    pub fn numbered(number: usize) -> Self {
        Self { subject: format!("account-{number}"), expires_at: EXPIRES_AT, scope: SCOPE.to_owned() }
    }

    /// The decision that all peers end in: valid now, and one of its scopes is the one that is needed.
    pub fn may(&self, needed: &str) -> bool {
        !self.subject.is_empty() && NOW < self.expires_at && holds(&self.scope, needed)
    }
}

/// Whether one of these scopes, separated by spaces, is the one that is needed. A peer compares texts: it knows no
/// patterns, so it is asked for less than keygate is.
pub fn holds(scopes: &str, needed: &str) -> bool {
    scopes.split(' ').any(|scope| scope == needed)
}

/// The credential in the value of an `Authorization` header.
pub fn bearer(value: &str) -> Option<&str> {
    value.strip_prefix("Bearer ")
}

/// The moment of every decision that takes one.
pub const NOW: u64 = 1_790_000_000;
/// When every credential expires; far enough for the peers that read the clock themselves.
pub const EXPIRES_AT: u64 = 4_000_000_000;
/// What every credential may: one scope, as most have.
pub const SCOPE: &str = "read@web/prod:/app/**";
