//! What a request presented, still untrusted.

use std::fmt;

use crate::credential::{Layout, Methods, Shape};
use crate::{CredentialId, CredentialKey, Kind, Method, Reason, Refusal};

/// What a request presented: well-formed, and still untrusted.
///
/// An access token has no record, hence no key: what only one of the two has exists on that side only.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on what was presented needs no `_` arm")]
pub enum Presented<V> {
    /// A credential of one of the three kinds.
    Credential(PresentedCredential<V>),
    /// A text of the shape of an access token; nothing of it was read yet.
    AccessToken(PresentedAccessToken<V>),
}

/// A credential parsed from a request, still untrusted. It holds the caller's header value, and prints no secret.
pub struct PresentedCredential<V> {
    pub(super) value: V,
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) kind: Kind,
    pub(super) layout: Layout,
    pub(super) accepted: Methods,
}

impl<V: AsRef<[u8]>> PresentedCredential<V> {
    /// Kind and id: what to look the record up by. Not proved yet.
    #[must_use]
    #[inline(always)]
    pub fn key(&self) -> CredentialKey {
        // A value whose bytes are others than a moment ago has the id of nothing.
        CredentialKey::new(self.kind, CredentialId::or_nothing(self.id_bytes()))
    }

    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the text has the shape that keygate issues (with a guard and a checksum), or another system's.
    #[must_use]
    pub const fn is_issued(&self) -> bool {
        matches!(self.layout.shape, Shape::Issued)
    }

    /// Whether a service token's client key was sent along.
    ///
    /// It was cut off before anything could see it. Its holder should not have sent it: worth a warning to them.
    #[must_use]
    pub fn client_key_arrived(&self) -> bool {
        self.start.saturating_add(self.layout.end.into()) < self.end
    }

    /// Whether a record has its kind and id.
    #[inline(always)]
    pub(crate) fn is_of(&self, kind: Kind, id: &CredentialId) -> bool {
        self.kind == kind && id.is(self.id_bytes())
    }

    #[inline(always)]
    fn id_bytes(&self) -> &[u8] {
        self.text().get(3..self.layout.id_end.into()).unwrap_or_default()
    }

    /// What a digest is computed over: kind, id and secret with their dots; no namespace, no client key.
    #[inline(always)]
    pub(crate) fn text(&self) -> &[u8] {
        let start = usize::from(self.start);
        self.value.as_ref().get(start..start.saturating_add(self.layout.end.into())).unwrap_or_default()
    }

    /// A refusal of this credential.
    #[inline(always)]
    pub(crate) fn refuse(&self, reason: Reason) -> Refusal {
        refusal(self.kind, self.id_bytes(), self.accepted, reason)
    }
}

/// A refusal of the credential of this kind and id. What it takes fits into registers, so that to refuse a
/// [`PresentedCredential`] does not need it in memory.
#[cold]
#[inline(never)]
fn refusal(kind: Kind, id: &[u8], accepted: Methods, reason: Reason) -> Refusal {
    Refusal::new(reason).accepting(accepted).about(CredentialKey::new(kind, CredentialId::or_nothing(id)))
}

impl<V> fmt::Debug for PresentedCredential<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedCredential")
            .field("kind", &self.kind)
            .field("issued", &matches!(self.layout.shape, Shape::Issued))
            .finish_non_exhaustive()
    }
}

/// A text of the shape of an access token, still untrusted: three base64url parts. It prints nothing of them.
pub struct PresentedAccessToken<V> {
    pub(super) value: V,
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) accepted: Methods,
}

impl<V: AsRef<[u8]>> PresentedAccessToken<V> {
    /// The token itself, for whoever verifies it. **Secret.**
    #[must_use]
    pub fn expose(&self) -> &str {
        str::from_utf8(self.text()).unwrap_or_default()
    }

    /// Its bytes. **Secret.**
    #[inline(always)]
    pub(crate) fn text(&self) -> &[u8] {
        self.value.as_ref().get(self.start.into()..self.end.into()).unwrap_or_default()
    }

    /// A refusal of this token.
    #[cold]
    pub(crate) fn refuse(&self, reason: Reason) -> Refusal {
        Refusal::new(reason).accepting(self.accepted).by(Method::AccessToken)
    }
}

impl<V> fmt::Debug for PresentedAccessToken<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedAccessToken(***)")
    }
}
