//! Issues, rotates, revokes, lists: the write side of keygate, driven by a host's store.

mod builder;
mod credentials;
mod error;
mod issued;
mod new;
mod overlap;
mod owned;
mod retirement;
mod rotation;

pub use builder::IssuerBuilder;
pub use credentials::{Credentials, Managed};
pub use error::IssueError;
pub use issued::Issued;
pub use new::{NewApiKey, NewServiceAccount, NewServiceToken};
pub use overlap::Overlap;
pub use owned::Owned;
pub use retirement::Retirement;

use std::fmt;
use std::sync::Arc;

use self::new::Draft;
use crate::credential::Methods;
use crate::digest::equal;
use crate::{
    AccessTokens, ApiKeyGrant, Caller, Clock, CredentialKey, Digest, DigestKeys, Drawn, Entry, Expiry,
    Inserted, Invalid, Kind, Lifetime, Method, Mint, MintError, MintedToken, Minter, Namespace, Owner,
    RandomSource, Record, RecordBuilder, Revocation, Secret, ServiceAccountGrant, ServiceTokenGrant,
    SlotCount, Store, StoredSecret, SystemClock, SystemRandom, Timestamp, Updated, Validity,
};

/// Issues credentials and manages them, for their whole life, in a host's store.
///
/// A cheap handle; clones share one configuration, which never changes: a service that changes its digest keys builds a
/// new issuer over the same store and swaps it. Each kind has its handle, and each management call names the owner:
/// somebody else's id is *not found*, as one that does not exist.
///
/// ```
/// use keygate::{DigestKeys, Expiry, Issuer, Lifetime, MemoryStore, NewServiceAccount, Overlap, Owner};
/// # pollster::block_on(async {
///
/// let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral()?);
/// let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/**".parse()?).name("deployer");
/// let issued = issuer.service_accounts().issue(new).await?;
/// println!("{}", issued.text.expose()); // once: the store has no secret
///
/// let accounts = issuer.service_accounts().owned_by(Owner::organization("acme")?);
/// let id = issued.record.key().id;
/// let rotated = accounts.rotate(&id, Overlap::hours(24)).await?; // both texts hold, for a day
/// accounts.revoke(&id, "decommissioned").await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Security
///
/// It manages what it is told to: only [`mint`](Self::mint), [`Credentials::mint`] and [`revoke_own`](Self::revoke_own) are told who
/// calls. An endpoint that manages credentials asks the authenticator first, and takes no access token, which is to live for minutes
/// and would make what lives on: `gate.accept([Method::ApiKey, Method::ServiceAccount])`.
///
/// # Concurrency and cancellation
///
/// Each call reads the record from the store and writes it back by compare-and-swap; where another call was faster it
/// begins again. It is one write, so a future that is dropped, or a store that does not answer, leaves the credential as
/// it was or as it was to be, and nothing between. Where a store does not say whether it changed a record, the issuer looks;
/// where it cannot, the call fails with the store's error. Then an issue may have made a credential whose text nobody has: list,
/// and revoke it. And a rotation may have made a secret whose text nobody has: where the record's current secret has another
/// number than before, abort the rotation before you rotate again, if it had an overlap.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    store: Box<dyn Store>,
    keys: DigestKeys,
    clock: Box<dyn Clock>,
    random: Box<dyn RandomSource>,
    namespace: Option<Namespace>,
    hex: Methods,
    policies: [Policy; 3],
    access_tokens: Option<AccessTokens>,
}

/// What is allowed for a kind.
#[derive(Clone, Copy, Debug, Default)]
struct Policy {
    max_lifetime: Option<Lifetime>,
    cap: Option<u64>,
}

impl Issuer {
    /// An issuer with the system's clock and random source: service tokens live at most 30 days, API keys and accounts as
    /// long as they are asked for, and an owner may have any number of them.
    #[must_use]
    pub fn new(store: impl Store + 'static, keys: DigestKeys) -> Self {
        Self(Arc::new(Self::builder(store, keys).inner))
    }

    /// An issuer with a policy, a namespace, a clock of the host's own.
    pub fn builder(store: impl Store + 'static, keys: DigestKeys) -> IssuerBuilder {
        let tokens = Policy { max_lifetime: Some(Lifetime::days(30)), cap: None };
        IssuerBuilder {
            inner: Inner {
                store: Box::new(store),
                keys,
                clock: Box::new(SystemClock::new()),
                random: Box::new(SystemRandom),
                namespace: None,
                hex: Methods::NONE,
                policies: [Policy::default(), Policy::default(), tokens],
                access_tokens: None,
            },
        }
    }

    /// API keys, which users own.
    pub const fn api_keys(&self) -> Credentials<'_, ApiKeyGrant> {
        Credentials::new(self)
    }

    /// Service accounts, which organizations own.
    pub const fn service_accounts(&self) -> Credentials<'_, ServiceAccountGrant> {
        Credentials::new(self)
    }

    /// Service tokens, which projects own.
    pub const fn service_tokens(&self) -> Credentials<'_, ServiceTokenGrant> {
        Credentials::new(self)
    }

    /// Mints an access token for a service account: never wider than the account, never longer, and stored nowhere.
    ///
    /// ```
    /// use keygate::{
    ///     AccessTokens, Authenticator, DigestKeys, Expiry, Issuer, Lifetime, MemoryStore, Mint, NewServiceAccount, SigningKeys,
    /// };
    /// # pollster::block_on(async {
    ///
    /// let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
    /// let tokens = AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "https://secrets.example")?;
    /// let issuer = Issuer::builder(store.clone(), keys.clone()).access_tokens(tokens.clone()).build()?;
    /// let gate = Authenticator::builder(store, keys).access_tokens(tokens).build()?;
    ///
    /// let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/app/**".parse()?);
    /// let account = issuer.service_accounts().issue(new).await?;
    /// let caller = gate.authenticate([("authorization", format!("Bearer {}", account.text.expose()))]).await?;
    ///
    /// let mint = Mint::scopes(["read@web/prod:/app/db".parse()?]).lifetime(Lifetime::minutes(5));
    /// let minted = issuer.mint(&caller, mint).await?;
    ///
    /// let wider = Mint::scopes(["read@web/prod:/**".parse()?]);
    /// let error = issuer.mint(&caller, wider).await.unwrap_err();
    /// assert_eq!(error.to_string(), "scope 0 is too wide: read@web/prod:/** is not held");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *mint*, where the caller may not mint, or not this ([`MintError`]); *not found* where the account is gone; an
    /// issuer without [access tokens](IssuerBuilder::access_tokens), or the store failed. Nothing was made then.
    pub async fn mint(&self, caller: &Caller, mint: Mint) -> Result<MintedToken, IssueError> {
        let tokens = self.0.access_tokens.as_ref();
        let tokens = tokens.ok_or(Invalid::new("access_tokens", "an issuer that was built with them"))?;
        let account = self.0.minting_account(caller).await?;
        Ok(tokens.mint(caller, &account, &mint, self.0.clock.now(), &*self.0.random)?)
    }

    /// Revokes the caller's own credential: any credential may, and its holder who thinks that it leaked should.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: as [`Owned::revoke`]; *by access token*, which is no credential; *caller replaced* where its secret was rotated out since the caller was
    /// proved, so that a thief with a replaced secret cannot shut its owner out.
    pub async fn revoke_own(&self, caller: &Caller, reason: &str) -> Result<(), IssueError> {
        let secret = caller.secret_number().ok_or(IssueError::ByAccessToken)?;
        let revoke = |record: &Record, now| {
            if record.revocation().is_none() && !record.accepts(secret, now) {
                return Err(IssueError::CallerReplaced);
            }
            Ok((rotation::revoke(record, reason, now)?, ()))
        };
        self.0.change(caller.credential(), caller.owner(), revoke).await.map(drop)
    }

    /// Revokes all that belongs to this owner, and for an organization to its projects too: a user left, a tenant was
    /// closed. How many those were. Idempotent; what is issued meanwhile may survive, so stop issuing first.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the reason is not 1–200 characters without control characters, or the store failed: then some
    /// may be revoked and others not, and the call may be repeated.
    pub async fn revoke_owned(&self, owner: &Owner, reason: &str) -> Result<u64, IssueError> {
        let revocation = Revocation::new(self.0.clock.now(), reason);
        revocation.check()?;
        Ok(self.0.store.revoke_owned(owner, &revocation).await?)
    }

    /// Removes at most `limit` (1–10,000) credentials, of all owners, that were revoked or expired before this time; how
    /// many those were. Fewer than `limit` are the last. Until then they stay listed, with their reason.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the time is in the future, which would take what still lives, the limit is out of range, or the
    /// store failed.
    pub async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, IssueError> {
        if before > self.0.clock.now() {
            return Err(Invalid::new("before", "a time that is not in the future").into());
        }
        Ok(self.0.store.purge(before, checked(limit, MOST_PURGED, "1 to 10000")?).await?)
    }

    /// The next credentials, of all owners, that end within this time from now: for reminders. In the order of their keys,
    /// those behind `after`, at most `limit` (1–1,000).
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the time or the limit is out of range, or the store failed.
    pub async fn expiring(
        &self,
        within: Lifetime,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, IssueError> {
        let now = self.0.clock.now();
        Ok(self.0.store.expiring(now, within.ends_at(now)?, after, page(limit)?).await?)
    }

    /// The next live credentials, of all owners, that were made before this time and not used since: for tidying up. In the
    /// order of their keys, those behind `after`, at most `limit` (1–1,000).
    ///
    /// It knows of uses what a [`UseRecorder`](crate::UseRecorder) has flushed; without one, all are unused.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the limit is out of range, or the store failed.
    pub async fn unused(
        &self,
        since: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, IssueError> {
        Ok(self.0.store.unused(since, self.0.clock.now(), after, page(limit)?).await?)
    }

    /// How many stored secrets need the digest key of each slot: whether an old key may be dropped.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the store failed.
    pub async fn count_slots(&self) -> Result<Vec<SlotCount>, IssueError> {
        Ok(self.0.store.count_slots(self.0.clock.now()).await?)
    }
}

/// The longest page that is listed.
const LONGEST_PAGE: usize = 1_000;
const MOST_PURGED: usize = 10_000;
/// How often a change is tried again where another one was faster.
const ATTEMPTS: usize = 16;

fn page(limit: usize) -> Result<usize, Invalid> {
    checked(limit, LONGEST_PAGE, "1 to 1000")
}

fn checked(limit: usize, most: usize, expected: &'static str) -> Result<usize, Invalid> {
    if (1..=most).contains(&limit) { Ok(limit) } else { Err(Invalid::new("limit", expected)) }
}

/// What a change makes of a record, and what it yields besides.
type Change<T> = Result<(RecordBuilder, T), IssueError>;

impl Inner {
    const fn policy(&self, kind: Kind) -> Policy {
        let [api_keys, accounts, tokens] = self.policies;
        match kind {
            Kind::ApiKey => api_keys,
            Kind::ServiceAccount => accounts,
            Kind::ServiceToken => tokens,
        }
    }

    fn check_lifetime(&self, kind: Kind, asked: Expiry) -> Result<(), IssueError> {
        match (self.policy(kind).max_lifetime, asked) {
            (Some(maximum), Expiry::After(lifetime)) if lifetime <= maximum => Ok(()),
            (Some(maximum), _) => Err(IssueError::TooLong { maximum }),
            (None, _) => Ok(()),
        }
    }

    /// The account of a caller that wants to mint, from the truth.
    async fn minting_account(&self, caller: &Caller) -> Result<Arc<Record>, IssueError> {
        if caller.method() != Method::ServiceAccount {
            return Err(MintError::NotByAccessKey.into());
        }
        Ok(self.read(caller.credential(), caller.owner()).await?.record)
    }

    /// Issues a credential; where an account mints it, by the rule of what is minted.
    async fn issue(&self, draft: Draft, minted_by: Option<(&Caller, &Record)>) -> Result<Issued, IssueError> {
        let Draft { common, grant, expiry } = draft;
        let (kind, now) = (grant.kind(), self.clock.now());
        let minter = minted_by.map(|(caller, account)| Minter::of(caller, account, now)).transpose()?;
        let begins_at = common.not_before.unwrap_or(now).max(now);
        self.check_lifetime(kind, expiry)?;
        let validity = Validity::new(common.not_before, expiry.ends_at(begins_at)?)?;
        if let Some(minter) = &minter {
            grant.rights().map_or(Ok(()), |rights| minter.check_rights(rights))?;
            validity.expires_at().map_or(Ok(()), |end| minter.check_end(end))?;
        }
        let drawn = if self.hex.contains(kind.into()) {
            self.keys.draw_hex(kind, &*self.random)?
        } else {
            self.keys.draw(kind, &*self.random)?
        };
        let id = drawn.key.id;
        let (text, digest) = self.parts(drawn);
        let mut builder = Record::builder(id, grant, digest, now)
            .validity(validity)
            .metadata(common.metadata.iter().map(|(key, value)| (&**key, &**value)))
            .version(1);
        if let Some(name) = &common.name {
            builder = builder.name(name);
        }
        builder = match (&minter, &common.created_by) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("created_by", "nothing: minting names the account").into());
            }
            (Some(minter), None) => {
                let parent = minter.as_parent();
                builder.parent(parent).created_by(parent.account.as_str())
            }
            (None, Some(creator)) => builder.created_by(creator),
            (None, None) => builder,
        };
        if let Some(networks) = common.networks {
            builder = builder.networks(networks);
        }
        let record = builder.build()?;
        record.check_room(None)?;
        if let Some(cap) = self.policy(kind).cap
            && self.store.count_live(record.owner(), now).await? >= cap
        {
            return Err(IssueError::TooMany { cap });
        }
        let record = Arc::new(record);
        match self.store.insert(&record).await? {
            Inserted::Yes => Ok(Issued { text, record }),
            // Were it looked at, a random source that repeats itself would hand out one credential twice.
            Inserted::IdTaken => Err(IssueError::IdTaken),
        }
    }

    /// The text for its holder, with the namespace, and the digest for the record.
    fn parts(&self, drawn: Drawn) -> (Secret, Digest) {
        match &self.namespace {
            Some(namespace) => (drawn.text_in(namespace), drawn.digest),
            None => (drawn.text, drawn.digest),
        }
    }

    /// What there is of a credential, if it is this owner's.
    async fn read(&self, key: CredentialKey, owner: &Owner) -> Result<Entry, IssueError> {
        let entry = self.store.read(key.kind, &key.id).await?.ok_or(IssueError::NotFound)?;
        if entry.record.key() != key {
            return Err(IssueError::RecordMismatch);
        }
        if entry.record.owner() != owner { Err(IssueError::NotFound) } else { Ok(entry) }
    }

    /// Reads a record, changes it, writes it back if it is another one then; from the beginning where another change
    /// came between.
    async fn change<T>(
        &self,
        key: CredentialKey,
        owner: &Owner,
        mut change: impl FnMut(&Record, Timestamp) -> Change<T>,
    ) -> Result<(Arc<Record>, T), IssueError> {
        // A store that lost its own answer may have repeated the update, and then says that the record changed. So before a
        // change is made again, and before it fails, what the store has is looked at: the text of a secret that is stored must
        // not be lost.
        let mut tried: Option<(Attempt, T)> = None;
        for left in (0..=ATTEMPTS).rev() {
            let seen = self.read(key, owner).await?.record;
            if let Some((attempt, yields)) = tried.take_if(|(attempt, _)| attempt.is_done_in(&seen)) {
                return Ok((attempt.record, yields));
            }
            if left == 0 {
                break;
            }
            let (builder, yields) = change(&seen, self.clock.now())?;
            let record = builder.build()?;
            if record.is_same(&seen) {
                return Ok((seen, yields));
            }
            let next =
                seen.version().checked_add(1).ok_or(Invalid::new("version", "fewer than 2^64 changes"))?;
            let record = Arc::new(RecordBuilder::from(record).version(next).build()?);
            let attempt = Attempt { seen, record };
            match self.store.update(attempt.seen.version(), &attempt.record).await {
                Ok(Updated::Yes) => return Ok((attempt.record, yields)),
                Ok(Updated::Changed) => tried = Some((attempt, yields)),
                Ok(Updated::Absent) => return Err(IssueError::NotFound),
                Err(error) => match self.store.read(key.kind, &key.id).await {
                    Ok(Some(entry)) if attempt.is_done_in(&entry.record) => {
                        return Ok((attempt.record, yields));
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        Err(IssueError::Contended)
    }
}

/// An update of which it is not known whether it was done.
struct Attempt {
    seen: Arc<Record>,
    record: Arc<Record>,
}

impl Attempt {
    /// Whether it was, as far as the record tells that the store has now. Of a change that made another secret the current one
    /// it tells whatever came after it: the secret is there, by number and digest.
    fn is_done_in(&self, now: &Record) -> bool {
        let (old, new) = (self.seen.current(), self.record.current());
        let is_new = |secret: &StoredSecret| {
            secret.number == new.number && equal(secret.digest.as_bytes(), new.digest.as_bytes())
        };
        let changes_secret = old.number != new.number;
        let has_secret =
            is_new(now.current()) || now.retiring().is_some_and(|retiring| is_new(&retiring.secret));
        self.record.is_same(now) || (changes_secret && has_secret && now.version() >= self.record.version())
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("keys", &self.0.keys)
            .field("namespace", &self.0.namespace)
            .finish_non_exhaustive()
    }
}
