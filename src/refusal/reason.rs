//! The precise reasons, for the host's log.

use std::fmt;

use super::RefusalClass;
use crate::{Flaw, Method};

/// The precise reason of a refusal, for the host's log and never for its answer.
///
/// `Display` explains it to an operator, [`code`](Self::code) names it for metrics. It quotes nothing that a caller
/// sent: only lengths, positions, slots and kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Neither `Authorization` nor `X-API-KEY` was there.
    Missing,
    /// `Authorization` holds another scheme than `Bearer`.
    UnsupportedScheme,
    /// More than one line of `Authorization`, or of `X-API-KEY`.
    DuplicateHeader,
    /// Both headers, and the policy does not choose one.
    MultipleMethods,
    /// The value is longer than 8,192 (`Authorization`) or 512 (`X-API-KEY`) bytes.
    TooLarge,
    /// A byte outside 0x20..0x7E, at this place behind the white space stripped.
    InvalidByte {
        /// Which byte of the value.
        at: usize,
    },
    /// Not the text of a credential.
    Malformed(Flaw),
    /// A project, environment or path of a resource that is irregular: never repaired, always refused. The error's
    /// source says which, and where.
    IrregularResource,
    /// A text that begins like no kind of credential.
    UnknownKind,
    /// A credential in the header of another kind.
    WrongChannel(Method),
    /// A method that this policy does not accept.
    KindNotAccepted(Method),
    /// The guard in the text was made with a digest key that the ring does not hold.
    UnknownGuardKey {
        /// The slot that the text names.
        slot: u8,
    },
    /// The guard in the text does not hold: the text was made up.
    WrongGuard,
    /// No record of this kind and id.
    UnknownCredential,
    /// The secret is not the record's.
    WrongSecret,
    /// The secret was the record's until a rotation's overlap ended.
    RetiredSecret,
    /// Revoked, for ever.
    Revoked,
    /// Disabled, until it is enabled again.
    Disabled,
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
    /// The client's address is outside the credential's networks.
    Network,
    /// The service account that minted this credential, or this access token, does not carry it any more.
    Parent(ParentFault),
    /// The access token is none that this service takes.
    AccessToken(TokenFault),
    /// Authenticated, and not permitted.
    NotPermitted,
    /// An API key acts as its user, and the host did not ask whether the user may.
    UserNotAsked,
    /// An API key acts as its user, and the host's own rules did not permit the user.
    UserNotPermitted,
    /// The credential is limited to networks, and the client's address was not told.
    ClientAddressUnknown,
    /// A record's digest was made with a digest key that the ring does not hold.
    UnknownDigestKey {
        /// The slot that the record names.
        slot: u8,
    },
    /// The lookup returned a record of another kind or id.
    RecordMismatch,
    /// The organization of a resource is irregular; it comes from the host's own data. The error's source says where.
    IrregularOrganization,
    /// The store did not answer.
    StoreUnavailable,
    /// The store cannot do what it was asked: it is of another schema, for one.
    StoreRejected,
    /// The store's record does not decode.
    RecordCorrupt,
    /// The host could not tell whether its user may.
    UserRightsUnavailable,
    /// Too many attempts.
    Throttled,
}

/// What is wrong with the parent of a minted credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParentFault {
    /// There is no such service account (any more).
    Absent,
    /// It was revoked.
    Revoked,
    /// It is disabled.
    Disabled,
    /// It is past its end.
    Expired,
    /// It is before its beginning.
    NotYetValid,
    /// The client's address is outside the account's networks.
    Network,
    /// The account's mint generation was raised after a leak; this was minted under another one.
    Generation,
}

/// What is wrong with an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFault {
    /// Longer than 4,096 bytes.
    TooLong,
    /// Its header, compared as text, is that of none of the signing keys: another algorithm, type or key id, or another
    /// spelling of these.
    Header,
    /// Its claims or its signature are not canonical base64url without padding, or the signature is not of 32 bytes.
    Encoding,
    /// The signature is not that of its key.
    Signature,
    /// The claims are no JSON object in which each member stands once.
    Claims,
    /// This claim is missing.
    MissingClaim(&'static str),
    /// This claim is there twice, or of another type, or out of its bounds.
    IrregularClaim(&'static str),
    /// Another issuer than the one configured.
    Issuer,
    /// Another audience than the one configured.
    Audience,
}

impl Reason {
    pub(crate) const fn class(self) -> RefusalClass {
        match self {
            Self::Missing | Self::UnsupportedScheme => RefusalClass::NoCredential,
            Self::DuplicateHeader
            | Self::MultipleMethods
            | Self::TooLarge
            | Self::InvalidByte { .. }
            | Self::Malformed(_)
            | Self::IrregularResource => RefusalClass::BadRequest,
            Self::UnknownKind
            | Self::WrongChannel(_)
            | Self::KindNotAccepted(_)
            | Self::UnknownGuardKey { .. }
            | Self::WrongGuard
            | Self::UnknownCredential
            | Self::WrongSecret
            | Self::RetiredSecret
            | Self::Revoked
            | Self::Disabled
            | Self::Expired
            | Self::NotYetValid
            | Self::Network
            | Self::Parent(_)
            | Self::AccessToken(_) => RefusalClass::Denied,
            Self::NotPermitted | Self::UserNotAsked | Self::UserNotPermitted => RefusalClass::Forbidden,
            Self::ClientAddressUnknown
            | Self::UnknownDigestKey { .. }
            | Self::RecordMismatch
            | Self::IrregularOrganization
            | Self::StoreUnavailable
            | Self::StoreRejected
            | Self::RecordCorrupt
            | Self::UserRightsUnavailable
            | Self::Throttled => RefusalClass::Undecided,
        }
    }

    /// Whether it is a fault of the host's own that no caller can cause and no retry heals: raise an alarm.
    ///
    /// A record that does not decode, that is of another credential, or whose digest key is gone; a store that cannot do what
    /// it is for.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(
            self,
            Self::UnknownDigestKey { .. } | Self::RecordMismatch | Self::RecordCorrupt | Self::StoreRejected
        )
    }

    /// The reason's name, in snake case: stable, for metrics and log filters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::DuplicateHeader => "duplicate_header",
            Self::MultipleMethods => "multiple_methods",
            Self::TooLarge => "too_large",
            Self::InvalidByte { .. } => "invalid_byte",
            Self::Malformed(_) => "malformed",
            Self::IrregularResource => "irregular_resource",
            Self::UnknownKind => "unknown_kind",
            Self::WrongChannel(_) => "wrong_channel",
            Self::KindNotAccepted(_) => "kind_not_accepted",
            Self::UnknownGuardKey { .. } => "unknown_guard_key",
            Self::WrongGuard => "wrong_guard",
            Self::UnknownCredential => "unknown_credential",
            Self::WrongSecret => "wrong_secret",
            Self::RetiredSecret => "retired_secret",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Network => "network",
            Self::Parent(fault) => match fault {
                ParentFault::Absent => "parent_absent",
                ParentFault::Revoked => "parent_revoked",
                ParentFault::Disabled => "parent_disabled",
                ParentFault::Expired => "parent_expired",
                ParentFault::NotYetValid => "parent_not_yet_valid",
                ParentFault::Network => "parent_network",
                ParentFault::Generation => "parent_generation",
            },
            Self::AccessToken(fault) => match fault {
                TokenFault::TooLong => "token_too_long",
                TokenFault::Header => "token_header",
                TokenFault::Encoding => "token_encoding",
                TokenFault::Signature => "token_signature",
                TokenFault::Claims | TokenFault::MissingClaim(_) | TokenFault::IrregularClaim(_) => {
                    "token_claims"
                }
                TokenFault::Issuer => "token_issuer",
                TokenFault::Audience => "token_audience",
            },
            Self::NotPermitted => "not_permitted",
            Self::UserNotAsked => "user_not_asked",
            Self::UserNotPermitted => "user_not_permitted",
            Self::ClientAddressUnknown => "client_address_unknown",
            Self::UnknownDigestKey { .. } => "unknown_digest_key",
            Self::RecordMismatch => "record_mismatch",
            Self::IrregularOrganization => "irregular_organization",
            Self::StoreUnavailable => "store_unavailable",
            Self::StoreRejected => "store_rejected",
            Self::RecordCorrupt => "record_corrupt",
            Self::UserRightsUnavailable => "user_rights_unavailable",
            Self::Throttled => "throttled",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("neither Authorization nor X-API-KEY"),
            Self::UnsupportedScheme => f.write_str("Authorization has another scheme than Bearer"),
            Self::DuplicateHeader => f.write_str("more than one line of Authorization or of X-API-KEY"),
            Self::MultipleMethods => f.write_str("both Authorization and X-API-KEY"),
            Self::TooLarge => f.write_str("the header's value is too large"),
            Self::InvalidByte { at } => write!(f, "byte {at} of the value is not visible ASCII or a space"),
            Self::Malformed(flaw) => write!(f, "malformed: {flaw}"),
            Self::IrregularResource => f.write_str("the resource is irregular"),
            Self::IrregularOrganization => {
                f.write_str("the resource's organization, in the host's own data, is irregular")
            }
            Self::UnknownKind => f.write_str("the text begins like no kind of credential"),
            Self::WrongChannel(Method::ApiKey) => f.write_str(
                "this is an API key, Authorization takes a service account, service token or access token",
            ),
            Self::WrongChannel(Method::AccessToken) => {
                f.write_str("this is an access token, X-API-KEY takes an API key")
            }
            Self::WrongChannel(method) => write!(f, "this is a {method}, X-API-KEY takes an API key"),
            Self::KindNotAccepted(method) => write!(f, "no {method} is accepted here"),
            Self::UnknownGuardKey { slot } => {
                write!(f, "the text's guard names digest key {slot}, which is not in the ring")
            }
            Self::WrongGuard => {
                f.write_str("the text's guard does not hold: it was made up, or made with another key")
            }
            Self::UnknownCredential => f.write_str("no such credential"),
            Self::WrongSecret => f.write_str("wrong secret"),
            Self::RetiredSecret => f.write_str("the secret was replaced, and the overlap is over"),
            Self::Revoked => f.write_str("revoked"),
            Self::Disabled => f.write_str("disabled"),
            Self::Expired => f.write_str("expired"),
            Self::NotYetValid => f.write_str("not valid yet"),
            Self::Network => f.write_str("the client's address is outside the credential's networks"),
            Self::Parent(fault) => write!(f, "the service account that minted it {fault}"),
            Self::AccessToken(fault) => write!(f, "the access token {fault}"),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::UserNotAsked => {
                f.write_str("an API key acts as its user, and the host did not ask whether the user may")
            }
            Self::UserNotPermitted => f.write_str("the host does not permit this to the API key's user"),
            Self::ClientAddressUnknown => {
                f.write_str("the credential is limited to networks, and the client's address was not told")
            }
            Self::UnknownDigestKey { slot } => {
                write!(f, "the record's digest names digest key {slot}, which is not in the ring")
            }
            Self::RecordMismatch => f.write_str("the lookup returned a record of another kind or id"),
            Self::StoreUnavailable => f.write_str("the store did not answer"),
            Self::StoreRejected => f.write_str("the store cannot do this"),
            Self::RecordCorrupt => f.write_str("the store's record does not decode"),
            Self::UserRightsUnavailable => f.write_str("the host could not tell whether its user may"),
            Self::Throttled => f.write_str("throttled"),
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("is longer than 4096 bytes"),
            Self::Header => f.write_str("has the header of none of the signing keys"),
            Self::Encoding => f.write_str(
                "has a part that is not canonical base64url, or a signature that is not of 32 bytes",
            ),
            Self::Signature => f.write_str("has a signature that is not its key's"),
            Self::Claims => f.write_str("has claims that are no JSON object with each member once"),
            Self::MissingClaim(claim) => write!(f, "lacks the claim {claim}"),
            Self::IrregularClaim(claim) => {
                write!(f, "has the claim {claim} twice, of another type or out of its bounds")
            }
            Self::Issuer => f.write_str("is of another issuer"),
            Self::Audience => f.write_str("is for another audience"),
        }
    }
}

impl fmt::Display for ParentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is absent",
            Self::Revoked => "is revoked",
            Self::Disabled => "is disabled",
            Self::Expired => "is expired",
            Self::NotYetValid => "is not valid yet",
            Self::Network => "is limited to other networks",
            Self::Generation => "has another mint generation",
        })
    }
}
