//! The values of `WWW-Authenticate`.

use std::borrow::Cow;
use std::fmt;

use super::DENIED;

/// The value of one `WWW-Authenticate` line; `Display` writes it, quoted as RFC 9110 §11.4 asks.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    pub(super) scheme: &'static str,
    pub(super) face: Face<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Face<'a> {
    Realm(&'a str),
    InvalidRequest,
    InvalidToken,
    InsufficientScope(Option<&'a str>),
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme;
        match self.face {
            Face::Realm(realm) => write!(f, "{scheme} realm=\"{}\"", quoted(realm)),
            Face::InvalidRequest => write!(f, "{scheme} error=\"invalid_request\""),
            Face::InvalidToken => {
                write!(f, "{scheme} error=\"invalid_token\", error_description=\"{DENIED}\"")
            }
            Face::InsufficientScope(Some(scope)) => {
                write!(f, "{scheme} error=\"insufficient_scope\", scope=\"{}\"", quoted(scope))
            }
            Face::InsufficientScope(None) => write!(f, "{scheme} error=\"insufficient_scope\""),
        }
    }
}

/// The inside of a quoted-string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', '\\']) {
        text.replace('\\', "\\\\").replace('"', "\\\"").into()
    } else {
        text.into()
    }
}
