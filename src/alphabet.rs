//! Alphabets: which bytes may stand where. One table, so that a look-up is one load whatever the alphabet.

/// A set of bytes with a name.
#[derive(Clone, Copy)]
pub(crate) struct Alphabet(u8);

impl Alphabet {
    /// `A-Z a-z 0-9 - _` (RFC 4648 §5): issued credentials; ids of organizations, projects and environments.
    pub(crate) const BASE64URL: Self = Self(1);
    /// The same and `+ /`: ids and secrets of credentials, imported ones included.
    pub(crate) const CREDENTIAL: Self = Self(2);
    /// The same as base64url and `. ~`: what RFC 3986 §2.3 calls unreserved, segments of paths.
    pub(crate) const UNRESERVED: Self = Self(4);
    /// Unreserved and `/`: paths.
    pub(crate) const PATH: Self = Self(128);
    /// `A-Z a-z 0-9 - . _ ~ + /`: a token68 without its padding (RFC 9110 §11.2).
    pub(crate) const TOKEN68: Self = Self(8);
    /// A token (RFC 9110 §5.6.2): the name of an authentication scheme.
    pub(crate) const TOKEN: Self = Self(16);
    /// 0x21–0x7E: ids of users and creators.
    pub(crate) const GRAPHIC: Self = Self(32);
    /// 0x20–0x7E: header values and realms.
    pub(crate) const VISIBLE: Self = Self(64);

    /// Whether the byte is in it.
    #[inline]
    pub(crate) const fn contains(self, byte: u8) -> bool {
        alphabets_of(byte) & self.0 != 0
    }

    /// Whether all bytes are in it.
    #[inline(always)]
    pub(crate) fn holds(self, text: &[u8]) -> bool {
        // One branch for all bytes, not one for each.
        let mut common = self.0;
        for byte in text {
            common &= alphabets_of(*byte);
        }
        common != 0
    }

    /// Where the first byte stands that is not in it.
    #[inline]
    pub(crate) fn first_outside(self, text: &[u8]) -> Option<usize> {
        text.iter().position(|byte| !self.contains(*byte))
    }
}

#[inline]
const fn alphabets_of(byte: u8) -> u8 {
    #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a byte always is below 256")]
    ALPHABETS_OF[byte as usize]
}

/// By byte: which alphabets it is in.
static ALPHABETS_OF: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7F {
        let base64url = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let plus_slash = matches!(byte, b'+' | b'/');
        let dot_tilde = matches!(byte, b'.' | b'~');
        let token = base64url
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'`' | b'|' | b'~'
            );
        let mut alphabets = 0;
        if base64url {
            alphabets |= Alphabet::BASE64URL.0;
        }
        if base64url || plus_slash {
            alphabets |= Alphabet::CREDENTIAL.0;
        }
        if base64url || dot_tilde {
            alphabets |= Alphabet::UNRESERVED.0;
        }
        if base64url || dot_tilde || byte == b'/' {
            alphabets |= Alphabet::PATH.0;
        }
        if base64url || plus_slash || dot_tilde {
            alphabets |= Alphabet::TOKEN68.0;
        }
        if token {
            alphabets |= Alphabet::TOKEN.0;
        }
        if byte.is_ascii_graphic() {
            alphabets |= Alphabet::GRAPHIC.0;
        }
        if byte >= 0x20 {
            alphabets |= Alphabet::VISIBLE.0;
        }
        #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a byte always is below 256")]
        {
            table[byte as usize] = alphabets;
        }
        byte = byte.wrapping_add(1);
    }
    table
};

/// Whether it is base64url, without a branch.
#[inline(always)]
const fn is_base64url(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10) | (byte == b'-') | (byte == b'_')
}

/// How many dots there are where all other bytes are base64url; `None` where one is not. For long texts: in runs, of which the
/// compiler makes wide instructions.
pub(crate) fn dots_in_base64url(text: &[u8]) -> Option<usize> {
    let (mut outside, mut dots) = ([0_u8; 32], [0_u8; 32]);
    let mut read = |run: &[u8; 32]| {
        for ((found, dots), byte) in outside.iter_mut().zip(&mut dots).zip(run) {
            let is_dot = *byte == b'.';
            *found |= u8::from(!(is_base64url(*byte) | is_dot));
            *dots = dots.saturating_add(u8::from(is_dot));
        }
    };
    let (runs, rest) = text.as_chunks();
    runs.iter().for_each(&mut read);
    let mut last = [b'-'; 32];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    read(&last);
    (outside == [0; 32]).then(|| dots.iter().map(|dots| usize::from(*dots)).sum())
}

/// Whether all bytes of these runs of sixteen are base64url, without a branch: the compiler makes a few wide
/// instructions of it.
#[inline(always)]
pub(crate) fn all_base64url<const N: usize>(runs: [&[u8; 16]; N]) -> bool {
    let mut outside = [0; 16];
    for run in runs {
        for (found, byte) in outside.iter_mut().zip(run) {
            *found |= u8::from(!is_base64url(*byte));
        }
    }
    u128::from_ne_bytes(outside) == 0
}

/// Control characters, separators of lines and paragraphs, and what changes the direction of text (Unicode TR9): in a log, what
/// has one could begin a line of its own, or turn the rest of its line around.
pub(crate) fn breaks_lines(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Alphabet, all_base64url, dots_in_base64url};

    #[track_caller]
    fn agrees(alphabet: Alphabet, expected: impl Fn(u8) -> bool) {
        for byte in 0..=u8::MAX {
            assert_eq!(alphabet.contains(byte), expected(byte), "byte {byte:#04x}");
            assert_eq!(alphabet.holds(&[b'a', byte, b'Z']), expected(byte), "byte {byte:#04x} among others");
            assert_eq!(
                alphabet.first_outside(&[b'a', byte]),
                (!expected(byte)).then_some(1),
                "byte {byte:#04x}"
            );
        }
    }

    #[test]
    fn alphabets_are_what_they_are_called() {
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        agrees(Alphabet::BASE64URL, base64url);
        agrees(Alphabet::CREDENTIAL, |byte| base64url(byte) || b"+/".contains(&byte));
        agrees(Alphabet::UNRESERVED, |byte| base64url(byte) || b".~".contains(&byte));
        agrees(Alphabet::PATH, |byte| base64url(byte) || b".~/".contains(&byte));
        agrees(Alphabet::TOKEN68, |byte| base64url(byte) || b".~+/".contains(&byte));
        agrees(Alphabet::TOKEN, |byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        agrees(Alphabet::GRAPHIC, |byte| (0x21..=0x7E).contains(&byte));
        agrees(Alphabet::VISIBLE, |byte| (0x20..=0x7E).contains(&byte));
    }

    #[test]
    fn the_wide_checks_agree_at_every_place() {
        for place in 0..16 {
            for byte in 0..=u8::MAX {
                let mut bytes = *b"ABYZabyz0189-_-_";
                bytes[place] = byte;
                let expected = Alphabet::BASE64URL.contains(byte);
                let found = all_base64url([b"0123456789abcdef", &bytes]);
                assert_eq!(found, expected, "{byte:#04x} at {place}");
                for length in [0, 16, 31, 32, 33] {
                    let text = ["_".repeat(length).as_bytes(), &bytes].concat();
                    let expected = if byte == b'.' { Some(1) } else { expected.then_some(0) };
                    assert_eq!(dots_in_base64url(&text), expected, "{byte:#04x} at {place} behind {length}");
                }
            }
        }
    }

    #[test]
    fn dots_are_counted() {
        assert_eq!(dots_in_base64url(b""), Some(0));
        for length in [1, 2, 31, 32, 33, 64, 8_160] {
            assert_eq!(dots_in_base64url(".".repeat(length).as_bytes()), Some(length));
        }
        // No number of them is taken for a smaller one but by falling short of it.
        assert!(dots_in_base64url(".".repeat(100_000).as_bytes()).is_some_and(|dots| dots >= 8_160));
    }
}
