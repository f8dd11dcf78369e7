//! What a host does, each as one call.

use keygate::{
    Action, CredentialId, IssueError, Issued, Kind, Lifetime, Managed, Mint, NewApiKey, Overlap, Owned,
    Refusal, Resource, StoreError,
};

use super::host::{Host, Service, Text, account, code, owner, scope, token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Authenticate(Text),
    Issue(Kind),
    Read(Kind),
    List(Kind),
    CountLive(Kind),
    Rotate(Kind),
    /// Of the account.
    RotateLeaked,
    Disable(Kind),
    Enable(Kind),
    /// Narrows; an API key has none.
    SetScopes(Kind),
    Revoke(Kind),
    /// By the account itself.
    RevokeOwn,
    RevokeOwned(Kind),
    MintAccessToken,
    MintServiceToken,
    Expiring,
    Unused,
    CountSlots,
    Purge,
    FlushUses,
}

/// What a call hands out.
#[derive(Debug)]
pub(crate) enum Answer {
    Nothing,
    /// A credential's text.
    Text(String),
    /// What there is, to be compared with what the truth says.
    Found(String),
}

#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    Issuer(IssueError),
    Store(StoreError),
}

impl Operation {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        type OfKind = fn(Kind) -> Operation;
        let of_kind: [OfKind; 9] = [
            Self::Issue,
            Self::Read,
            Self::List,
            Self::CountLive,
            Self::Rotate,
            Self::Disable,
            Self::Enable,
            Self::Revoke,
            Self::RevokeOwned,
        ];
        let others = [
            Self::SetScopes(Kind::ServiceAccount),
            Self::SetScopes(Kind::ServiceToken),
            Self::RotateLeaked,
            Self::RevokeOwn,
            Self::MintAccessToken,
            Self::MintServiceToken,
            Self::Expiring,
            Self::Unused,
            Self::CountSlots,
            Self::Purge,
            Self::FlushUses,
        ];
        let of_kinds = Kind::ALL.into_iter().flat_map(move |kind| of_kind.map(|operation| operation(kind)));
        Text::ALL.map(Self::Authenticate).into_iter().chain(of_kinds).chain(others)
    }

    pub(crate) const fn verifies(self) -> bool {
        matches!(self, Self::Authenticate(_))
    }

    /// Whether it reads a record and writes it back.
    pub(crate) const fn edits(self) -> bool {
        matches!(
            self,
            Self::Rotate(_)
                | Self::RotateLeaked
                | Self::Disable(_)
                | Self::Enable(_)
                | Self::SetScopes(_)
                | Self::Revoke(_)
                | Self::RevokeOwn
        )
    }

    /// Lets there be something to do. Whatever manages finds caches warm; whatever verifies finds them as they are.
    pub(crate) fn prepare(self, host: &Host<'_>) {
        if let Self::Enable(kind) = self {
            host.stack.finish(async {
                Self::Disable(kind).run(host, &host.service).await.unwrap();
                // So that it was disabled in the version before this one, too.
                let (id, issuer) = (&host.key(kind).id, &host.service.issuer);
                match kind {
                    Kind::ApiKey => issuer.api_keys().owned_by(owner(kind)).rename(id, "second").await,
                    Kind::ServiceAccount => {
                        issuer.service_accounts().owned_by(owner(kind)).rename(id, "second").await
                    }
                    Kind::ServiceToken => {
                        issuer.service_tokens().owned_by(owner(kind)).rename(id, "second").await
                    }
                }
                .unwrap();
            });
        }
        if !self.verifies() {
            host.is_right("before it");
        }
        host.faulty.calls();
    }

    pub(crate) async fn run(self, host: &Host<'_>, service: &Service) -> Result<Answer, Failure> {
        let issuer = &service.issuer;
        let day = Lifetime::days(1);
        match self {
            Self::Authenticate(text) => {
                let caller = service.ask(host.text(text)).await.map_err(Failure::Refused)?;
                return Ok(found(&(caller.credential(), caller.owner(), caller.parent())));
            }
            Self::Issue(Kind::ApiKey) => issuer.api_keys().issue(NewApiKey::new("u-17", day)).await.map(text),
            Self::Issue(Kind::ServiceAccount) => {
                issuer.service_accounts().issue(account("acme")).await.map(text)
            }
            Self::Issue(Kind::ServiceToken) => issuer.service_tokens().issue(token()).await.map(text),
            Self::Read(kind)
            | Self::List(kind)
            | Self::CountLive(kind)
            | Self::Rotate(kind)
            | Self::Disable(kind)
            | Self::Enable(kind)
            | Self::Revoke(kind) => {
                let (id, owner) = (host.key(kind).id, owner(kind));
                match kind {
                    Kind::ApiKey => self.manage(&issuer.api_keys().owned_by(owner), &id).await,
                    Kind::ServiceAccount => {
                        self.manage(&issuer.service_accounts().owned_by(owner), &id).await
                    }
                    Kind::ServiceToken => self.manage(&issuer.service_tokens().owned_by(owner), &id).await,
                }
            }
            Self::SetScopes(kind) => {
                let (id, owner, narrow) = (host.key(kind).id, owner(kind), [scope("read@web/prod:/app/db")]);
                if kind == Kind::ServiceAccount {
                    issuer.service_accounts().owned_by(owner).set_scopes(&id, narrow).await.map(nothing)
                } else {
                    issuer.service_tokens().owned_by(owner).set_scopes(&id, narrow).await.map(nothing)
                }
            }
            Self::RotateLeaked => {
                let kind = Kind::ServiceAccount;
                let accounts = issuer.service_accounts().owned_by(owner(kind));
                accounts.rotate_leaked(&host.key(kind).id, "in a ticket").await.map(text)
            }
            Self::RevokeOwn => issuer.revoke_own(&host.minter, "leaked").await.map(nothing),
            Self::RevokeOwned(kind) => {
                issuer.revoke_owned(&owner(kind), "left").await.map(|_| Answer::Nothing)
            }
            Self::MintAccessToken => {
                let mint = Mint::scopes([scope("read@web/prod:/app/db")]);
                let minted = issuer.mint(&host.minter, mint).await;
                minted.map(|minted| Answer::Text(minted.text.expose().to_owned()))
            }
            Self::MintServiceToken => issuer.service_tokens().mint(&host.minter, token()).await.map(text),
            Self::Expiring => issuer.expiring(Lifetime::days(20), None, 100).await.map(|all| found(&all)),
            Self::Unused => issuer.unused(now(host), None, 100).await.map(|all| found(&all)),
            Self::CountSlots => issuer.count_slots().await.map(|slots| found(&slots)),
            Self::Purge => issuer.purge(now(host), 100).await.map(|_| Answer::Nothing),
            Self::FlushUses => {
                return service.recorder.flush().await.map(|_| Answer::Nothing).map_err(Failure::Store);
            }
        }
        .map_err(Failure::Issuer)
    }

    async fn manage<G: Managed>(self, owned: &Owned<'_, G>, id: &CredentialId) -> Result<Answer, IssueError> {
        match self {
            Self::Read(_) => owned.read(id).await.map(|entry| found(&entry.record)),
            Self::List(_) => owned.list(None, 100).await.map(|all| found(&all)),
            Self::CountLive(_) => owned.count_live().await.map(|count| found(&count)),
            Self::Rotate(_) => owned.rotate(id, Overlap::hours(1)).await.map(text),
            Self::Disable(_) => owned.disable(id).await.map(nothing),
            Self::Enable(_) => owned.enable(id).await.map(nothing),
            Self::Revoke(_) => owned.revoke(id, "leaked").await.map(nothing),
            _ => panic!("{self:?} is not of one owner"),
        }
    }

    /// What was reported as done is done: in the truth, and for whoever calls.
    #[track_caller]
    pub(crate) fn holds(self, host: &Host<'_>, answer: &Answer, case: &str) {
        match answer {
            Answer::Text(text) => says(host, text, "ok", case),
            Answer::Found(found) => {
                let truth = host.stack.finish(self.run(host, &host.truth));
                assert!(matches!(&truth, Ok(Answer::Found(right)) if right == found), "{truth:?} {case}");
            }
            Answer::Nothing => {}
        }
        let of = |kind| host.text(text_of(kind));
        match self {
            Self::Disable(kind) => says(host, of(kind), "disabled", case),
            Self::Enable(kind) => says(host, of(kind), "ok", case),
            Self::Revoke(kind) | Self::RevokeOwned(kind) => says(host, of(kind), "revoked", case),
            Self::RotateLeaked => {
                // After a second rotation the record has forgotten it.
                let right = host.right(of(Kind::ServiceAccount));
                assert!(matches!(right, "retired_secret" | "wrong_secret"), "{right}: {case}");
                says(host, of(Kind::ServiceAccount), right, case);
            }
            Self::RevokeOwn => says(host, of(Kind::ServiceAccount), "revoked", case),
            Self::Purge => says(host, host.text(Text::Revoked), "unknown_credential", case),
            Self::FlushUses => {
                let key = host.key(Kind::ApiKey);
                let entry = host.stack.finish(host.faulty.truth().read(key.kind, &key.id)).unwrap().unwrap();
                assert_eq!(entry.uses.latest(), Some(now(host)), "{case}");
            }
            Self::SetScopes(kind) => {
                let reach = Resource::secrets("acme", "web", "prod", "/elsewhere").unwrap();
                let texts = if kind == Kind::ServiceAccount {
                    // What it minted is cut as well.
                    vec![Text::Account, Text::Child, Text::AccessToken]
                } else {
                    vec![Text::Token]
                };
                for text in texts {
                    let caller = host.stack.finish(host.service.ask(host.text(text))).unwrap();
                    assert!(caller.decide(Action::Read, &reach).granted().is_err(), "{text:?}: {case}");
                }
            }
            _ => {}
        }
        let minted = match self {
            Self::Revoke(Kind::ServiceAccount) | Self::RevokeOwn => Some("parent_revoked"),
            Self::Disable(Kind::ServiceAccount) => Some("parent_disabled"),
            Self::RotateLeaked => Some("parent_generation"),
            _ => None,
        };
        for text in [Text::Child, Text::AccessToken] {
            minted.into_iter().for_each(|code| says(host, host.text(text), code, case));
        }
    }
}

/// Both the truth and the stack say so.
#[track_caller]
fn says(host: &Host<'_>, text: &str, expected: &str, case: &str) {
    assert_eq!(host.right(text), expected, "{case}");
    assert_eq!(code(&host.stack.finish(host.service.ask(text))), expected, "{case}");
}

const fn text_of(kind: Kind) -> Text {
    match kind {
        Kind::ApiKey => Text::Key,
        Kind::ServiceAccount => Text::Account,
        Kind::ServiceToken => Text::Token,
    }
}

fn now(host: &Host<'_>) -> keygate::Timestamp {
    keygate::Clock::now(&host.clock)
}

fn text(issued: Issued) -> Answer {
    Answer::Text(issued.text.expose().to_owned())
}

const fn nothing((): ()) -> Answer {
    Answer::Nothing
}

fn found(what: &impl std::fmt::Debug) -> Answer {
    Answer::Found(format!("{what:?}"))
}
