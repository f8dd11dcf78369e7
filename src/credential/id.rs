//! The id of a credential, and the key under which its record is kept.

use std::cmp::Ordering;
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
#[derive(Clone, Copy)]
pub struct CredentialId {
    /// The bytes of the id and then zeros, in words: written, compared and hashed by eight bytes at a time.
    words: [[u8; 8]; 8],
    length: u8,
}

impl CredentialId {
    const LONGEST: usize = 64;

    /// The id of no credential: what is left of a header value that changed under its reader.
    pub(crate) const NOTHING: Self = Self { words: [[0; 8]; 8], length: 0 };

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
    pub(crate) fn from_checked(text: &[u8]) -> Option<Self> {
        Some(Self::or_nothing(text)).filter(|id| id.length > 0)
    }

    /// The same, [`NOTHING`](Self::NOTHING) instead of `None`.
    #[inline(always)]
    pub(crate) fn or_nothing(text: &[u8]) -> Self {
        match issued_words(text) {
            Some([first, second]) => {
                Self { words: [first, second, 0, 0, 0, 0, 0, 0].map(u64::to_le_bytes), length: 12 }
            }
            None => Self::of_any_length(text).unwrap_or(Self::NOTHING),
        }
    }

    /// Whether it is this id.
    #[inline(always)]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let [first, second, ..] = self.words.map(u64::from_le_bytes);
        match issued_words(text) {
            // The length, which is on a cache line of its own, follows: no character is zero.
            Some([one, two]) => (first ^ one) | (second ^ two) == 0,
            None => self.as_bytes() == text,
        }
    }

    #[inline(never)]
    fn of_any_length(text: &[u8]) -> Option<Self> {
        let length = u8::try_from(text.len()).ok().filter(|length| *length > 0)?;
        let mut words = [[0; 8]; 8];
        let (whole, rest) = text.as_chunks::<8>();
        words.get_mut(..whole.len())?.copy_from_slice(whole);
        if !rest.is_empty() {
            let last = rest.iter().rev().fold(0, |word: u64, byte| word.wrapping_shl(8) | u64::from(*byte));
            *words.get_mut(whole.len())? = last.to_le_bytes();
        }
        Some(Self { words, length })
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

    /// Whether it has the shape of an id in the hex text style: 24 lower-case hex digits.
    pub(crate) fn is_hex(&self) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.as_bytes().len() == 24 && self.as_bytes().iter().all(is_digit)
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.words.as_flattened().get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The first two words, which hold all of most ids, and the six that a longer one needs.
    #[inline(always)]
    fn words(&self) -> (u64, u64, Option<[u64; 6]>) {
        let [first, second, rest @ ..] = self.words.map(u64::from_le_bytes);
        // No character is zero, so the last byte of the second word tells whether there may be more.
        (first, second, (second.leading_zeros() < 8).then_some(rest))
    }
}

/// The words of an id that has the length of an issued one, which need no memory.
#[inline(always)]
fn issued_words(text: &[u8]) -> Option<[u64; 2]> {
    let (first, rest) = text.split_first_chunk::<8>()?;
    let second = rest.try_into().map(u32::from_le_bytes).ok()?;
    Some([u64::from_le_bytes(*first), u64::from(second)])
}

impl PartialEq for CredentialId {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        // Behind the id all is zero, which is in no id: equal words are equal ids.
        let ((first, second, rest), (other_first, other_second, other_rest)) = (self.words(), other.words());
        let same_rest = match (rest, other_rest) {
            (None, None) => true,
            (Some(rest), Some(other)) => rest == other,
            _ => false,
        };
        (first ^ other_first) | (second ^ other_second) == 0 && same_rest
    }
}

impl Eq for CredentialId {}

impl PartialOrd for CredentialId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CredentialId {
    /// By bytes, as a database compares with the collation `C`.
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for CredentialId {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (first, second, rest) = self.words();
        state.write_u64(first);
        state.write_u64(second);
        rest.into_iter().flatten().for_each(|word| state.write_u64(word));
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
