//! Short texts held inline: all ids are such.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// At most 64 bytes of visible ASCII, in the value itself: it costs no allocation, and is compared and hashed by words.
#[derive(Clone, Copy)]
pub(crate) struct ShortText {
    /// The bytes of the text and then zeros, in words: written, compared and hashed by eight bytes at a time.
    words: [[u8; 8]; 8],
    length: u8,
}

impl ShortText {
    pub(crate) const LONGEST: usize = 64;
    pub(crate) const EMPTY: Self = Self { words: [[0; 8]; 8], length: 0 };

    /// A text whose alphabet was checked, which has no zero; `None` if it is empty or too long.
    #[inline(never)]
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
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

    /// A text of at most sixteen bytes that is in two words already.
    #[inline(always)]
    pub(crate) fn of_words(first: u64, second: u64, length: u8) -> Self {
        Self { words: [first, second, 0, 0, 0, 0, 0, 0].map(u64::to_le_bytes), length }
    }

    /// Whether it begins with these two words. The length, which is on a cache line of its own, follows where the second
    /// word ends with a zero: no character is zero.
    #[inline(always)]
    pub(crate) fn begins_with_words(&self, first: u64, second: u64) -> bool {
        let [own_first, own_second, ..] = self.words.map(u64::from_le_bytes);
        (own_first ^ first) | (own_second ^ second) == 0
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.words.as_flattened().get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The first two words, which hold all of most texts, and the six that a longer one needs.
    #[inline(always)]
    fn words(&self) -> (u64, u64, Option<[u64; 6]>) {
        let [first, second, rest @ ..] = self.words.map(u64::from_le_bytes);
        // No character is zero, so the last byte of the second word tells whether there may be more.
        (first, second, (second.leading_zeros() < 8).then_some(rest))
    }
}

impl PartialEq for ShortText {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        // Behind the text all is zero, which is in no text: equal words are equal texts.
        let ((first, second, rest), (other_first, other_second, other_rest)) = (self.words(), other.words());
        let same_rest = match (rest, other_rest) {
            (None, None) => true,
            (Some(rest), Some(other)) => rest == other,
            _ => false,
        };
        (first ^ other_first) | (second ^ other_second) == 0 && same_rest
    }
}

impl Eq for ShortText {}

impl PartialOrd for ShortText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortText {
    /// By bytes, as a database compares with the collation `C`.
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for ShortText {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (first, second, rest) = self.words();
        state.write_u64(first);
        state.write_u64(second);
        rest.into_iter().flatten().for_each(|word| state.write_u64(word));
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
