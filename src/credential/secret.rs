//! A text that is a secret.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: the text of a credential, a derived key. Wiped when dropped, masked in `Debug`.
///
/// It can be moved and exposed, and nothing else: there is no `Clone`, `Display`, `Serialize`, `PartialEq` or
/// `Hash`, so it does not end up in a log, a response or a map by accident. [`expose`](Self::expose) is the one
/// method through which it leaves, and can be searched for.
///
/// # Security
///
/// Wiping is best effort: a copy that a host makes, that the operating system swapped out, or that a move left on
/// a stack is not reached.
///
/// ```
/// # use keygate::{DigestKeys, Kind, SystemRandom};
/// let drawn = DigestKeys::ephemeral()?.draw(Kind::ApiKey, &SystemRandom)?;
/// assert_eq!(format!("{:?}", drawn.text), "Secret(***)");
/// assert!(drawn.text.expose().starts_with("ak."));
/// # Ok::<(), keygate::RandomError>(())
/// ```
///
/// ```compile_fail
/// fn copied<T: Clone>() {}
/// copied::<keygate::Secret>();
/// ```
///
/// ```compile_fail
/// fn printed<T: std::fmt::Display>() {}
/// printed::<keygate::Secret>();
/// ```
///
/// ```compile_fail
/// fn serialized<T: serde::Serialize>() {}
/// serialized::<keygate::Secret>();
/// ```
///
/// ```compile_fail
/// fn compared<T: PartialEq>() {}
/// compared::<keygate::Secret>();
/// ```
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a text; the capacity that it does not use was never written by us.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, to be handed to its holder once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
