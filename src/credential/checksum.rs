//! The checksum inside an issued text, its lengths, and the letters that stand for slots.

/// An issued credential without its namespace: kind, dot, id of 12, dot, secret part of 39.
pub(crate) const ISSUED_LENGTH: usize = 55;
/// What stands before the checksum.
const CHECKED_LENGTH: usize = 49;
/// What the guard is computed over: kind, id and secret, with their dots.
pub(crate) const GUARDED_LENGTH: usize = 44;

/// CRC-32 (IEEE), four bytes big-endian, in base64url: six characters.
#[inline(always)]
pub(super) fn checksum(checked: &[u8]) -> [u8; 6] {
    let checksum = crc32fast::hash(checked);
    let letter = |shift| letter_of_bits(checksum.wrapping_shr(shift));
    // The last letter has two bits of its own, and four that are zero.
    [letter(26), letter(20), letter(14), letter(8), letter(2), letter_of_bits(checksum.wrapping_shl(4))]
}

/// Whether the last six characters are the checksum of the others: compared as text, since four bytes have more than
/// one spelling in six characters, and a credential has one.
#[inline(always)]
pub(super) fn checksum_holds(text: &[u8; ISSUED_LENGTH]) -> bool {
    match text.split_first_chunk::<CHECKED_LENGTH>() {
        Some((checked, found)) => {
            let differing =
                checksum(checked).iter().zip(found).fold(0, |bits, (one, other)| bits | (one ^ other));
            differing == 0
        }
        None => false,
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The slot that a letter of the guard names.
pub(crate) fn slot_of(letter: u8) -> Option<u8> {
    ALPHABET.iter().position(|known| *known == letter).and_then(|slot| u8::try_from(slot).ok())
}

/// The letter of the last six bits.
#[inline]
fn letter_of_bits(bits: u32) -> u8 {
    let [.., last] = bits.to_be_bytes();
    ALPHABET.get(usize::from(last & 63)).copied().unwrap_or_default()
}

/// The letter that names a slot; slots are below 64, any other has none.
pub(crate) fn letter_of(slot: u8) -> Option<u8> {
    ALPHABET.get(usize::from(slot)).copied()
}

#[cfg(test)]
mod tests {
    use super::{CHECKED_LENGTH, GUARDED_LENGTH, ISSUED_LENGTH, checksum, checksum_holds};

    #[test]
    fn lengths_add_up() {
        assert_eq!(CHECKED_LENGTH, GUARDED_LENGTH + 5);
        assert_eq!(ISSUED_LENGTH, CHECKED_LENGTH + 6);
    }

    /// The check value of CRC-32 (IEEE) is that of `123456789`: 0xCBF43926.
    #[test]
    fn the_checksum_is_crc_32_in_base64url() {
        assert_eq!(checksum(b"123456789"), *b"y_Q5Jg");
        assert!(checksum_holds(b"sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ"));
        assert!(!checksum_holds(b"sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBR"));
    }
}
