//! For the tests of a host: callers that nobody authenticated, and randomness that a seed repeats.
//!
//! Behind the feature `test-kit`: enable it among the dev-dependencies alone. A clock for tests,
//! [`ManualClock`](crate::ManualClock), needs no feature.
//!
//! ```
//! use keygate::test_kit::insecure_caller;
//! use keygate::{Action, Caller, Resource, Rights, ServiceAccountGrant, ServiceTokenGrant};
//!
//! /// A host's handler.
//! fn may_read(caller: &Caller, path: &str) -> bool {
//!     Resource::secrets("acme", "web", "prod", path)
//!         .and_then(|wanted| caller.decide(Action::Read, &wanted).granted().map(drop))
//!         .is_ok()
//! }
//!
//! let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
//! let caller = insecure_caller(ServiceTokenGrant::new("web", rights)?).build()?;
//! assert!(may_read(&caller, "/app/db"));
//! assert!(!may_read(&caller, "/billing"));
//!
//! let account = ServiceAccountGrant::new(Rights::new("acme", ["*@web/prod:/app/**".parse()?])?);
//! let caller = insecure_caller(account).by_access_token(["read@web/prod:/**".parse()?]).build()?;
//! assert!(may_read(&caller, "/app/db"));
//! assert!(!may_read(&caller, "/billing"), "cut to what the account holds");
//! # Ok::<(), keygate::Invalid>(())
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Caller, Claims, CredentialId, Digest, Grant, Invalid, Leeway, Parent, RandomError, RandomSource, Record,
    Rights, Scope, ServiceAccountGrant, Timestamp, Validity,
};

/// A caller of the kind of this grant, with its rights, that nobody authenticated: for tests of handlers.
///
/// # Security
///
/// It proves nothing. That is why it exists behind a feature, and why its name says so.
pub fn insecure_caller(grant: impl Into<Grant>) -> InsecureCaller {
    InsecureCaller {
        grant: grant.into(),
        id: "insecureTest".to_owned(),
        valid_until: Timestamp::from_unix(i64::MAX),
        minted_by: None,
        token_scopes: None,
        api_keys_reach_secrets: false,
    }
}

/// A caller in the making; see [`insecure_caller`].
#[derive(Clone, Debug)]
#[must_use = "a builder makes a caller when `build` is called"]
pub struct InsecureCaller {
    grant: Grant,
    id: String,
    valid_until: Timestamp,
    minted_by: Option<Rights>,
    token_scopes: Option<Vec<Scope>>,
    api_keys_reach_secrets: bool,
}

impl InsecureCaller {
    /// The credential's id, instead of `insecureTest`.
    pub fn id(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// When the caller's time is over, instead of at the end of time.
    pub fn valid_until(self, end: Timestamp) -> Self {
        Self { valid_until: end, ..self }
    }

    /// As if a service account with these rights had minted it; service tokens only.
    pub fn minted_by(self, rights: Rights) -> Self {
        Self { minted_by: Some(rights), ..self }
    }

    /// As if by an access token that the account with this grant had minted, with these scopes; service accounts only.
    pub fn by_access_token(self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { token_scopes: Some(scopes.into_iter().collect()), ..self }
    }

    /// As an authenticator does that was told so: see
    /// [`Moment::danger_api_keys_reach_secrets`](crate::Moment::danger_api_keys_reach_secrets).
    pub fn danger_api_keys_reach_secrets(self) -> Self {
        Self { api_keys_reach_secrets: true, ..self }
    }

    /// The caller.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the id is irregular, something else than a service token is said to be minted, or something else than a
    /// service account to have minted an access token, of 1 to 64 scopes.
    pub fn build(self) -> Result<Caller, Invalid> {
        let digest = Digest::from_parts(0, None, &[0; 32])?;
        let created_at = Timestamp::from_unix(0);
        let validity = Validity::until(self.valid_until);
        if let Some(scopes) = self.token_scopes {
            let Grant::ServiceAccount(account) = &self.grant else {
                return Err(Invalid::new("grant", "that of a service account, which mints access tokens"));
            };
            if self.minted_by.is_some() {
                return Err(Invalid::new("minted_by", "an account that nobody minted"));
            }
            if !(1..=64).contains(&scopes.len()) {
                return Err(Invalid::new("scopes", "1 to 64 scopes"));
            }
            let (rights, mint_generation) = (account.rights().clone(), account.mint_generation());
            let record =
                Record::builder(CredentialId::parse(&self.id)?, self.grant, digest, created_at).build()?;
            let parent = Parent { account: record.key().id, mint_generation };
            let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            let texts = [rights.organization().as_str(), "insecureTest", &*scopes.join(" ")];
            let claims = Claims::new(parent, texts, (created_at, validity, Leeway::NONE))?;
            return Ok(Caller::by_access_token(Arc::new(claims)).under(Arc::new(record)));
        }
        let mut child =
            Record::builder(CredentialId::parse(&self.id)?, self.grant, digest.clone(), created_at);
        let Some(rights) = self.minted_by else {
            let record = child.validity(validity).build()?;
            return Ok(caller(record, self.api_keys_reach_secrets));
        };
        let account = CredentialId::parse("insecureRoot")?;
        child = child.parent(Parent { account, mint_generation: 0 });
        let parent =
            Record::builder(account, ServiceAccountGrant::new(rights), digest, created_at).build()?;
        let child = child.validity(validity).build()?;
        Ok(caller(child, self.api_keys_reach_secrets).under(Arc::new(parent)))
    }
}

fn caller(record: Record, api_keys_reach_secrets: bool) -> Caller {
    let secret = record.current().number;
    Caller::by_secret(Arc::new(record), secret, api_keys_reach_secrets)
}

/// Randomness that a seed repeats: a failing test prints its seed, and the seed brings the failure back.
///
/// # Security
///
/// Every credential that is drawn from it can be drawn again. Never in production.
///
/// ```
/// use keygate::{DigestKeys, Kind, test_kit::SeededRandom};
///
/// let draw = |seed| {
///     let random = SeededRandom::new(seed);
///     DigestKeys::generate(&random).and_then(|keys| keys.draw(Kind::ApiKey, &random))
/// };
/// assert_eq!(draw(7)?.text.expose(), draw(7)?.text.expose());
/// assert_ne!(draw(7)?.text.expose(), draw(8)?.text.expose());
/// # Ok::<(), keygate::RandomError>(())
/// ```
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The stream of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl RandomSource for SeededRandom {
    /// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in out.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ word.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word.wrapping_shr(31);
            for (byte, random) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}
