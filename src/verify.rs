//! The one ordered list of checks: presented + record + moment → caller, or needs its parent, or a refusal.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use crate::digest::equal;
use crate::{
    Caller, CredentialKey, DigestKeys, Grant, Kind, ParentFault, PresentedCredential, Reason, Record,
    Refusal, State, Timestamp, TokenFault,
};

/// What verifying is told from outside: the time, the client's address, and what the host opted into.
///
/// ```
/// use keygate::{Moment, Timestamp};
///
/// let moment = Moment::at(Timestamp::from_unix(1_795_518_000)).client([192, 0, 2, 7].into());
/// # let _ = moment;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    now: Timestamp,
    client: Option<IpAddr>,
    api_keys_reach_secrets: bool,
}

impl Moment {
    /// At this time, from an unknown address.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now, client: None, api_keys_reach_secrets: false }
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// From this address: the client's own, not a proxy's. Without it a credential that is limited to networks
    /// cannot be decided.
    #[must_use]
    pub const fn client(self, address: IpAddr) -> Self {
        Self { client: Some(address), ..self }
    }

    /// An API key reaches the secrets endpoints too, as its user.
    ///
    /// # Security
    ///
    /// A key carries nothing to encrypt or decrypt secrets with. Only a host whose secrets are not encrypted end to
    /// end has a use for this, and a leaked key then reaches all that its user reaches.
    #[must_use]
    pub const fn danger_api_keys_reach_secrets(self) -> Self {
        Self { api_keys_reach_secrets: true, ..self }
    }
}

/// Verifies a presented credential against the record that a lookup found for its key. Pure: `now` is an argument,
/// nothing is written, nothing is looked up.
///
/// The order is the security of it. Everything that tells about a credential is looked at only after its secret has
/// been proved, so that an unproven text learns nothing (but for a fault of the host's own, a record of another key or
/// under an unknown digest key, which is *undecided* for everybody):
///
/// 1. No record: the same digest work against a dummy, then *unknown*.
/// 2. The record must be of this kind and id: a store only fetches, and is checked.
/// 3. The digest of the text, under the key that the record names, must be the record's; one MAC, two where two
///    secrets overlap under two keys.
/// 4. A secret whose overlap is over is not the record's any more.
/// 5. Revoked, disabled, expired, not yet valid.
/// 6. The client's network.
/// 7. The parent, where a service account minted it: [`NeedsParent`].
///
/// What the caller may do is decided later, per access: [`Caller::decide`].
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use keygate::{
///     ApiKeyGrant, CredentialKey, DigestKeys, Kind, Moment, Presented, Record, SystemRandom, Timestamp, header, verify,
/// };
///
/// let keys = DigestKeys::ephemeral()?;
/// let now = Timestamp::from_unix(1_795_518_000);
/// let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
/// let record = Record::builder(drawn.key.id, ApiKeyGrant::new("u-17")?, drawn.digest, now).build()?;
/// let map: HashMap<CredentialKey, Arc<Record>> = HashMap::from([(record.key(), Arc::new(record))]);
///
/// let presented = header::present([("X-API-KEY", drawn.text.expose())])?;
/// let Presented::Credential(presented) = presented else { unreachable!("it is no access token") };
/// let caller = verify(&presented, map.get(&presented.key()), &keys, Moment::at(now))?
///     .with_parent(|key| map.get(key))?;
/// assert_eq!(caller.owner().to_string(), "user u-17");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Refusal`]: *denied* with one public face, or *undecided* where the record names a digest key that the ring does
/// not hold, is of another kind or id, or has network limits and the client's address is unknown.
// Inlined for the reason that `HeaderPolicy::present` is.
#[inline(always)]
pub fn verify<V: AsRef<[u8]>>(
    presented: &PresentedCredential<V>,
    record: Option<&Arc<Record>>,
    keys: &DigestKeys,
    moment: Moment,
) -> Result<Verified, Refusal> {
    let Some(record) = record else { return Err(refuse_unknown(presented, keys)) };
    match check(presented, record, keys, moment) {
        Ok(proof) => Ok(proof.outcome(Arc::clone(record), moment)),
        Err(reason) => Err(presented.refuse(reason)),
    }
}

/// Check 1, of a credential that has no record.
pub(crate) fn refuse_unknown<V: AsRef<[u8]>>(
    presented: &PresentedCredential<V>,
    keys: &DigestKeys,
) -> Refusal {
    work_for_nothing(presented.text(), keys);
    presented.refuse(Reason::UnknownCredential)
}

/// Checks 2 to 6.
#[inline(always)]
pub(crate) fn check<V: AsRef<[u8]>>(
    presented: &PresentedCredential<V>,
    record: &Arc<Record>,
    keys: &DigestKeys,
    moment: Moment,
) -> Result<Proof, Reason> {
    if !presented.is_of(record.grant().kind(), record.id()) {
        return Err(Reason::RecordMismatch);
    }
    let proof = prove(presented.text(), record, keys, moment.now)?;
    match record.state(moment.now) {
        State::Active => {}
        State::Revoked => return Err(Reason::Revoked),
        State::Disabled => return Err(Reason::Disabled),
        State::Expired => return Err(Reason::Expired),
        State::NotYetValid => return Err(Reason::NotYetValid),
    }
    match in_networks(record, moment) {
        Some(true) => {}
        Some(false) => return Err(Reason::Network),
        None => return Err(Reason::ClientAddressUnknown),
    }
    Ok(proof)
}

/// Which of the record's secrets a text is.
pub(crate) struct Proof {
    secret: u32,
}

impl Proof {
    /// Check 7: a caller, or one that needs its parent.
    #[inline(always)]
    pub(crate) fn outcome(self, record: Arc<Record>, moment: Moment) -> Verified {
        let is_minted = record.parent().is_some();
        let caller = Caller::by_secret(record, self.secret, moment.api_keys_reach_secrets);
        if is_minted {
            Verified::NeedsParent(NeedsParent::new(caller, moment))
        } else {
            Verified::Caller(caller)
        }
    }
}

/// Checks 3 and 4. A record holds one secret, and during an overlap (and until the next rotation) a retiring one.
#[inline(always)]
fn prove(text: &[u8], record: &Record, keys: &DigestKeys, now: Timestamp) -> Result<Proof, Reason> {
    let current = record.current();
    let slot = current.digest.slot();
    let tag = keys.mac(slot, text);
    if tag.is_some_and(|tag| equal(&tag, current.digest.as_bytes())) {
        return Ok(Proof { secret: current.number });
    }
    prove_otherwise(tag, text, record, keys, now)
}

/// The same with the retiring secret, for a text whose tag is not the current one's.
#[cold]
#[inline(never)]
fn prove_otherwise(
    tag: Option<[u8; 32]>,
    text: &[u8],
    record: &Record,
    keys: &DigestKeys,
    now: Timestamp,
) -> Result<Proof, Reason> {
    let slot = record.current().digest.slot();
    // A text that was not compared with every secret is not a wrong one.
    let unknown_key = |slot| Reason::UnknownDigestKey { slot };
    let otherwise = if tag.is_none() { unknown_key(slot) } else { Reason::WrongSecret };
    let Some(retiring) = record.retiring() else {
        return Err(otherwise);
    };
    let (secret, over) = (&retiring.secret, now >= retiring.ends_at);
    let retiring_slot = secret.digest.slot();
    // Once the overlap is over, its key is not worth a second MAC, and may be gone from the ring.
    let tag = match tag {
        Some(tag) if retiring_slot == slot => Some(tag),
        _ if over => return Err(otherwise),
        _ => keys.mac(retiring_slot, text),
    };
    match tag {
        None => Err(unknown_key(retiring_slot)),
        Some(tag) if !equal(&tag, secret.digest.as_bytes()) => Err(otherwise),
        Some(_) if over => Err(Reason::RetiredSecret),
        Some(_) => Ok(Proof { secret: secret.number }),
    }
}

/// The digest work of a credential that exists, for one that does not.
#[inline(never)]
fn work_for_nothing(text: &[u8], keys: &DigestKeys) {
    const NOBODY: [u8; 32] = [0; 32];
    let tag = keys.mac(keys.active_slot(), text);
    black_box(tag.is_some_and(|tag| equal(&tag, &NOBODY)));
}

/// Whether the client may call from where it is; `None` where that is not known.
#[inline(always)]
fn in_networks(record: &Record, moment: Moment) -> Option<bool> {
    let Some(networks) = record.networks() else { return Some(true) };
    moment.client.map(|client| networks.iter().any(|network| network.contains(client)))
}

/// A proved credential: a caller, or one that still needs the record of the account that minted it.
#[derive(Debug)]
#[must_use = "a verified credential is a caller only once its parent was looked at"]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a security decision needs no `_` arm")]
pub enum Verified {
    /// It was not minted: this is the caller.
    Caller(Caller),
    /// A service account minted it, and that account's record decides too.
    NeedsParent(NeedsParent),
}

impl Verified {
    /// The caller, with the parent from this lookup where one is needed: one expression, and no arm to forget.
    ///
    /// For records in memory. `None` from the lookup says that there is no such account, which is a denial; where the
    /// lookup itself can fail, match on [`NeedsParent`] and use [`finish`](NeedsParent::finish), so that an outage
    /// stays *undecided*.
    ///
    /// # Errors
    ///
    /// As [`NeedsParent::finish`].
    #[inline(always)]
    pub fn with_parent<'r>(
        self,
        lookup: impl FnOnce(&CredentialKey) -> Option<&'r Arc<Record>>,
    ) -> Result<Caller, Refusal> {
        match self {
            Self::Caller(caller) => Ok(caller),
            Self::NeedsParent(check) => check.with_parent(lookup),
        }
    }
}

/// A proved credential or access token that a service account minted; whether it still holds, the account's record says.
///
/// It is no caller, and nothing makes one of it but the parent's record:
///
/// ```compile_fail
/// fn shortcut(check: keygate::NeedsParent) -> keygate::Caller {
///     check.caller
/// }
/// ```
#[derive(Debug)]
#[must_use = "a minted credential is a caller only once its parent was looked at"]
pub struct NeedsParent {
    caller: Caller,
    moment: Moment,
}

impl NeedsParent {
    pub(crate) const fn new(caller: Caller, moment: Moment) -> Self {
        Self { caller, moment }
    }

    /// What to look the parent up by.
    #[must_use]
    pub fn parent(&self) -> CredentialKey {
        // There is always a parent; without one the credential would be its own, and no account.
        self.caller
            .minted_by()
            .map_or(CredentialKey { kind: Kind::ServiceAccount, ..self.caller.credential() }, |parent| {
                parent.key()
            })
    }

    /// The caller, if the account that minted it still carries it: the account must exist, be neither revoked nor
    /// disabled nor expired nor not valid yet, have the mint generation that the credential was made under, and be allowed where the
    /// client is. The caller's rights are cut to the account's at each decision.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: *denied* ([`Reason::Parent`]), also where the parent is absent, or ([`Reason::AccessToken`]) where an access token
    /// names another organization than its account's; *undecided* where the lookup
    /// returned another record, or the account is limited to networks and the client's address is unknown. A parent
    /// that could not be looked up is the host's [`Refusal::store_unavailable`], never `None`.
    pub fn finish(&self, parent: Option<&Arc<Record>>) -> Result<Caller, Refusal> {
        let parent = self.judge(parent).map_err(|reason| self.caller.refuse(reason).of_proved())?;
        Ok(self.caller.clone().under(Arc::clone(parent)))
    }

    /// The caller to be.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    fn judge<'r>(&self, parent: Option<&'r Arc<Record>>) -> Result<&'r Arc<Record>, Reason> {
        let parent = parent.ok_or(Reason::Parent(ParentFault::Absent))?;
        let (Grant::ServiceAccount(account), Some(minted)) = (parent.grant(), self.caller.minted_by()) else {
            return Err(Reason::RecordMismatch);
        };
        if parent.key().id != minted.account {
            return Err(Reason::RecordMismatch);
        }
        if self.caller.organization() != Some(account.rights().organization()) {
            return Err(match self.caller.claims() {
                // Whoever has the key signed it: that is no fault of the store's.
                Some(_) => Reason::AccessToken(TokenFault::IrregularClaim("org")),
                None => Reason::RecordMismatch,
            });
        }
        let fault = match parent.state(self.moment.now) {
            State::Revoked => ParentFault::Revoked,
            State::Disabled => ParentFault::Disabled,
            State::Expired => ParentFault::Expired,
            State::NotYetValid => ParentFault::NotYetValid,
            State::Active if account.mint_generation() != minted.mint_generation => ParentFault::Generation,
            State::Active => match in_networks(parent, self.moment) {
                Some(true) => return Ok(parent),
                Some(false) => ParentFault::Network,
                None => return Err(Reason::ClientAddressUnknown),
            },
        };
        Err(Reason::Parent(fault))
    }

    /// [`finish`](Self::finish) with the parent from this lookup, which must not fail: `None` is a denial.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn with_parent<'r>(
        self,
        lookup: impl FnOnce(&CredentialKey) -> Option<&'r Arc<Record>>,
    ) -> Result<Caller, Refusal> {
        self.finish(lookup(&self.parent()))
    }

    /// The caller without a look at the account that minted it.
    ///
    /// # Security
    ///
    /// Gives up that revoking, disabling, purging, ending, narrowing, limiting to networks or rotating the account reaches what it
    /// minted: that holds until its own end, with all that it was made with; an access token from everywhere.
    #[must_use]
    pub fn danger_without_parent(self) -> Caller {
        self.caller
    }
}
