//! The versioned encoding of records: JSON with `"v":1`.
//!
//! Every field is always written and has to be there: absent is not the same as `null`. (But for the note `leak`, which
//! limits nothing and is written only where there is one.) Unknown fields and unknown
//! versions are refused, because a reader that skipped what it does not know could skip a restriction. A writer stays
//! on the old version until the host raises it, so a rolling upgrade never turns records into errors; so far there is
//! one version.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{ApiKeyGrant, Grant, Parent, Record, RecordBuilder, Retiring, Revocation};
use super::{ServiceAccountGrant, ServiceTokenGrant, StoredSecret};
use crate::{CredentialId, Digest, Invalid, Network, Rights, Timestamp, Validity};

const VERSION: u64 = 1;
/// The longest encoding, on write and on read: 256 KiB.
const LONGEST: usize = 256 * 1_024;
/// What a host's notes and grants may fill of it: what is left is for revoking and rotating, which must always fit.
const ROOMY: usize = 252 * 1_024;

/// Why bytes are not a record: **undecided**, never absent and never a denial. It quotes nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than 262,144 bytes.
    #[error("the record has more than {LONGEST} bytes")]
    TooLarge,
    /// A version that this reader does not know: written by a newer keygate.
    #[error("the record has version {found}, this reader knows version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// Not the JSON of a record, from this place on.
    #[error("the record does not decode at line {line}, column {column}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// The JSON of a record with a value that is not acceptable.
    #[error("the record does not decode: {0}")]
    Invalid(Invalid),
}

impl From<Invalid> for DecodeError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        // The message may quote the record; the place tells enough.
        Self::Syntax { line: error.line(), column: error.column() }
    }
}

impl Record {
    /// The record as bytes for a store: JSON with `"v":1`, at most 262,144 bytes. It holds digests, no secret.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where it would be longer.
    pub fn encode(&self) -> Result<Vec<u8>, Invalid> {
        let too_large = Invalid::new("record", "at most 262144 bytes encoded");
        let bytes = self.wire().ok_or(too_large)?;
        if bytes.len() > LONGEST { Err(too_large) } else { Ok(bytes) }
    }

    /// Whether there is room left to rotate and revoke it. What is no longer than it was before is always allowed: a grant can
    /// be narrowed whatever its size.
    pub(crate) fn check_room(&self, before: Option<&Self>) -> Result<(), Invalid> {
        let length = |record: &Self| record.wire().map_or(usize::MAX, |bytes| bytes.len());
        let own = length(self);
        if own > ROOMY && before.is_none_or(|before| own > length(before)) {
            return Err(Invalid::new("record", "at most 258048 bytes encoded"));
        }
        Ok(())
    }

    /// Whether the two are one in all that is stored, version included.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.wire().is_some_and(|own| other.wire().is_some_and(|other| own == other))
    }

    fn wire(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&Wire::from(self)).ok()
    }

    /// The record in bytes that a store kept.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: a fault, for which the host refuses with [`Refusal::record_corrupt`](crate::Refusal).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        if bytes.len() > LONGEST {
            return Err(DecodeError::TooLarge);
        }
        let decoded = serde_json::from_slice::<Object<Wire<'_>>>(bytes);
        // Another version may not fit at all: which one it is comes before what is wrong with it.
        if !decoded.as_ref().is_ok_and(|Object(wire)| wire.v == VERSION) {
            let Version { v } = serde_json::from_slice(bytes)?;
            if v != VERSION {
                return Err(DecodeError::Version { found: v });
            }
        }
        let Object(wire) = decoded?;
        Ok(wire.read()?)
    }
}

type Text<'a> = Cow<'a, str>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    v: u64,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, deserialize_with = "present")]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Vec<(Text<'a>, Text<'a>)>,
    created_at: i64,
    #[serde(borrow, deserialize_with = "present")]
    created_by: Option<Text<'a>>,
    #[serde(deserialize_with = "present")]
    not_before: Option<i64>,
    #[serde(deserialize_with = "present")]
    expires_at: Option<i64>,
    disabled: bool,
    #[serde(borrow, deserialize_with = "present")]
    revoked: Option<Object<WireRevocation<'a>>>,
    #[serde(borrow)]
    current: Object<WireSecret<'a>>,
    #[serde(borrow, deserialize_with = "present")]
    retiring: Option<Object<WireRetiring<'a>>>,
    #[serde(borrow, deserialize_with = "present")]
    parent: Option<Object<WireParent<'a>>>,
    #[serde(borrow, deserialize_with = "present")]
    networks: Option<Vec<Text<'a>>>,
    version: u64,
    #[serde(borrow)]
    grant: WireGrant<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRevocation<'a> {
    at: i64,
    #[serde(borrow)]
    reason: Text<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSecret<'a> {
    number: u32,
    slot: u8,
    #[serde(deserialize_with = "present")]
    guard: Option<u8>,
    #[serde(borrow)]
    digest: Text<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRetiring<'a> {
    #[serde(borrow)]
    secret: Object<WireSecret<'a>>,
    ends_at: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    leak: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireParent<'a> {
    #[serde(borrow)]
    account: Text<'a>,
    mint_generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireGrant<'a> {
    #[serde(borrow)]
    ApiKey(Object<WireApiKey<'a>>),
    #[serde(borrow)]
    ServiceAccount(Object<WireServiceAccount<'a>>),
    #[serde(borrow)]
    ServiceToken(Object<WireServiceToken<'a>>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireApiKey<'a> {
    #[serde(borrow)]
    user: Text<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireServiceAccount<'a> {
    #[serde(borrow)]
    organization: Text<'a>,
    #[serde(borrow)]
    scopes: Vec<Text<'a>>,
    #[serde(borrow, deserialize_with = "present")]
    public_key: Option<Text<'a>>,
    #[serde(borrow)]
    sealed_keys: Vec<(Text<'a>, Text<'a>)>,
    mint_generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireServiceToken<'a> {
    #[serde(borrow)]
    organization: Text<'a>,
    #[serde(borrow)]
    project: Text<'a>,
    #[serde(borrow)]
    scopes: Vec<Text<'a>>,
    #[serde(borrow, deserialize_with = "present")]
    client_box: Option<Text<'a>>,
}

/// A JSON object and nothing else: serde's own structs take a list of their members too.
#[derive(Serialize)]
#[serde(transparent)]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// `null` is a value; a field that is not there is an error.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

impl<'a> From<&'a Record> for Wire<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            v: VERSION,
            id: record.id.as_str().into(),
            name: record.name().map(Cow::from),
            metadata: record.metadata().map(|(key, value)| (key.into(), value.into())).collect(),
            created_at: record.created_at().as_unix(),
            created_by: record.created_by().map(Cow::from),
            not_before: record.validity.not_before().map(Timestamp::as_unix),
            expires_at: record.validity.expires_at().map(Timestamp::as_unix),
            disabled: record.disabled,
            revoked: record.revocation().map(|revocation| {
                Object(WireRevocation { at: revocation.at.as_unix(), reason: (&*revocation.reason).into() })
            }),
            current: Object(WireSecret::from(&record.current)),
            retiring: record.retiring().map(|retiring| {
                let secret = Object(WireSecret::from(&retiring.secret));
                let leak = retiring.leak.as_deref().map(Cow::from);
                Object(WireRetiring { secret, ends_at: retiring.ends_at.as_unix(), leak })
            }),
            parent: record.parent().map(|parent| {
                let account = parent.account.as_str().into();
                Object(WireParent { account, mint_generation: parent.mint_generation })
            }),
            networks: record
                .networks()
                .map(|networks| networks.iter().map(|network| network.to_string().into()).collect()),
            version: record.version,
            grant: WireGrant::from(&record.grant),
        }
    }
}

impl From<&StoredSecret> for WireSecret<'_> {
    fn from(secret: &StoredSecret) -> Self {
        Self {
            number: secret.number,
            slot: secret.digest.slot(),
            guard: secret.digest.guard_slot(),
            digest: STANDARD.encode(secret.digest.as_bytes()).into(),
        }
    }
}

impl<'a> From<&'a Grant> for WireGrant<'a> {
    fn from(grant: &'a Grant) -> Self {
        let texts = |rights: &'a Rights| rights.scopes().iter().map(|scope| scope.as_str().into()).collect();
        let organization = |rights: &'a Rights| rights.organization().as_str().into();
        match grant {
            Grant::ApiKey(key) => Self::ApiKey(Object(WireApiKey { user: key.user().as_str().into() })),
            Grant::ServiceAccount(account) => Self::ServiceAccount(Object(WireServiceAccount {
                organization: organization(account.rights()),
                scopes: texts(account.rights()),
                public_key: account.public_key().map(|key| STANDARD.encode(key).into()),
                sealed_keys: account
                    .sealed_keys()
                    .map(|(project, sealed)| (project.as_str().into(), STANDARD.encode(sealed).into()))
                    .collect(),
                mint_generation: account.mint_generation(),
            })),
            Grant::ServiceToken(token) => Self::ServiceToken(Object(WireServiceToken {
                organization: organization(token.rights()),
                project: token.project().as_str().into(),
                scopes: texts(token.rights()),
                client_box: token.client_box().map(|sealed| STANDARD.encode(sealed).into()),
            })),
        }
    }
}

impl Wire<'_> {
    fn read(self) -> Result<Record, Invalid> {
        let validity = Validity::new(
            self.not_before.map(Timestamp::from_unix),
            self.expires_at.map(Timestamp::from_unix),
        )?;
        let current = self.current.0.read()?;
        let mut builder = RecordBuilder::new(
            CredentialId::parse(&self.id)?,
            self.grant.read()?,
            current.digest.clone(),
            Timestamp::from_unix(self.created_at),
        )
        .current(current)
        .metadata(self.metadata.iter().map(|(key, value)| (&**key, &**value)))
        .validity(validity)
        .disabled(self.disabled)
        .version(self.version);
        if let Some(networks) = &self.networks {
            let networks = networks.iter().map(|network| network_as_written(network));
            builder = builder.networks(networks.collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some(creator) = &self.created_by {
            builder = builder.created_by(creator);
        }
        if let Some(Object(WireRevocation { at, reason })) = &self.revoked {
            builder = builder.revoked(Revocation::new(Timestamp::from_unix(*at), reason));
        }
        if let Some(Object(WireRetiring { secret, ends_at, leak })) = self.retiring {
            let (secret, ends_at) = (secret.0.read()?, Timestamp::from_unix(ends_at));
            builder = builder.retiring(Retiring { secret, ends_at, leak: leak.as_deref().map(Box::from) });
        }
        if let Some(Object(WireParent { account, mint_generation })) = &self.parent {
            builder = builder
                .parent(Parent { account: CredentialId::parse(account)?, mint_generation: *mint_generation });
        }
        builder.build()
    }
}

impl WireSecret<'_> {
    fn read(&self) -> Result<StoredSecret, Invalid> {
        let digest = Digest::from_parts(self.slot, self.guard, &bytes("digest", &self.digest)?)?;
        Ok(StoredSecret { number: self.number, digest })
    }
}

impl WireGrant<'_> {
    fn read(&self) -> Result<Grant, Invalid> {
        let rights = |organization: &str, scopes: &[Text<'_>]| {
            let scopes = scopes.iter().map(|scope| scope.parse());
            Rights::new(organization, scopes.collect::<Result<Vec<_>, _>>()?)
        };
        match self {
            Self::ApiKey(Object(key)) => ApiKeyGrant::new(&key.user).map(Grant::from),
            Self::ServiceAccount(Object(wire)) => {
                let mut account = ServiceAccountGrant::new(rights(&wire.organization, &wire.scopes)?)
                    .with_mint_generation(wire.mint_generation);
                if let Some(key) = &wire.public_key {
                    let key = bytes("public key", key)?;
                    let key = key.try_into().map_err(|_| Invalid::new("public key", "32 bytes"))?;
                    account = account.with_public_key(key);
                }
                for (project, sealed) in &wire.sealed_keys {
                    account = account.with_sealed_key(project, bytes("sealed key", sealed)?)?;
                }
                Ok(account.into())
            }
            Self::ServiceToken(Object(wire)) => {
                let token = ServiceTokenGrant::new(&wire.project, rights(&wire.organization, &wire.scopes)?)?;
                match &wire.client_box {
                    Some(sealed) => token.with_client_box(bytes("client box", sealed)?).map(Grant::from),
                    None => Ok(token.into()),
                }
            }
        }
    }
}

/// In the one spelling that is written: bits behind the length are not a network's, and may be damage.
fn network_as_written(text: &str) -> Result<Network, Invalid> {
    Network::parse(text)
        .ok()
        .filter(|network| network.to_string() == text)
        .ok_or(Invalid::new("network", "a network as it is printed"))
}

fn bytes(argument: &'static str, base64: &str) -> Result<Vec<u8>, Invalid> {
    STANDARD.decode(base64).map_err(|_| Invalid::new(argument, "standard base64 with padding"))
}
