//! Header lines to a presented credential; every ambiguity is a refusal.
//!
//! The checks and their order are the specification of the wire format; the first that fires gives the reason:
//!
//! 1. Only `Authorization` and `X-API-KEY` are looked at, without ASCII case (RFC 9110 §5.1).
//! 2. More than one line of either, or both, or neither.
//! 3. The raw value is longer than 8,192 or 512 bytes.
//! 4. Spaces and tabs are stripped at both ends; any other byte outside 0x20..0x7E is refused.
//! 5. The scheme (RFC 9110 §11.4) must be `Bearer`; `X-API-KEY` has none.
//! 6. The rest must be one token68 (RFC 9110 §11.2), begin like a credential or an access token, and be in its header.
//! 7. Its parts and its checksum must hold.
//! 8. The policy must accept its method.
//!
//! Nothing is copied: what is presented keeps the caller's value. Nothing is allocated, whatever the input.
//!
//! ```
//! use keygate::{Kind, Presented, header};
//!
//! let presented = header::present([
//!     ("host", "api.example"),
//!     ("authorization", "Bearer sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ"),
//! ])?;
//! let Presented::Credential(presented) = presented else { unreachable!("it is no access token") };
//! assert_eq!(presented.kind(), Kind::ServiceAccount);
//! assert_eq!(presented.key().id.as_str(), "tr6AWfxqtcJI");
//! # Ok::<(), keygate::Refusal>(())
//! ```

mod presented;

pub use presented::{Presented, PresentedAccessToken, PresentedCredential};

use std::sync::Arc;

use crate::alphabet::{Alphabet, dots_in_base64url};
use crate::credential::{Layout, Methods, Prefix, prefix};
use crate::{Flaw, Invalid, Kind, Method, Namespace, Reason, Refusal};

/// One header line: a name and a value that are bytes.
///
/// Implemented for pairs, by value and by reference, so that any server's header map fits without conversion:
/// `&http::HeaderMap`, `&[(&str, &[u8])]`, `Vec<(String, Vec<u8>)>`.
///
/// ```
/// use keygate::header;
///
/// let mut map = http::HeaderMap::new();
/// map.append("x-api-key", http::HeaderValue::from_static("ak.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdchbwBg"));
/// assert!(header::present(&map).is_ok());
/// ```
pub trait HeaderLine {
    /// What holds the value's bytes.
    type Value: AsRef<[u8]>;

    /// The field's name.
    fn name(&self) -> &[u8];

    /// The field's value, moved out of the line.
    fn into_value(self) -> Self::Value;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderLine for (N, V) {
    type Value = V;

    fn name(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn into_value(self) -> V {
        self.1
    }
}

impl<'a, N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderLine for &'a (N, V) {
    type Value = &'a V;

    fn name(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn into_value(self) -> &'a V {
        &self.1
    }
}

/// The value type of these header lines.
pub type ValueOf<H> = <<H as IntoIterator>::Item as HeaderLine>::Value;

/// [`HeaderPolicy::present`] under the default policy: issued credentials of every kind, no namespace.
///
/// # Errors
///
/// [`Refusal`] of the class *no credential*, *bad request* or *denied*.
#[inline(always)]
pub fn present<H: IntoIterator<Item: HeaderLine>>(headers: H) -> Result<Presented<ValueOf<H>>, Refusal> {
    HeaderPolicy::DEFAULT.present(headers)
}

/// What a host accepts: methods, namespace, imported credentials; what it does with two headers; its realm.
///
/// ```
/// use keygate::{Kind, Namespace, header::HeaderPolicy};
///
/// let policy = HeaderPolicy::new()
///     .namespace(Namespace::parse("acme")?)
///     .accept([Kind::ServiceAccount, Kind::ServiceToken])
///     .realm("acme secrets")?;
/// let refusal = policy.present([("accept", "*/*")]).unwrap_err();
/// assert_eq!(refusal.challenges().next().unwrap().to_string(), r#"Bearer realm="acme secrets""#);
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderPolicy {
    namespace: Option<Namespace>,
    imported: Methods,
    accepted: Methods,
    precedence: Precedence,
    missing_is_denied: bool,
    realm: Option<Arc<str>>,
}

/// What becomes of a request that has both `Authorization` and `X-API-KEY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two headers")]
pub enum Precedence {
    /// It is refused (RFC 6750 §2: more than one method is an invalid request).
    #[default]
    Refuse,
    /// `Authorization` counts, what `X-API-KEY` holds is not looked at; a repeated line of either is refused.
    Authorization,
    /// `X-API-KEY` counts, what `Authorization` holds is not looked at; a repeated line of either is refused.
    ApiKey,
}

impl Default for HeaderPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl HeaderPolicy {
    const DEFAULT: Self = Self {
        namespace: None,
        imported: Methods::NONE,
        accepted: Methods::ALL,
        precedence: Precedence::Refuse,
        missing_is_denied: false,
        realm: None,
    };

    /// The default policy: every method, issued credentials only, no namespace, two headers refused.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULT
    }

    /// Issued credentials must begin with this label; imported ones must not.
    #[must_use]
    pub fn namespace(self, namespace: Namespace) -> Self {
        Self { namespace: Some(namespace), ..self }
    }

    /// Credentials of these kinds that another system made are taken too. None are by default.
    ///
    /// # Security
    ///
    /// An imported credential has no checksum and no guard: made-up ones reach the store. This also admits
    /// credentials that an issuer was told to issue in the hex text style.
    #[must_use]
    pub fn imported(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { imported: kinds.into_iter().collect(), ..self }
    }

    /// Only these methods (or kinds) are accepted; of no methods, none.
    #[must_use]
    pub fn accept<M: Into<Method>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        Self { accepted: methods.into_iter().collect(), ..self }
    }

    /// What becomes of a request with both headers.
    #[must_use]
    pub const fn precedence(self, precedence: Precedence) -> Self {
        let mut policy = self;
        policy.precedence = precedence;
        policy
    }

    /// A request without a credential, or of another scheme, is *denied* instead of *no credential*: for hosts that
    /// run no other scheme beside keygate and want one answer.
    #[must_use]
    pub const fn deny_missing(self) -> Self {
        let mut policy = self;
        policy.missing_is_denied = true;
        policy
    }

    /// The protection space (RFC 9110 §11.5) that a challenge names; `api` by default.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless it is 1–128 characters of 0x20–0x7E.
    pub fn realm(self, realm: &str) -> Result<Self, Invalid> {
        const LONGEST: usize = 128;
        let invalid = Invalid::new("realm", "1 to 128 visible ASCII characters or spaces");
        match Alphabet::VISIBLE.first_outside(realm.as_bytes()) {
            Some(position) => Err(invalid.at(position)),
            None if !(1..=LONGEST).contains(&realm.len()) => Err(invalid.at(realm.len().min(LONGEST))),
            None => Ok(Self { realm: Some(realm.into()), ..self }),
        }
    }

    /// The one credential (or access token) that these header lines present.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the first check that failed, of the class *no credential*, *bad request* or *denied*. It is
    /// decided in time linear in the headers, without allocation.
    // A result that is handed over in memory is written in small pieces and read in large ones, which stalls.
    #[inline(always)]
    pub fn present<H: IntoIterator<Item: HeaderLine>>(
        &self,
        headers: H,
    ) -> Result<Presented<ValueOf<H>>, Refusal> {
        self.present_one_of(self.accepted, headers)
    }

    /// What of these methods the policy accepts.
    pub(crate) const fn narrowed(&self, methods: Methods) -> Methods {
        self.accepted.and(methods)
    }

    /// [`present`](Self::present) where these methods are accepted instead of the policy's.
    #[inline(always)]
    pub(crate) fn present_one_of<H: IntoIterator<Item: HeaderLine>>(
        &self,
        accepted: Methods,
        headers: H,
    ) -> Result<Presented<ValueOf<H>>, Refusal> {
        match self.find(accepted, headers) {
            Ok((value, Found { start, end, credential })) => Ok(match credential {
                Some((kind, layout)) => {
                    Presented::Credential(PresentedCredential { value, start, end, kind, layout, accepted })
                }
                None => Presented::AccessToken(PresentedAccessToken { value, start, end, accepted }),
            }),
            Err(reason) => Err(self.refuse(accepted, reason)),
        }
    }

    /// The one value that counts, and what stands in it.
    #[inline(always)]
    fn find<H: IntoIterator<Item: HeaderLine>>(
        &self,
        accepted: Methods,
        headers: H,
    ) -> Result<(ValueOf<H>, Found), Reason> {
        let (mut authorization, mut api_key) = (None, None);
        for line in headers {
            let seen = if is_named(line.name(), b"authorization") {
                authorization.replace(line.into_value())
            } else if is_named(line.name(), b"x-api-key") {
                api_key.replace(line.into_value())
            } else {
                None
            };
            if seen.is_some() {
                return Err(Reason::DuplicateHeader);
            }
        }
        let (channel, value) = match (authorization, api_key, self.precedence) {
            (None, None, _) => return Err(Reason::Missing),
            (Some(_), Some(_), Precedence::Refuse) => return Err(Reason::MultipleMethods),
            (Some(value), None, _) | (Some(value), Some(_), Precedence::Authorization) => {
                (Channel::Authorization, value)
            }
            (None, Some(value), _) | (Some(_), Some(value), Precedence::ApiKey) => (Channel::ApiKey, value),
        };
        let found = match self.at_a_glance(accepted, channel, value.as_ref()) {
            Some(found) => found,
            None => self.examine(accepted, channel, value.as_ref())?,
        };
        Ok((value, found))
    }

    /// Steps 3 to 8, on the one value that counts.
    #[cold]
    #[inline(never)]
    fn examine(&self, accepted: Methods, channel: Channel, value: &[u8]) -> Result<Found, Reason> {
        if value.len() > channel.longest() {
            return Err(Reason::TooLarge);
        }
        let value_start = value.iter().take_while(|byte| is_blank(**byte)).count();
        let value_end =
            value.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last.saturating_add(1));
        let stripped = value.get(value_start..value_end).unwrap_or_default();
        if let Some(at) = Alphabet::VISIBLE.first_outside(stripped) {
            return Err(Reason::InvalidByte { at });
        }
        if stripped.is_empty() {
            return Err(Reason::Malformed(Flaw::Empty));
        }

        let text = match channel {
            Channel::ApiKey => stripped,
            Channel::Authorization => behind_bearer(stripped)?,
        };
        check_token68(text)?;
        let start = value_end.saturating_sub(text.len());
        let (method, found) = if text.starts_with(b"eyJ") {
            if !is_access_token(text) {
                return Err(Reason::Malformed(Flaw::AccessToken));
            }
            channel.check(Method::AccessToken)?;
            (Method::AccessToken, Found::at(start, value_end, None))
        } else {
            let Prefix { kind, start: label } =
                prefix(text, self.namespace.as_ref(), self.imported).ok_or(Reason::UnknownKind)?;
            channel.check(kind.into())?;
            let bare = text.get(label..).unwrap_or_default();
            let imported = label == 0 && self.imported.contains(kind.into());
            let layout = Layout::of(kind, bare, imported).map_err(Reason::Malformed)?;
            (kind.into(), Found::at(start.saturating_add(label), value_end, Some((kind, layout))))
        };
        if accepted.contains(method) { Ok(found) } else { Err(Reason::KindNotAccepted(method)) }
    }

    /// The common case, an issued text or an access token and nothing unusual around it: whatever this finds, the checks one by
    /// one find too, because their alphabet is part of every other. Where it finds nothing, they say why.
    #[inline(always)]
    fn at_a_glance(&self, accepted: Methods, channel: Channel, value: &[u8]) -> Option<Found> {
        let text = match channel {
            Channel::ApiKey => value,
            Channel::Authorization => value.strip_prefix(b"Bearer ")?,
        };
        let token = || token_at_a_glance(accepted, channel, text, value.len());
        let bare = match &self.namespace {
            Some(namespace) => match behind_label(text, namespace) {
                Some(bare) => bare,
                None => return token(),
            },
            None => text,
        };
        let Some(kind) = Kind::from_bytes(bare.first_chunk::<2>()?) else { return token() };
        let layout = Layout::issued(bare)?;
        let is_fine = channel.check(kind.into()).is_ok() && accepted.contains(kind.into());
        let start = value.len().saturating_sub(bare.len());
        is_fine.then(|| Found::at(start, value.len(), Some((kind, layout))))
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, accepted: Methods, reason: Reason) -> Refusal {
        let refusal = Refusal::new(reason).accepting(accepted);
        match reason {
            Reason::Missing | Reason::UnsupportedScheme if self.missing_is_denied => refusal.into_denial(),
            Reason::Missing | Reason::UnsupportedScheme => refusal.in_realm(self.realm.as_ref()),
            _ => refusal,
        }
    }
}

/// What stands in a value, from its kind (behind the namespace) to its end, the client key included; no credential: an
/// access token.
struct Found {
    start: u16,
    end: u16,
    credential: Option<(Kind, Layout)>,
}

impl Found {
    /// A value has at most 8,192 bytes; were there more, nothing of it would be read.
    #[inline]
    fn at(start: usize, end: usize, credential: Option<(Kind, Layout)>) -> Self {
        Self {
            start: start.try_into().unwrap_or(u16::MAX),
            end: end.try_into().unwrap_or(u16::MAX),
            credential,
        }
    }
}

/// Which of the two headers.
#[derive(Clone, Copy)]
enum Channel {
    Authorization,
    ApiKey,
}

impl Channel {
    const fn longest(self) -> usize {
        match self {
            Self::Authorization => 8_192,
            Self::ApiKey => 512,
        }
    }

    const fn check(self, method: Method) -> Result<(), Reason> {
        match (self, method) {
            (Self::ApiKey, Method::ApiKey) => Ok(()),
            (Self::Authorization, Method::ServiceAccount | Method::ServiceToken | Method::AccessToken) => {
                Ok(())
            }
            _ => Err(Reason::WrongChannel(method)),
        }
    }
}

/// Without ASCII case; most servers hand names over in lower case, so that is tried first.
#[inline]
fn is_named(name: &[u8], lower: &[u8]) -> bool {
    name == lower || name.eq_ignore_ascii_case(lower)
}

/// What stands behind `Bearer` and all spaces after it.
fn behind_bearer(value: &[u8]) -> Result<&[u8], Reason> {
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end).unwrap_or_default();
    if scheme.is_empty() || !Alphabet::TOKEN.holds(scheme) {
        return Err(Reason::Malformed(Flaw::Scheme));
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Reason::UnsupportedScheme);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    match rest.get(spaces..) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Reason::Malformed(Flaw::NoCredential)),
    }
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 9110 §11.2)
#[inline]
fn check_token68(text: &[u8]) -> Result<(), Reason> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = text.get(..text.len().saturating_sub(padding)).unwrap_or_default();
    match Alphabet::TOKEN68.first_outside(body) {
        None if !body.is_empty() => Ok(()),
        outside => Err(Reason::Malformed(Flaw::Token68 { at: outside.unwrap_or_default() })),
    }
}

fn behind_label<'a>(text: &'a [u8], namespace: &Namespace) -> Option<&'a [u8]> {
    text.strip_prefix(namespace.as_str().as_bytes())?.strip_prefix(b"_")
}

/// Three parts of base64url, none of them empty.
fn is_access_token(text: &[u8]) -> bool {
    let first_dot = || text.iter().position(|byte| *byte == b'.');
    let is_followed_by_dot = |at: usize| text.get(at.saturating_add(1)) == Some(&b'.');
    dots_in_base64url(text) == Some(2)
        && !text.ends_with(b".")
        && first_dot().is_some_and(|at| at > 0 && !is_followed_by_dot(at))
}

/// An access token and nothing unusual around it.
#[cold]
#[inline(never)]
fn token_at_a_glance(accepted: Methods, channel: Channel, text: &[u8], end: usize) -> Option<Found> {
    let is_fine = text.starts_with(b"eyJ")
        && end <= channel.longest()
        && channel.check(Method::AccessToken).is_ok()
        && accepted.contains(Method::AccessToken)
        && is_access_token(text);
    is_fine.then(|| Found::at(end.saturating_sub(text.len()), end, None))
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
