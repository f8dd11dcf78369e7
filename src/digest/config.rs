//! Digest keys from configuration text.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::{DigestKey, DigestKeys, KeyError};

/// Base64 in a configuration text: the standard alphabet, its padding may be left out.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// # Syntax
///
/// ```text
/// keys = key *( "," key )
/// key  = slot [ ":active" / ":guard" ] ":" base64     ; slot: 0 to 63, no leading zero
/// ```
pub(super) fn parse(text: &str) -> Result<DigestKeys, KeyError> {
    let entries = text.split(',').map(str::trim_ascii).enumerate();
    let keys = entries.map(|(at, entry)| key(entry, at.saturating_add(1)));
    DigestKeys::new(keys.collect::<Result<Vec<_>, _>>()?)
}

fn key(text: &str, entry: usize) -> Result<DigestKey, KeyError> {
    let wrong = |expected| KeyError::Entry { entry, expected };
    let (slot, rest) = text.split_once(':').ok_or(wrong("slot[:active|:guard]:base64"))?;
    let slot = slot_number(slot).ok_or(wrong("a slot of 0 to 63 before the first colon"))?;
    let (role, base64) = rest.split_once(':').unwrap_or(("", rest));
    // A buffer of ours, so that it is wiped also where the text is not base64; longer than any key.
    let mut buffer = Zeroizing::new([0; 128]);
    let length =
        BASE64.decode_slice(base64, &mut *buffer).map_err(|_| wrong("standard base64 of 32 to 64 bytes"))?;
    let bytes = buffer.get(..length).unwrap_or_default();
    match role {
        "" if base64.len() == rest.len() => DigestKey::new(slot, bytes),
        "active" => DigestKey::active(slot, bytes),
        "guard" => DigestKey::guard_only(slot, bytes),
        _ => Err(wrong("active or guard between the colons")),
    }
}

fn slot_number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|slot| plain && *slot <= 63)
}
