//! A small service over a stack, and the same service over the truth beneath it.

use std::sync::Arc;

use keygate::{
    AccessTokens, Authenticator, Caller, CredentialKey, DigestKeys, Issued, Issuer, Kind, Lifetime,
    ManualClock, Mint, NewApiKey, NewServiceAccount, NewServiceToken, Owner, Record, Refusal, Scope,
    SigningKeys, Store, SystemRandom, Timestamp, UseRecorder,
};

use super::faulty::Faulty;
use super::{Ended, Stack};

const START: Timestamp = Timestamp::from_unix(1_768_373_298);

/// The texts that somebody presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Key,
    Account,
    Token,
    /// A service token that the account minted.
    Child,
    /// An access token that the account minted.
    AccessToken,
    /// An API key of another user, whom nothing here is about.
    Bystander,
    /// An API key that was revoked before.
    Revoked,
    /// The API key's id, with another secret.
    Wrong,
    /// An API key that has no record.
    Unknown,
}

impl Text {
    pub(crate) const ALL: [Self; 9] = [
        Self::Key,
        Self::Account,
        Self::Token,
        Self::Child,
        Self::AccessToken,
        Self::Bystander,
        Self::Revoked,
        Self::Wrong,
        Self::Unknown,
    ];

    /// Those that are never to authenticate anybody.
    pub(crate) const fn is_bad(self) -> bool {
        matches!(self, Self::Revoked | Self::Wrong | Self::Unknown)
    }
}

/// Who manages and authenticates over one store.
pub(crate) struct Service {
    pub(crate) issuer: Issuer,
    pub(crate) gate: Authenticator,
    pub(crate) recorder: UseRecorder,
}

impl Service {
    fn over(store: &Arc<dyn Store>, keys: &DigestKeys, tokens: &AccessTokens, clock: &ManualClock) -> Self {
        let store = || Arc::clone(store);
        let issuer =
            Issuer::builder(store(), keys.clone()).clock(clock.clone()).access_tokens(tokens.clone());
        let issuer = Kind::ALL.into_iter().fold(issuer, |issuer, kind| issuer.cap(kind, 1_000));
        let recorder = UseRecorder::builder(store()).clock(clock.clone()).build().unwrap();
        let gate = Authenticator::builder(store(), keys.clone())
            .clock(clock.clone())
            .access_tokens(tokens.clone())
            .use_recorder(recorder.clone());
        Self { issuer: issuer.build().unwrap(), gate: gate.build().unwrap(), recorder }
    }

    pub(crate) async fn ask(&self, text: &str) -> Result<Caller, Refusal> {
        let line = if text.starts_with("ak") {
            ("x-api-key", text.to_owned())
        } else {
            ("authorization", format!("Bearer {text}"))
        };
        self.gate.authenticate([line]).await
    }
}

pub(crate) struct Host<'s> {
    pub(crate) stack: &'s Stack,
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) clock: ManualClock,
    pub(crate) service: Service,
    /// The same over the store itself: what it says is right.
    pub(crate) truth: Service,
    /// As the account's key proved it.
    pub(crate) minter: Caller,
    texts: [String; 9],
    keys: [CredentialKey; 3],
}

impl<'s> Host<'s> {
    /// With everything that is presented issued, through the stack, and changed once.
    pub(crate) fn new(stack: &'s Stack) -> Self {
        let (faulty, store) = stack.build();
        let (keys, clock) = (DigestKeys::ephemeral().unwrap(), ManualClock::at(START));
        let signing = SigningKeys::ephemeral().unwrap();
        let tokens = AccessTokens::new(signing, "https://auth.example", "https://secrets.example").unwrap();
        let service = Service::over(&store, &keys, &tokens, &clock);
        let truth = Service::over(faulty.truth(), &keys, &tokens, &clock);
        let (minter, texts, credentials) = stack.finish(async {
            let issuer = &service.issuer;
            let users = issuer.api_keys();
            let user = |user| users.issue(NewApiKey::new(user, Lifetime::days(10)));
            let (key, bystander, revoked) =
                (user("u-17").await.unwrap(), user("u-18").await.unwrap(), user("u-17").await.unwrap());
            let account = issuer.service_accounts().issue(account("acme")).await.unwrap();
            // Another one of the kind, for whoever is given the wrong record.
            issuer.service_accounts().issue(self::account("globex")).await.unwrap();
            let token = issuer.service_tokens().issue(token()).await.unwrap();
            let minter = truth.ask(account.text.expose()).await.unwrap();
            let child = issuer.service_tokens().mint(&minter, self::token()).await.unwrap();
            let minted = issuer.mint(&minter, Mint::scopes([scope("read@web/prod:/app/**")])).await.unwrap();

            let owned = issuer.api_keys().owned_by(owner(Kind::ApiKey));
            owned.revoke(&revoked.record.key().id, "left").await.unwrap();
            owned.rename(&key.record.key().id, "first").await.unwrap();
            let owned = issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
            owned.rename(&account.record.key().id, "first").await.unwrap();
            let owned = issuer.service_tokens().owned_by(owner(Kind::ServiceToken));
            for of in [&token, &child] {
                owned.rename(&of.record.key().id, "first").await.unwrap();
            }

            let wrong = keys.redraw(key.record.key(), &SystemRandom).unwrap().text;
            let unknown = keys.draw(Kind::ApiKey, &SystemRandom).unwrap().text;
            let text = |issued: &Issued| issued.text.expose().to_owned();
            let texts = [
                text(&key),
                text(&account),
                text(&token),
                text(&child),
                minted.text.expose().to_owned(),
                text(&bystander),
                text(&revoked),
                wrong.expose().to_owned(),
                unknown.expose().to_owned(),
            ];
            (minter, texts, [&key, &account, &token].map(|issued| issued.record.key()))
        });
        // What was revoked may be purged from the next second on.
        clock.advance(Lifetime::seconds(1));
        faulty.calls();
        Self { stack, faulty, clock, service, truth, minter, texts, keys: credentials }
    }

    pub(crate) fn text(&self, text: Text) -> &str {
        let at = Text::ALL.iter().position(|other| *other == text).unwrap();
        &self.texts[at]
    }

    /// The credential of a kind that is managed here.
    pub(crate) fn key(&self, kind: Kind) -> CredentialKey {
        *self.keys.iter().find(|key| key.kind == kind).unwrap()
    }

    /// What the store has of it.
    pub(crate) fn record(&self, kind: Kind) -> Arc<Record> {
        let key = self.key(kind);
        self.stack.finish(self.faulty.truth().read(key.kind, &key.id)).unwrap().unwrap().record
    }

    /// What comes of a request, through the stack.
    pub(crate) fn ask(&self, text: &str) -> Ended<Result<Caller, Refusal>> {
        self.stack.run(self.service.ask(text))
    }

    /// What is to come of it.
    pub(crate) fn right(&self, text: &str) -> &'static str {
        code(&self.stack.finish(self.truth.ask(text)))
    }

    /// Nothing of a fault is left: whatever is presented, the stack says at once what is right, and that is never `ok` for
    /// what is nobody's.
    #[track_caller]
    pub(crate) fn is_right(&self, case: &str) {
        for text in Text::ALL {
            let right = self.right(self.text(text));
            match self.ask(self.text(text)) {
                Ended::With(said) => assert_eq!(code(&said), right, "{text:?}: {case}"),
                ended => panic!("{text:?} {ended:?}: {case}"),
            }
            assert!(!text.is_bad() || right != "ok", "{text:?}: {case}");
            assert!(text != Text::Bystander || right == "ok", "{case}");
        }
    }
}

pub(crate) fn account(organization: &str) -> NewServiceAccount {
    NewServiceAccount::new(organization, Lifetime::days(10)).scope(scope("*@web/prod:/**"))
}

pub(crate) fn token() -> NewServiceToken {
    NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope(scope("*@web/prod:/**"))
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn owner(kind: Kind) -> Owner {
    match kind {
        Kind::ApiKey => Owner::user("u-17"),
        Kind::ServiceAccount => Owner::organization("acme"),
        Kind::ServiceToken => Owner::project("acme", "web"),
    }
    .unwrap()
}

pub(crate) fn code(said: &Result<Caller, Refusal>) -> &'static str {
    said.as_ref().map_or_else(|refusal| refusal.reason().code(), |_| "ok")
}
