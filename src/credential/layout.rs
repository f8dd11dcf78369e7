//! Where the parts of a credential's text stand, and what is wrong with a text that has no such parts.

use std::fmt;

use super::checksum::{ISSUED_LENGTH, checksum_holds};
use super::{Kind, Methods};
use crate::Invalid;
use crate::alphabet::{Alphabet, all_base64url};

/// Kind and dot.
const ID_START: usize = 3;
const ISSUED_ID_END: usize = 15;

/// The label that a host may put before its credentials' kind: `acme` in `acme_st.…`.
///
/// 1–16 of `a-z 0-9`, the first a letter. It tells people and secret scanners whose credential this is. It is part
/// of neither digest nor checksum, so it is not authenticated, and it can be changed without new credentials.
///
/// ```
/// use keygate::Namespace;
///
/// assert_eq!(Namespace::parse("acme")?.as_str(), "acme");
/// assert!(Namespace::parse("Acme").is_err());
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(Box<str>);

impl Namespace {
    /// Checks the alphabet and the length of a namespace.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which tells where the text differs.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match Self::check(text.as_bytes()) {
            Ok(()) => Ok(Self(text.into())),
            Err(position) => {
                Err(Invalid::new("namespace", "1 to 16 of a-z 0-9, the first a letter").at(position))
            }
        }
    }

    /// The namespace as text, without the underscore that follows it in a credential.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn check(text: &[u8]) -> Result<(), usize> {
        const LONGEST: usize = 16;
        let wrong = |(at, byte): (usize, &u8)| match byte {
            b'a'..=b'z' => false,
            b'0'..=b'9' => at == 0,
            _ => true,
        };
        match text.iter().take(LONGEST).enumerate().position(wrong) {
            Some(position) => Err(position),
            None if text.is_empty() => Err(0),
            None if text.len() > LONGEST => Err(LONGEST),
            None => Ok(()),
        }
    }
}

/// Whether keygate issued a text, or another system did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Issued,
    Imported,
}

/// How a text begins: its kind, and where it stands behind the namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
}

/// The kind of a text and where it begins, or `None` where it begins like no credential.
///
/// With a namespace, issued credentials carry it, and imported ones, where they are accepted, do not.
#[inline]
pub(crate) fn prefix(text: &[u8], namespace: Option<&Namespace>, imported: Methods) -> Option<Prefix> {
    let head = until_dot(text);
    let Some(namespace) = namespace else {
        return Kind::from_bytes(head).map(|kind| Prefix { kind, start: 0 });
    };
    let label = namespace.as_str().as_bytes();
    if let Some(rest) = head.strip_prefix(label).and_then(|rest| rest.strip_prefix(b"_")) {
        return Kind::from_bytes(rest).map(|kind| Prefix { kind, start: label.len().saturating_add(1) });
    }
    let kind = Kind::from_bytes(head).filter(|kind| imported.contains((*kind).into()))?;
    let is_imported = Layout::of(kind, text, true).is_ok_and(|layout| layout.shape == Shape::Imported);
    is_imported.then_some(Prefix { kind, start: 0 })
}

/// Where the parts of a well-formed text stand, counted from its kind (behind the namespace).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) shape: Shape,
    /// Where the id ends; it begins at byte 3.
    pub(crate) id_end: u8,
    /// Where the secret ends: what digest, log and store may see of the text. Behind it only the client key.
    pub(crate) end: u8,
}

impl Layout {
    /// The grammar of wire texts, applied to a text that begins with this kind.
    ///
    /// # Syntax
    ///
    /// ```text
    /// credential = kind "." id "." secret [ "." client-key ]
    /// id         = 1*64 idchar                  ; idchar: A-Z a-z 0-9 - _ + /
    /// secret     = 16*128 idchar                ; the last one or two characters may be "="
    /// client-key = 1*128( A-Z a-z 0-9 - _ )     ; service tokens only
    /// ```
    ///
    /// A secret of 39 characters beside an id of 12 is an issued one: base64url, and its last six characters are
    /// the checksum of the 49 before them. Every other shape is imported, and only taken where `imported` says so (but
    /// for a service token with an id of 40 base64url characters or more: see `hides_secret`).
    pub(crate) fn of(kind: Kind, text: &[u8], imported: bool) -> Result<Self, Flaw> {
        let mut parts = text.split(|byte| *byte == b'.').skip(1);
        let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
            return Err(unfinished(text));
        };
        let id_end = ID_START.saturating_add(id.len());
        let secret_start = id_end.saturating_add(1);
        let end = secret_start.saturating_add(secret.len());

        let padding = secret.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
        let unpadded = secret.len().saturating_sub(padding);
        if let Some(at) = Alphabet::CREDENTIAL.first_outside(id) {
            return Err(Flaw::Alphabet { at: ID_START.saturating_add(at) });
        }
        if let Some(at) = Alphabet::CREDENTIAL.first_outside(secret.get(..unpadded).unwrap_or_default()) {
            return Err(Flaw::Alphabet { at: secret_start.saturating_add(at) });
        }
        if let Some(client_key) = parts.next() {
            if kind != Kind::ServiceToken || parts.next().is_some() {
                return Err(Flaw::TooManyParts);
            }
            check_client_key(client_key, end.saturating_add(1))?;
        }
        if id.is_empty() {
            return Err(Flaw::EmptyPart);
        }

        let is_issued_id = id_end == ISSUED_ID_END;
        if is_issued_id && end == ISSUED_LENGTH {
            // '+', '/' and '=' are for imported texts only.
            let outside = |byte: &u8| *byte != b'.' && !Alphabet::BASE64URL.contains(*byte);
            let issued = text.get(..ISSUED_LENGTH).unwrap_or_default();
            return match issued.iter().position(outside) {
                Some(at) => Err(Flaw::Alphabet { at }),
                None => Self::issued(issued).ok_or(Flaw::Checksum),
            };
        }
        if hides_secret(kind, id) {
            return Err(Flaw::Shape);
        }
        if imported
            && id.len() <= 64
            && (16..=128).contains(&secret.len())
            && let (Ok(id_end), Ok(end)) = (u8::try_from(id_end), u8::try_from(end))
        {
            return Ok(Self { shape: Shape::Imported, id_end, end });
        }
        Err(if is_beginning(text) {
            Flaw::Truncated { found: text.len() }
        } else if secret.is_empty() {
            Flaw::EmptyPart
        } else if !is_issued_id || !Alphabet::BASE64URL.holds(id) {
            Flaw::Shape
        } else if end > ISSUED_LENGTH {
            Flaw::TooLong { found: end }
        } else {
            Flaw::Truncated { found: end }
        })
    }

    /// That of an issued text without a client key, if it is one and its checksum holds.
    #[inline(always)]
    pub(crate) fn issued(text: &[u8]) -> Option<Self> {
        let text = text.try_into().ok()?;
        let holds = is_issued(text) && checksum_holds(text);
        holds.then_some(Self { shape: Shape::Issued, id_end: 15, end: 55 })
    }
}

/// Whether an id may be an issued id and most of its secret that lost the dot between them: what stands behind it, a
/// client key, then looks like the secret of an imported token, and the secret would travel as an id, which is public.
///
/// No known system has ids of service tokens above 36 characters, a UUID's.
fn hides_secret(kind: Kind, id: &[u8]) -> bool {
    kind == Kind::ServiceToken && id.len() >= 40 && Alphabet::BASE64URL.holds(id)
}

fn check_client_key(client_key: &[u8], start: usize) -> Result<(), Flaw> {
    match Alphabet::BASE64URL.first_outside(client_key) {
        Some(at) => Err(Flaw::Alphabet { at: start.saturating_add(at) }),
        None if client_key.is_empty() => Err(Flaw::EmptyPart),
        None if client_key.len() > 128 => Err(Flaw::ClientKeyTooLong),
        None => Ok(()),
    }
}

fn unfinished(text: &[u8]) -> Flaw {
    let found = text.len();
    match Alphabet::BASE64URL.first_outside(text.get(ID_START..).unwrap_or_default()) {
        None if found < ISSUED_LENGTH => Flaw::Truncated { found },
        None => Flaw::Shape,
        Some(at) => Flaw::Alphabet { at: ID_START.saturating_add(at) },
    }
}

/// Whether a text is how an issued one begins.
fn is_beginning(text: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        0 | 1 => true,
        2 | ISSUED_ID_END => *byte == b'.',
        _ => Alphabet::BASE64URL.contains(*byte),
    };
    text.len() < ISSUED_LENGTH && text.iter().enumerate().all(fits)
}

/// Whether every character of a text of 55 stands where an issued one has it, whatever its kind.
#[inline(always)]
fn is_issued(text: &[u8; ISSUED_LENGTH]) -> bool {
    const DOTS_AND_LETTERS: u128 =
        u128::from_le_bytes([0, 0, b'.' ^ b'A', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'.' ^ b'A']);
    let Some((head, rest)) = text.split_first_chunk::<16>() else {
        return false;
    };
    let [_, _, b'.', .., b'.'] = head else {
        return false;
    };
    // The dots become letters in a register: a byte changed in memory stalls who reads sixteen.
    let head = (u128::from_le_bytes(*head) ^ DOTS_AND_LETTERS).to_le_bytes();
    // 39 characters in three runs of sixteen, the last two of which overlap.
    match (rest.first_chunk(), rest.get(16..).and_then(<[u8]>::first_chunk), rest.last_chunk()) {
        (Some(first), Some(second), Some(last)) => all_base64url([&head, first, second, last]),
        _ => false,
    }
}

#[inline]
fn until_dot(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'.').next().unwrap_or_default()
}

/// What is wrong with a text that is not a credential: a place and what was expected, never the text.
///
/// Damage is told from forgery: a text that fails here never was one, or lost something on its way.
///
/// ```
/// use keygate::CredentialText;
///
/// let error = CredentialText::parse("sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVq").unwrap_err();
/// assert_eq!(error.to_string(), "truncated: 32 of 55 characters");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Nothing is there but white space.
    Empty,
    /// What stands before the first space is no authentication scheme (RFC 9110 §11.4).
    Scheme,
    /// `Bearer`, and nothing behind it.
    NoCredential,
    /// A character that no credential has (RFC 9110 §11.2, token68).
    Token68 {
        /// Which byte of the credential.
        at: usize,
    },
    /// It begins like an access token, and has not three non-empty base64url parts.
    AccessToken,
    /// It begins like an issued credential and ends too early; lengths without the namespace.
    Truncated {
        /// How many characters are there.
        found: usize,
    },
    /// It is an issued credential with something behind it; lengths without namespace and client key.
    TooLong {
        /// How many characters are there.
        found: usize,
    },
    /// A character changed: the checksum does not hold.
    Checksum,
    /// A character that does not belong there.
    Alphabet {
        /// Which byte, counted from the kind.
        at: usize,
    },
    /// Two dots in a row, or a dot at the end of a service token.
    EmptyPart,
    /// More than three parts (four for a service token, whose fourth is the client key).
    TooManyParts,
    /// A client key of more than 128 characters.
    ClientKeyTooLong,
    /// Another shape than an issued credential's, and imported ones are not accepted.
    Shape,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Scheme => f.write_str("no authentication scheme before the first space"),
            Self::NoCredential => f.write_str("no credential behind Bearer"),
            Self::Token68 { at } => write!(f, "character {at} belongs to no credential"),
            Self::AccessToken => f.write_str("an access token has three non-empty base64url parts"),
            Self::Truncated { found } => write!(f, "truncated: {found} of {ISSUED_LENGTH} characters"),
            Self::TooLong { found } => write!(f, "too long: {found} instead of {ISSUED_LENGTH} characters"),
            Self::Checksum => f.write_str("checksum: a character was changed or swapped"),
            Self::Alphabet { at } => write!(f, "character {at} does not belong there"),
            Self::EmptyPart => f.write_str("an empty part"),
            Self::TooManyParts => f.write_str("too many parts"),
            Self::ClientKeyTooLong => f.write_str("the client key is longer than 128 characters"),
            Self::Shape => f.write_str("not the shape of an issued credential"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ISSUED_ID_END, ISSUED_LENGTH, Layout};

    #[test]
    fn an_issued_text_has_its_lengths() {
        let layout =
            Layout::issued(b"sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ").expect("it is one");
        assert_eq!(usize::from(layout.id_end), ISSUED_ID_END);
        assert_eq!(usize::from(layout.end), ISSUED_LENGTH);
    }
}
