//! HMAC-SHA-256 with a ready key schedule, and the comparison of its results.

use hmac::KeyInit as _;
use hmac::block_api::HmacCore;
use hmac::digest::Output;
use hmac::digest::block_api::{Buffer, FixedOutputCore as _, UpdateCore as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// An HMAC-SHA-256 key (RFC 2104) whose schedule is computed; wiped when dropped.
///
/// The crate's low-level interface, because its ordinary one carries a buffer that costs more than a compression.
pub(crate) struct MacKey(HmacCore<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC is defined for keys of any length (RFC 2104 §2)")]
        Self(HmacCore::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The MAC of a message: two compressions for up to 55 bytes.
    #[inline(always)]
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 32] {
        match message.try_into() {
            Ok(issued) => self.mac_of_issued(issued),
            Err(_) => self.mac_of_any(message),
        }
    }

    /// The length of an issued text, which the compiler then knows.
    #[inline(never)]
    fn mac_of_issued(&self, message: &[u8; 55]) -> [u8; 32] {
        self.compute(message)
    }

    #[inline(never)]
    fn mac_of_any(&self, message: &[u8]) -> [u8; 32] {
        self.compute(message)
    }

    #[inline(always)]
    fn compute(&self, message: &[u8]) -> [u8; 32] {
        let mut core = self.0.clone();
        let mut buffer = Buffer::<HmacCore<Sha256>>::default();
        buffer.digest_blocks(message, |blocks| core.update_blocks(blocks));
        let mut out = Output::<HmacCore<Sha256>>::default();
        core.finalize_fixed_core(&mut buffer, &mut out);
        out.into()
    }

    /// Equal for two keys iff they are one key to HMAC (which pads with zeros), and tells nothing about it.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.mac(b"keygate key fingerprint v1")
    }
}

/// Whether two digests are equal, without a branch on what is in them.
///
/// All bits that differ are gathered first, by words; whether there are any is asked once.
#[inline]
pub(crate) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let (a, b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let differing =
        a.iter().zip(b).fold(0, |bits, (a, b)| bits | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)));
    differing.ct_eq(&0).into()
}

/// Whether two guards are equal, likewise: as one word.
#[inline]
pub(super) fn equal_guards(a: &[u8; 5], b: &[u8; 5]) -> bool {
    let word = |[a, b, c, d, e]: [u8; 5]| u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
    word(*a).ct_eq(&word(*b)).into()
}

#[cfg(test)]
mod tests {
    use super::{MacKey, equal, equal_guards};

    #[track_caller]
    fn rfc4231(key: &[u8], message: &[u8], expected: &str) {
        let hex: String = MacKey::new(key).mac(message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    /// P8: RFC 4231 §4, cases 1 to 4, 6 and 7 (5 is a truncated tag, which we never take).
    #[test]
    fn hmac_is_rfc4231() {
        rfc4231(&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        rfc4231(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        rfc4231(&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
        let key: Vec<u8> = (1..=25).collect();
        rfc4231(&key, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
        rfc4231(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
        rfc4231(
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        );
    }

    #[test]
    fn every_bit_of_a_guard_counts() {
        assert!(equal_guards(b"Abcde", b"Abcde"));
        for bit in 0..40 {
            let mut other = *b"Abcde";
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal_guards(b"Abcde", &other), "bit {bit}");
        }
    }

    #[test]
    fn every_bit_of_a_digest_counts() {
        let digest = MacKey::new(b"key").mac(b"message");
        assert!(equal(&digest, &digest));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal(&digest, &other), "bit {bit}");
        }
    }
}
