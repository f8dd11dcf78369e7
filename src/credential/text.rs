//! A credential's text from the holder's side, and how an issued one is put together.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::checksum::{GUARDED_LENGTH, checksum, slot_of};
use super::{CredentialId, CredentialKey, Flaw, Kind, Layout, Namespace, Secret, Shape};

/// The text of a credential, looked at by whoever holds it: a client, a log filter, a secret scanner, a commit hook.
///
/// It takes any namespace, and imported shapes too, because a holder does not know the server's policy. That a text
/// is well-formed proves nothing: anyone can compute a checksum.
///
/// # Syntax
///
/// ```text
/// credential = [ namespace "_" ] kind "." id "." secret [ "." client-key ]
/// kind       = "ak" / "sa" / "st"
/// ```
///
/// ## The client key of a service token
///
/// The fourth part of a service token never was the server's business: its holder decrypts with it. Send what stands
/// before it, and keep the rest:
///
/// ```
/// use keygate::CredentialText;
///
/// let token = "st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdxH9T6w.db156ccb0c0897abb2dee9f9e59c845b";
/// let text = CredentialText::parse(token)?;
/// assert_eq!(text.to_send(), "st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdxH9T6w");
/// assert_eq!(text.to_keep(), Some("db156ccb0c0897abb2dee9f9e59c845b"));
/// # Ok::<(), keygate::TextError>(())
/// ```
#[derive(Clone, Copy)]
pub struct CredentialText<'a> {
    kind: Kind,
    id: CredentialId,
    shape: Shape,
    namespace: Option<&'a str>,
    to_send: &'a str,
    to_keep: Option<&'a str>,
    key_slot: Option<u8>,
}

impl<'a> CredentialText<'a> {
    /// Reads a text and says what it is, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// [`TextError::UnknownKind`] where it does not begin like a credential, else [`TextError::Malformed`] with the
    /// precise flaw.
    pub fn parse(text: &'a str) -> Result<Self, TextError> {
        let head = text.split('.').next().unwrap_or_default();
        let (namespace, name) = match head.rsplit_once('_') {
            Some((namespace, name)) if Namespace::check(namespace.as_bytes()).is_ok() => {
                (Some(namespace), name)
            }
            _ => (None, head),
        };
        let kind = Kind::from_name(name).ok_or(TextError::UnknownKind)?;
        let start = namespace.map_or(0, |namespace| namespace.len().saturating_add(1));
        let bare = text.get(start..).unwrap_or_default();
        let layout = match Layout::of(kind, bare.as_bytes(), false) {
            // An imported text has no namespace: it was made elsewhere. One that begins like an issued text is
            // rather a damaged one.
            Err(Flaw::Shape) if namespace.is_none() => Layout::of(kind, bare.as_bytes(), true),
            layout => layout,
        }?;

        let end = usize::from(layout.end);
        let part = |from: usize, to: usize| bare.get(from..to).unwrap_or_default();
        Ok(Self {
            kind,
            id: CredentialId::from_checked(part(3, layout.id_end.into()).as_bytes()).ok_or(Flaw::Shape)?,
            shape: layout.shape,
            namespace,
            to_send: text.get(..start.saturating_add(end)).unwrap_or_default(),
            to_keep: bare.get(end.saturating_add(1)..).filter(|key| !key.is_empty()),
            key_slot: match layout.shape {
                Shape::Issued => bare.as_bytes().get(GUARDED_LENGTH).and_then(|letter| slot_of(*letter)),
                Shape::Imported => None,
            },
        })
    }

    /// Which kind of credential.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The id: public, it names the record.
    #[must_use]
    pub const fn id(&self) -> CredentialId {
        self.id
    }

    /// The namespace, where the text has one.
    #[must_use]
    pub const fn namespace(&self) -> Option<&'a str> {
        self.namespace
    }

    /// Whether the text has the shape that keygate issues (and its checksum holds), or another system's.
    #[must_use]
    pub const fn is_issued(&self) -> bool {
        matches!(self.shape, Shape::Issued)
    }

    /// The slot (0..=63) of the digest key that the guard was made with; imported texts have none.
    #[must_use]
    pub const fn key_slot(&self) -> Option<u8> {
        self.key_slot
    }

    /// What to send: the text without the client key. **Secret.**
    #[must_use]
    pub const fn to_send(&self) -> &'a str {
        self.to_send
    }

    /// What to keep: the client key, where the text has one. **Secret.**
    #[must_use]
    pub const fn to_keep(&self) -> Option<&'a str> {
        self.to_keep
    }
}

impl fmt::Debug for CredentialText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialText")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("issued", &self.is_issued())
            .field("client_key", &self.to_keep.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a text is not a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[expect(clippy::exhaustive_enums, reason = "a text begins like a credential or it does not")]
pub enum TextError {
    /// It does not begin with `ak.`, `sa.` or `st.` (behind a namespace, where there is one).
    #[error("unknown kind: a credential begins with ak., sa. or st.")]
    UnknownKind,
    /// It begins like a credential and is not one.
    #[error("{0}")]
    Malformed(Flaw),
}

impl From<Flaw> for TextError {
    fn from(flaw: Flaw) -> Self {
        Self::Malformed(flaw)
    }
}

/// The text of a new credential: 55 characters, and `guard` is asked for the five that stand before the checksum.
pub(crate) fn assemble(
    key: CredentialKey,
    secret: &[u8; 21],
    guard: impl FnOnce(&[u8]) -> [u8; 5],
) -> Secret {
    let mut text = begin(key);
    URL_SAFE_NO_PAD.encode_string(secret, &mut text);
    let guard = guard(text.as_bytes());
    text.extend(guard.map(char::from));
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.map(char::from));
    Secret::new(text)
}

/// The new text of an imported credential: kind, id and secret, without guard and checksum.
pub(crate) fn assemble_imported(key: CredentialKey, secret: &[u8; 21]) -> Secret {
    let mut text = begin(key);
    URL_SAFE_NO_PAD.encode_string(secret, &mut text);
    Secret::new(text)
}

/// The same in the hex text style: the secret has 128 bits in 32 lower-case hex digits.
pub(crate) fn assemble_hex(key: CredentialKey, secret: &[u8; 16]) -> Secret {
    let mut text = begin(key);
    text.extend(hex(secret));
    Secret::new(text)
}

/// Lower-case hex digits, two a byte.
pub(crate) fn hex(bytes: &[u8]) -> impl Iterator<Item = char> {
    let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or_default();
    bytes.iter().flat_map(move |byte| [digit(byte.wrapping_shr(4)), digit(byte & 0xf)])
}

/// Kind and id with their dots.
fn begin(key: CredentialKey) -> String {
    // Sized once, above the longest id: a growing String would leave copies of the secret behind.
    let mut text = String::with_capacity(112);
    text.push_str(key.kind.as_str());
    text.push('.');
    text.push_str(key.id.as_str());
    text.push('.');
    text
}
