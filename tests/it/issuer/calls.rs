//! Every management call of one credential, for tests that make all of them.

use keygate::{
    CredentialId, IssueError, Issued, Issuer, Kind, Lifetime, Managed, Network, Overlap, Owned, Owner,
};
use pollster::block_on;

use super::{Host, owner, scope};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Rename,
    SetMetadata,
    SetNetworks,
    SetExpiry,
    Rotate,
    RotateLeaked,
    AbortRotation,
    Retire,
    Retirement,
    Disable,
    Enable,
    SetScopes,
    ChangeGrant,
    Revoke,
}

impl Call {
    pub(super) const ALL: [Self; 15] = [
        Self::Read,
        Self::Rename,
        Self::SetMetadata,
        Self::SetNetworks,
        Self::SetExpiry,
        Self::Rotate,
        Self::RotateLeaked,
        Self::AbortRotation,
        Self::Retire,
        Self::Retirement,
        Self::Disable,
        Self::Enable,
        Self::SetScopes,
        Self::ChangeGrant,
        Self::Revoke,
    ];

    /// Those that credentials of this kind have.
    pub(super) fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |call| match call {
            Self::RotateLeaked => kind == Kind::ServiceAccount,
            Self::SetScopes | Self::ChangeGrant => kind != Kind::ApiKey,
            _ => true,
        })
    }

    /// Every kind with every call it has.
    pub(super) fn each() -> impl Iterator<Item = (Kind, Self)> {
        Kind::ALL.into_iter().flat_map(|kind| Self::of(kind).map(move |call| (kind, call)))
    }

    pub(super) const fn writes(self) -> bool {
        !matches!(self, Self::Read | Self::Retirement)
    }

    pub(super) const fn draws(self) -> bool {
        matches!(self, Self::Rotate | Self::RotateLeaked)
    }

    /// A credential on which the call has an effect.
    pub(super) fn prepare(self, host: &Host, kind: Kind) -> Issued {
        let issued = host.issue(kind);
        let before = match self {
            Self::AbortRotation | Self::Retire | Self::Retirement => Self::Rotate,
            Self::Enable => Self::Disable,
            _ => return issued,
        };
        block_on(before.make(&host.issuer, kind, &owner(kind), &issued.record.key().id)).unwrap();
        issued
    }

    /// Makes the call through the handle of a kind; what it hands out, if anything.
    pub(super) async fn make(
        self,
        issuer: &Issuer,
        kind: Kind,
        owner: &Owner,
        id: &CredentialId,
    ) -> Result<Option<Issued>, IssueError> {
        let owner = owner.clone();
        match kind {
            Kind::ApiKey => self.common(&issuer.api_keys().owned_by(owner), id).await,
            Kind::ServiceAccount => {
                let accounts = issuer.service_accounts().owned_by(owner);
                match self {
                    Self::RotateLeaked => accounts.rotate_leaked(id, "in a ticket").await.map(Some),
                    Self::SetScopes => {
                        accounts.set_scopes(id, [scope("read@web/prod:/app")]).await.map(|()| None)
                    }
                    Self::ChangeGrant => accounts
                        .change_grant(id, |grant| Ok(grant.with_public_key([7; 32])))
                        .await
                        .map(|()| None),
                    _ => self.common(&accounts, id).await,
                }
            }
            Kind::ServiceToken => {
                let tokens = issuer.service_tokens().owned_by(owner);
                match self {
                    Self::SetScopes => {
                        tokens.set_scopes(id, [scope("read@web/prod:/app")]).await.map(|()| None)
                    }
                    Self::ChangeGrant => {
                        tokens.change_grant(id, |grant| grant.with_client_box([7; 32])).await.map(|()| None)
                    }
                    _ => self.common(&tokens, id).await,
                }
            }
        }
    }

    async fn common<G: Managed>(
        self,
        owned: &Owned<'_, G>,
        id: &CredentialId,
    ) -> Result<Option<Issued>, IssueError> {
        match self {
            Self::Read => owned.read(id).await.map(drop),
            Self::Rename => owned.rename(id, "laptop").await,
            Self::SetMetadata => owned.set_metadata(id, [("team", "blue")]).await,
            Self::SetNetworks => {
                let networks = [Network::parse("10.0.0.0/8")?];
                owned.set_networks(id, Some(&networks)).await
            }
            Self::SetExpiry => owned.set_expiry(id, Lifetime::hours(1)).await,
            Self::Rotate => return owned.rotate(id, Overlap::hours(1)).await.map(Some),
            Self::AbortRotation => owned.abort_rotation(id).await,
            Self::Retire => owned.retire(id).await,
            Self::Retirement => owned.retirement(id).await.map(drop),
            Self::Disable => owned.disable(id).await,
            Self::Enable => owned.enable(id).await,
            Self::Revoke => owned.revoke(id, "left").await,
            Self::RotateLeaked | Self::SetScopes | Self::ChangeGrant => panic!("{self:?} is not common"),
        }
        .map(|()| None)
    }
}
