//! The floor: the least that any verification of a keyed digest in memory must do.
//!
//! One probe of a map of records, two SHA-256 compressions from a ready key schedule (the inner and the outer
//! block of an HMAC over 55 bytes), one comparison of 32 bytes. No parsing, no checks, no result to own. Every
//! ratio that keygate quotes is a multiple of this. It was written first, and it is never made slower.

use std::sync::Arc;

use hashbrown::HashMap;
use sha2::block_api::compress256;
use subtle::ConstantTimeEq;

/// The initial state of SHA-256 (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A map of records (each a digest behind an `Arc`) and the two states of one HMAC key.
#[derive(Debug)]
pub struct Floor {
    records: HashMap<[u8; 12], Arc<[u8; 32]>>,
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Floor {
    /// The floor over these texts; an id is the 12 bytes that stand behind the kind and its dot.
    pub fn new(key: &[u8; 32], texts: impl IntoIterator<Item = [u8; 55]>) -> Self {
        let schedule = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            state
        };
        let mut floor = Self { records: HashMap::new(), inner: schedule(0x36), outer: schedule(0x5c) };
        for text in texts {
            let digest = floor.digest(&text);
            floor.records.insert(id(&text), Arc::new(digest));
        }
        floor
    }

    /// One probe, two compressions, one comparison.
    #[inline]
    pub fn verify(&self, text: &[u8; 55]) -> bool {
        let digest = self.digest(text);
        self.records.get(&id(text)).is_some_and(|stored| words(stored).ct_eq(&words(&digest)).into())
    }

    #[inline]
    fn digest(&self, text: &[u8; 55]) -> [u8; 32] {
        let mut block = [0; 64];
        block[..55].copy_from_slice(text);
        block[55] = 0x80;
        block[56..].copy_from_slice(&((64 + 55) * 8_u64).to_be_bytes());
        let mut inner = self.inner;
        compress256(&mut inner, &[block]);

        let mut block = [0; 64];
        block[..32].copy_from_slice(&bytes(inner));
        block[32] = 0x80;
        block[56..].copy_from_slice(&((64 + 32) * 8_u64).to_be_bytes());
        let mut outer = self.outer;
        compress256(&mut outer, &[block]);
        bytes(outer)
    }
}

fn id(text: &[u8; 55]) -> [u8; 12] {
    let mut id = [0; 12];
    id.copy_from_slice(&text[3..15]);
    id
}

fn bytes(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(state) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight bytes"));
    }
    words
}
