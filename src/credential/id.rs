//! The id of a credential, and the key under which its record is kept.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::alphabet::Alphabet;
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialId {
    length: u8,
    /// Zero beyond `length`, so that the derived comparison is right.
    bytes: [u8; Self::LONGEST],
}

impl CredentialId {
    const LONGEST: usize = 64;

    /// The id of no credential: what is left of a header value that changed under its reader.
    pub(crate) const NOTHING: Self = Self { length: 0, bytes: [0; Self::LONGEST] };

    /// Checks the alphabet and the length of an id.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which tells where the text differs.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid::new("credential id", "1 to 64 of A-Z a-z 0-9 - _ + /");
        let bytes = text.as_bytes().get(..Self::LONGEST).unwrap_or(text.as_bytes());
        match Alphabet::CREDENTIAL.first_outside(bytes) {
            Some(position) => Err(invalid.at(position)),
            None => Self::from_checked(text.as_bytes()).ok_or(invalid.at(bytes.len())),
        }
    }

    /// The id in bytes whose alphabet a parser has checked; `None` if there are none or too many.
    #[inline]
    pub(crate) fn from_checked(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let length = u8::try_from(text.len()).ok().filter(|length| *length > 0)?;
        Some(Self { length, bytes })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Whether it has the shape of an id that keygate draws: 12 base64url characters.
    pub(crate) fn is_issued(&self) -> bool {
        self.as_bytes().len() == 12 && Alphabet::BASE64URL.holds(self.as_bytes())
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Hash for CredentialId {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The zeros beyond the id tell nothing.
        state.write(self.as_bytes());
        state.write_u8(self.length);
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub const fn new(kind: Kind, id: CredentialId) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for CredentialKey {
    /// `st.tr6AWfxqtcJI`: the public part of a credential's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.id)
    }
}
