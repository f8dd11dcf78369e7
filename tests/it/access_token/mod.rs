//! Access tokens: keys, claims, signatures, what they come to with their account, and who may mint them.

mod cancellation;
mod claims;
mod edits;
mod families;
mod keys;
mod mint;
mod order;
mod property;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate::{
    AccessTokens, Authenticator, AuthenticatorBuilder, Caller, DigestKeys, Expiry, HeaderPolicy, IssueError,
    Issued, Issuer, IssuerBuilder, Kind, Leeway, ManualClock, Mint, MintError, MintedToken, Moment,
    NeedsParent, NewServiceAccount, NewServiceToken, Owned, Owner, Presented, PresentedAccessToken, Reason,
    Record, RecordBuilder, Refusal, Scope, ServiceAccountGrant, SigningKey, SigningKeys, Store as _,
    Timestamp, TokenFault, Updated, verify_access_token,
};
use pollster::block_on;

use crate::decision::ring;
use crate::digest::hmac;
use crate::store::watched::Watched;
use crate::support::fixtures::{NOW, line};
use crate::support::random::{SeededSource, seed};

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const AUDIENCE: &str = "https://secrets.example";
pub(crate) const KEY: [u8; 32] = [0xa5; 32];
pub(crate) const KEY_ID: &str = "k1";

/// Tokens under one signing key.
pub(crate) fn tokens() -> AccessTokens {
    tokens_of([SigningKey::new(KEY_ID, &KEY).unwrap()])
}

fn tokens_of(keys: impl IntoIterator<Item = SigningKey>) -> AccessTokens {
    AccessTokens::new(SigningKeys::new(keys).unwrap(), ISSUER, AUDIENCE).unwrap()
}

/// A host that issues, mints and authenticates over one store that is watched, by a clock that stands still.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    keys: DigestKeys,
    pub(crate) store: Arc<Watched>,
    source: Arc<SeededSource>,
    tokens: AccessTokens,
    pub(crate) issuer: Issuer,
    pub(crate) gate: Authenticator,
}

impl World {
    fn new(peeks: fn(Kind) -> bool) -> Self {
        Self::with(peeks, tokens())
    }

    pub(crate) fn with(peeks: fn(Kind) -> bool, tokens: AccessTokens) -> Self {
        let (clock, keys, store) = (ManualClock::at(NOW), ring(1, &[2]), Watched::new(peeks));
        let source = Arc::new(SeededSource::new(seed()));
        let issuer = issuing(&store, &keys, &clock, &source, &tokens).build().unwrap();
        let gate = gating(&store, &keys, &clock, &tokens).build().unwrap();
        Self { clock, keys, store, source, tokens, issuer, gate }
    }

    /// Its lookup knows every record at once.
    pub(crate) fn peeking() -> Self {
        Self::new(|_| true)
    }

    /// Its lookup has to be asked for every record.
    fn asking() -> Self {
        Self::new(|_| false)
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::peeking(), Self::asking()]
    }

    fn issuer_builder(&self) -> IssuerBuilder {
        issuing(&self.store, &self.keys, &self.clock, &self.source, &self.tokens)
    }

    pub(crate) fn gate_builder(&self) -> AuthenticatorBuilder {
        gating(&self.store, &self.keys, &self.clock, &self.tokens)
    }

    /// An account with these scopes, without end.
    pub(crate) fn account(&self, scopes: &[&str]) -> Issued {
        let new = NewServiceAccount::new("acme", Expiry::Never).scopes(parsed(scopes));
        block_on(self.issuer.service_accounts().issue(new)).unwrap()
    }

    /// An account with everything in one environment, and its caller.
    pub(crate) fn minter(&self) -> (Issued, Caller) {
        let account = self.account(&["*@web/prod:/**"]);
        let caller = self.caller(account.text.expose());
        (account, caller)
    }

    /// The accounts that the world manages.
    pub(crate) fn accounts(&self) -> Owned<'_, ServiceAccountGrant> {
        self.issuer.service_accounts().owned_by(Owner::organization("acme").unwrap())
    }

    fn ask(&self, text: &str) -> Result<Caller, Refusal> {
        block_on(self.gate.authenticate([line(text)]))
    }

    #[track_caller]
    pub(crate) fn caller(&self, text: &str) -> Caller {
        self.ask(text).unwrap_or_else(|refusal| panic!("{}", refusal.reason()))
    }

    /// Whether this text authenticates: `ok`, or the reason why not.
    pub(crate) fn says(&self, text: &str) -> &'static str {
        code(&self.ask(text))
    }

    pub(crate) fn mint(&self, caller: &Caller, scopes: &[&str]) -> Result<MintedToken, IssueError> {
        block_on(self.issuer.mint(caller, Mint::scopes(parsed(scopes))))
    }

    pub(crate) fn mint_service_token(
        &self,
        caller: &Caller,
        new: NewServiceToken,
    ) -> Result<Issued, IssueError> {
        block_on(self.issuer.service_tokens().mint(caller, new))
    }

    /// What the store has now, past the log.
    fn record(&self, of: &Record) -> Arc<Record> {
        let key = of.key();
        block_on(self.store.store.read(key.kind, &key.id)).unwrap().unwrap().record
    }

    /// Replaces what the store has of a record by what becomes of it, past the log.
    #[track_caller]
    pub(crate) fn change(&self, of: &Record, change: impl FnOnce(RecordBuilder) -> RecordBuilder) {
        let record = self.record(of);
        let next = change(record.to_builder()).version(record.version() + 1).build().unwrap();
        let updated = block_on(self.store.store.update(record.version(), &Arc::new(next)));
        assert_eq!(updated.unwrap(), Updated::Yes);
    }

    pub(crate) fn at(&self, seconds: i64) -> &Self {
        self.clock.set(crate::decision::now_and(seconds));
        self
    }
}

fn issuing(
    store: &Arc<Watched>,
    keys: &DigestKeys,
    clock: &ManualClock,
    source: &Arc<SeededSource>,
    tokens: &AccessTokens,
) -> IssuerBuilder {
    Issuer::builder(Arc::clone(store), keys.clone())
        .clock(clock.clone())
        .random(Arc::clone(source))
        .access_tokens(tokens.clone())
}

fn gating(
    store: &Arc<Watched>,
    keys: &DigestKeys,
    clock: &ManualClock,
    tokens: &AccessTokens,
) -> AuthenticatorBuilder {
    Authenticator::builder(Arc::clone(store), keys.clone()).clock(clock.clone()).access_tokens(tokens.clone())
}

pub(crate) fn parsed(scopes: &[&str]) -> Vec<Scope> {
    scopes.iter().map(|scope| scope.parse().unwrap()).collect()
}

pub(crate) fn code(found: &Result<Caller, Refusal>) -> &'static str {
    found.as_ref().map_or_else(|refusal| refusal.reason().code(), |_| "ok")
}

/// Which error it is; of an argument, its name.
pub(crate) fn error<T>(result: Result<T, IssueError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(IssueError::Mint(error)) => mint_error(&error),
        Err(IssueError::Invalid(invalid)) => invalid.argument().to_owned(),
        Err(other) => other.to_string(),
    }
}

fn mint_error(error: &MintError) -> String {
    match error {
        MintError::NotByAccessKey => "not by access key".to_owned(),
        MintError::NotActive { state } => format!("not active: {state}"),
        MintError::SecretReplaced => "secret replaced".to_owned(),
        MintError::RecordMismatch => "record mismatch".to_owned(),
        MintError::TooWide(too_wide) => format!("{} lacks {}", too_wide.rule(), too_wide.lacking()),
        MintError::TooLong { maximum } => format!("too long for {}", maximum.as_seconds()),
        MintError::OutlivesAccount { ends_at } => format!("outlives {ends_at}"),
        MintError::Invalid(invalid) => invalid.argument().to_owned(),
        MintError::Random(_) => "random".to_owned(),
        other => panic!("an error that no test knows: {other}"),
    }
}

/// The token as its header presents it.
#[track_caller]
fn presented(text: &str) -> PresentedAccessToken<String> {
    match HeaderPolicy::new().present([line(text)]) {
        Ok(Presented::AccessToken(token)) => token,
        other => panic!("no access token: {other:?}"),
    }
}

/// What comes of a token before its account is looked at.
#[track_caller]
fn checked(text: &str, tokens: &AccessTokens, now: Timestamp) -> Result<NeedsParent, Refusal> {
    verify_access_token(&presented(text), tokens, Moment::at(now))
}

/// What is wrong with the token itself.
#[track_caller]
fn fault(text: &str) -> Option<TokenFault> {
    match checked(text, &tokens(), NOW).err()?.reason() {
        Reason::AccessToken(fault) => Some(fault),
        other => panic!("{other}"),
    }
}

/// What is signed before the claims under a key of this id.
pub(crate) fn header(id: &str) -> String {
    format!(r#"{{"alg":"HS256","kid":"{id}","typ":"at+jwt"}}"#)
}

/// Any header and any claims, signed with this key: by this file's own HMAC, and not by the library.
pub(crate) fn signed_as(header: &str, key: &[u8], payload: impl AsRef<[u8]>) -> String {
    sealed(format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)), key)
}

/// A text with its signature behind it.
fn sealed(text: String, key: &[u8]) -> String {
    let signature = URL_SAFE_NO_PAD.encode(hmac(key, text.as_bytes()));
    format!("{text}.{signature}")
}

pub(crate) fn signed(payload: impl AsRef<[u8]>) -> String {
    signed_as(&header(KEY_ID), &KEY, payload)
}

/// The three parts.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The claims of a token as JSON.
fn payload_of(token: &str) -> serde_json::Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts(token)[1]).unwrap()).unwrap()
}

const ACCOUNT: &str = "tr6AWfxqtcJI";

/// The members of claims in order, each value as JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Members(Vec<(String, String)>);

impl Members {
    /// Claims that hold at `NOW`, of an account of this id.
    pub(crate) fn of(account: &str) -> Self {
        let now = NOW.as_unix();
        let text = |text: &str| format!("\"{text}\"");
        Self(
            [
                ("iss", text(ISSUER)),
                ("aud", text(AUDIENCE)),
                ("sub", text(account)),
                ("client_id", text(account)),
                ("org", text("acme")),
                ("jti", text("AAECAwQFBgcICQoLDA0ODw")),
                ("iat", now.to_string()),
                ("nbf", now.to_string()),
                ("exp", (now + 900).to_string()),
                ("scope", text("read@web/prod:/app/**")),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        )
    }

    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_string(),
            None => self.0.push((name.to_owned(), value.to_string())),
        }
        self
    }

    pub(crate) fn set_text(self, name: &str, text: &str) -> Self {
        self.set(name, format!("\"{text}\""))
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn times(self, iat: i64, nbf: i64, exp: i64) -> Self {
        self.set("iat", iat).set("nbf", nbf).set("exp", exp)
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    pub(crate) fn signed(&self) -> String {
        signed(self.json())
    }
}

pub(crate) fn leeway(seconds: i64) -> Leeway {
    Leeway::seconds(seconds).unwrap()
}
