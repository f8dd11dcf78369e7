//! Records that were decoded before: the same bytes are the same record, so nothing here can be out of date.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keygate::{DecodeError, Record};

/// Decoding takes about as long as fetching the bytes, which is done each time. Two thousand records, where they are of a usual
/// length, are a few megabytes.
pub(crate) struct Memo([Mutex<Vec<Known>>; SETS]);

struct Known {
    bytes: Box<[u8]>,
    record: Arc<Record>,
}

const SETS: usize = 512;

/// How many records of one set are kept: the oldest goes first.
const WAYS: usize = 4;

/// Longer ones are decoded each time.
const LONGEST: usize = 4_096;

impl Memo {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// As [`Record::decode`]; any number that the same bytes always come with tells where to look.
    pub(crate) fn decode(&self, sum: u32, bytes: &[u8]) -> Result<Arc<Record>, DecodeError> {
        if let Some(known) = self.set(sum).iter().find(|known| *known.bytes == *bytes) {
            return Ok(Arc::clone(&known.record));
        }
        let record = Arc::new(Record::decode(bytes)?);
        if bytes.len() <= LONGEST {
            let mut set = self.set(sum);
            if set.len() >= WAYS {
                set.remove(0);
            }
            set.push(Known { bytes: bytes.into(), record: Arc::clone(&record) });
        }
        Ok(record)
    }

    fn set(&self, sum: u32) -> MutexGuard<'_, Vec<Known>> {
        let [first, ..] = &self.0;
        let place = usize::try_from(sum).unwrap_or_default() % SETS;
        self.0.get(place).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use keygate::{ApiKeyGrant, CredentialId, Digest, Timestamp};

    use super::*;

    fn encoded(number: u32, name: &str) -> Vec<u8> {
        let id = CredentialId::parse(&format!("id-{number}")).unwrap();
        let digest = Digest::from_parts(1, None, &[7; 32]).unwrap();
        let builder = Record::builder(id, ApiKeyGrant::new("u-17").unwrap(), digest, Timestamp::from_unix(0));
        builder.name(name).build().unwrap().encode().unwrap()
    }

    /// Also where all of them are looked for in one place.
    #[test]
    fn the_same_bytes_and_no_others_are_the_same_record() {
        let memo = Memo::new();
        let (one, other) = (encoded(1, "one"), encoded(1, "two"));
        let first = memo.decode(9, &one).unwrap();
        assert!(Arc::ptr_eq(&first, &memo.decode(9, &one).unwrap()));
        assert_eq!(memo.decode(9, &other).unwrap().name(), Some("two"));
        assert_eq!(memo.decode(9, &one).unwrap().name(), Some("one"));
        assert!(memo.decode(9, &one[..one.len() - 1]).is_err());
        for number in 2..100 {
            assert_eq!(
                memo.decode(9, &encoded(number, "x")).unwrap().key().id.as_str(),
                format!("id-{number}")
            );
            assert!(memo.set(9).len() <= WAYS);
        }
        assert!(!Arc::ptr_eq(&first, &memo.decode(9, &one).unwrap()), "the oldest was dropped");
    }
}
