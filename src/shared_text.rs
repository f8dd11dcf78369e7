//! Short texts that are shared: the ids of users, organizations and projects.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::repeat_n;
use std::sync::Arc;

/// The first bytes of a text that others may hold, too: a clone costs no memory, and what is read out of a longer text costs none
/// either. Compared, ordered and hashed by what is in it, not by where it is.
#[derive(Clone)]
pub(crate) struct SharedText {
    whole: Arc<[u8]>,
    length: u8,
}

impl SharedText {
    /// The whole of a text of at most 255 bytes; of a longer one nothing.
    pub(crate) fn new(text: &str) -> Self {
        Self::first_of(Arc::from(text.as_bytes()), text.len())
    }

    /// So many bytes, from the first: at most 255, else nothing.
    pub(crate) fn first_of(whole: Arc<[u8]>, length: usize) -> Self {
        Self { whole, length: u8::try_from(length).unwrap_or_default() }
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.whole.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// These texts behind each other, in one allocation.
pub(crate) fn joined(texts: &[&str]) -> Arc<[u8]> {
    let length = texts.iter().fold(0_usize, |length, text| length.saturating_add(text.len()));
    let mut whole: Arc<[u8]> = repeat_n(0, length).collect();
    // Nobody else has it yet.
    let mut rest = Arc::get_mut(&mut whole).unwrap_or_default();
    for text in texts {
        let Some((here, behind)) = rest.split_at_mut_checked(text.len()) else { break };
        here.copy_from_slice(text.as_bytes());
        rest = behind;
    }
    whole
}

impl PartialEq for SharedText {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SharedText {}

impl PartialOrd for SharedText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SharedText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for SharedText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
