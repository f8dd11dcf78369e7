//! The id of a credential, and the key under which its record is kept.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::alphabet::Alphabet;
use crate::short_text::ShortText;
use crate::{Invalid, Kind};

/// The id of a credential: 1–64 of `A-Z a-z 0-9 - _ + /`, held inline.
///
/// It is public: it names a record in a store, in a log and in a host's pages. An id that keygate draws has 12
/// characters; other lengths come from imported credentials. Ids are unique within a kind only, so a map is keyed
/// by [`CredentialKey`].
///
/// ```
/// use keygate::CredentialId;
///
/// let id = CredentialId::parse("tr6AWfxqtcJI")?;
/// assert_eq!(id.as_str(), "tr6AWfxqtcJI");
/// assert!(CredentialId::parse("x' OR 1=1").is_err());
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(ShortText);

impl CredentialId {
    /// The id of no credential: what is left of a header value that changed under its reader.
    pub(crate) const NOTHING: Self = Self(ShortText::EMPTY);

    /// Checks the alphabet and the length of an id.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which tells where the text differs.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid::new("credential id", "1 to 64 of A-Z a-z 0-9 - _ + /");
        let bytes = text.as_bytes().get(..ShortText::LONGEST).unwrap_or(text.as_bytes());
        match Alphabet::CREDENTIAL.first_outside(bytes) {
            Some(position) => Err(invalid.at(position)),
            None => Self::from_checked(text.as_bytes()).ok_or(invalid.at(bytes.len())),
        }
    }

    /// The id in bytes whose alphabet a parser has checked; `None` if there are none or too many.
    pub(crate) fn from_checked(text: &[u8]) -> Option<Self> {
        Some(Self::or_nothing(text)).filter(|id| *id != Self::NOTHING)
    }

    /// The same, [`NOTHING`](Self::NOTHING) instead of `None`.
    #[inline(always)]
    pub(crate) fn or_nothing(text: &[u8]) -> Self {
        match issued_words(text) {
            Some([first, second]) => Self(ShortText::of_words(first, second, 12)),
            None => Self(ShortText::new(text).unwrap_or(ShortText::EMPTY)),
        }
    }

    /// Whether it is this id.
    #[inline(always)]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        match issued_words(text) {
            Some([first, second]) => self.0.begins_with_words(first, second),
            None => self.as_bytes() == text,
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it has the shape of an id that keygate draws: 12 base64url characters.
    pub(crate) fn is_issued(&self) -> bool {
        self.as_bytes().len() == 12 && Alphabet::BASE64URL.holds(self.as_bytes())
    }

    /// Whether it has the shape of an id in the hex text style: 24 lower-case hex digits.
    pub(crate) fn is_hex(&self) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.as_bytes().len() == 24 && self.as_bytes().iter().all(is_digit)
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The words of an id that has the length of an issued one, which need no memory.
#[inline(always)]
fn issued_words(text: &[u8]) -> Option<[u64; 2]> {
    let (first, rest) = text.split_first_chunk::<8>()?;
    let second = rest.try_into().map(u32::from_le_bytes).ok()?;
    Some([u64::from_le_bytes(*first), u64::from(second)])
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialId").field(&self.as_str()).finish()
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Kind and id: what a record is found by.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use keygate::{CredentialKey, Record};
///
/// let records: HashMap<CredentialKey, Arc<Record>> = HashMap::new();
/// # drop(records);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the key of a host's own map is these two values")]
pub struct CredentialKey {
    /// Which of the three kinds.
    pub kind: Kind,
    /// The id, unique within its kind.
    pub id: CredentialId,
}

impl CredentialKey {
    /// A key of these two.
    #[must_use]
    #[inline]
    pub const fn new(kind: Kind, id: CredentialId) -> Self {
        Self { kind, id }
    }
}

impl Hash for CredentialKey {
    /// Of the id alone: that two kinds have one id is rare, and then the comparison tells.
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for CredentialKey {
    /// `st.tr6AWfxqtcJI`: the public part of a credential's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.id)
    }
}
