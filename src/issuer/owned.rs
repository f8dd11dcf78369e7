//! Managing the credentials of one owner.

use std::fmt;
use std::marker::PhantomData;

use super::retirement::Retirement;
use super::rotation::{abort, retire, revoke, rotate, usable};
use super::{IssueError, Issued, Issuer, Managed, Overlap, page};
use crate::{
    CredentialId, CredentialKey, Digest, Entry, Expiry, Grant, Invalid, Network, Owner, Record,
    RecordBuilder, Rights, Scope, ServiceAccountGrant, ServiceTokenGrant, Timestamp, Validity,
};

/// The credentials of one kind that belong to one owner.
///
/// Somebody else's id is [*not found*](IssueError::NotFound), as one that does not exist. What changes nothing, because it
/// is so already, is no error and no write.
///
/// Only an account, which mints, has a rotation for leaks:
///
/// ```compile_fail
/// async fn leaked(keys: keygate::Owned<'_, keygate::ApiKeyGrant>, id: keygate::CredentialId) {
///     keys.rotate_leaked(&id, "pasted into a ticket").await.unwrap();
/// }
/// ```
#[must_use = "a handle does nothing until it is called"]
pub struct Owned<'i, G> {
    issuer: &'i Issuer,
    owner: Owner,
    grant: PhantomData<fn() -> G>,
}

impl<'i, G> Owned<'i, G> {
    pub(super) const fn new(issuer: &'i Issuer, owner: Owner) -> Self {
        Self { issuer, owner, grant: PhantomData }
    }
}

impl<G: Managed> Owned<'_, G> {
    /// What there is of a credential.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, or the store failed.
    pub async fn read(&self, id: &CredentialId) -> Result<Entry, IssueError> {
        self.issuer.0.read(self.key(id)?, &self.owner).await
    }

    /// The next credentials, revoked and expired ones too, in the order of their ids: those behind `after`, at most `limit`
    /// (1–1,000). Fewer than `limit` are the last.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the limit is out of range, or the store failed.
    pub async fn list(&self, after: Option<&CredentialId>, limit: usize) -> Result<Vec<Entry>, IssueError> {
        self.check_owner()?;
        let entries = self.issuer.0.store.list(&self.owner, after, page(limit)?).await?;
        // What a store returns is checked: here that it is nobody else's.
        if entries.iter().any(|entry| *entry.record.owner() != self.owner) {
            return Err(IssueError::RecordMismatch);
        }
        Ok(entries)
    }

    /// How many of them are neither revoked nor expired.
    ///
    /// # Errors
    ///
    /// [`IssueError`] where the store failed.
    pub async fn count_live(&self) -> Result<u64, IssueError> {
        self.check_owner()?;
        Ok(self.issuer.0.store.count_live(&self.owner, self.issuer.0.clock.now()).await?)
    }

    /// Gives it another name: 1–100 characters, no control characters.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, a name that is not acceptable, or the store failed.
    pub async fn rename(&self, id: &CredentialId, name: &str) -> Result<(), IssueError> {
        self.enlarge(id, |record, _| Ok(record.to_builder().name(name))).await
    }

    /// Replaces the host's own notes: at most 16, keys of 1–64 and values of at most 256 bytes, no control characters.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, notes that are not acceptable, or the store failed.
    pub async fn set_metadata<'m>(
        &self,
        id: &CredentialId,
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Result<(), IssueError> {
        // No more than is refused, should they never end.
        let metadata: Vec<_> = metadata.into_iter().take(17).collect();
        self.enlarge(id, |record, _| Ok(record.to_builder().metadata(metadata.iter().copied()))).await
    }

    /// From where it may be used: 1 to 64 networks, or `None`: from everywhere. An empty list is an error.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, a list that is not acceptable, or the store failed.
    pub async fn set_networks(
        &self,
        id: &CredentialId,
        networks: Option<&[Network]>,
    ) -> Result<(), IssueError> {
        self.enlarge(id, |record, now| {
            usable(record, now)?;
            let builder = record.to_builder();
            Ok(match networks {
                Some(networks) => builder.networks(networks.iter().copied()),
                None => builder.everywhere(),
            })
        })
        .await
    }

    /// Lets it end after this lifetime, counted from now or from its beginning, whichever is later; a key or an account also
    /// never. Earlier than so far is always allowed, later only within the policy, and never once it is expired.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, *too long* (also where there is a maximum and it is never to end), a
    /// lifetime of zero, or the store failed.
    pub async fn set_expiry(&self, id: &CredentialId, expiry: impl Into<Expiry>) -> Result<(), IssueError> {
        let expiry = expiry.into();
        self.edit(id, |record, now| {
            usable(record, now)?;
            let (not_before, so_far) = (record.validity().not_before(), record.validity().expires_at());
            let from = not_before.unwrap_or(now).max(now);
            let end = expiry.ends_at(from)?;
            let is_later = so_far.is_some_and(|so_far| end.is_none_or(|end| end > so_far));
            if is_later {
                self.issuer.0.check_lifetime(G::KIND, expiry)?;
            }
            Ok(record.to_builder().validity(Validity::new(not_before, end)?))
        })
        .await
    }

    /// Draws a new secret; the one so far is accepted for the overlap beside it, and not after the credential's own end.
    ///
    /// Id, owner, grant and validity stay. Where a rotation is under way already, its retiring secret ends now, and the
    /// current one retires.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, or the random source or the store failed; then the secrets are
    /// what they were. Only after a store that did not answer may they have changed: before you rotate again, see
    /// [`Issuer`].
    pub async fn rotate(&self, id: &CredentialId, overlap: Overlap) -> Result<Issued, IssueError> {
        self.redraw(id, |record, digest, now| rotate(record, digest, overlap, None, now)).await
    }

    /// Ends a rotation that went wrong: the retiring secret is current again, the new one ends now.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, *not rotating* where no overlap lasts, or the store failed.
    pub async fn abort_rotation(&self, id: &CredentialId) -> Result<(), IssueError> {
        self.edit(id, abort).await
    }

    /// Ends the retiring secret now, before its overlap is over.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, or the store failed.
    pub async fn retire(&self, id: &CredentialId) -> Result<(), IssueError> {
        self.edit(id, |record, now| Ok(retire(record, now))).await
    }

    /// Whether it is safe to retire the old secret: when both were last used; `None` where no overlap lasts.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, or the store failed.
    pub async fn retirement(&self, id: &CredentialId) -> Result<Option<Retirement>, IssueError> {
        let (Entry { record, uses }, asked_at) = (self.read(id).await?, self.issuer.0.clock.now());
        Ok(record.overlapping(asked_at).map(|retiring| Retirement {
            asked_at,
            ends_at: record.validity().expires_at().map_or(retiring.ends_at, |end| end.min(retiring.ends_at)),
            retiring_used_at: uses.of(retiring.secret.number),
            current_used_at: uses.of(record.current().number),
        }))
    }

    /// Lets it hold no longer, until it is enabled again.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, or the store failed.
    pub async fn disable(&self, id: &CredentialId) -> Result<(), IssueError> {
        self.set_disabled(id, true).await
    }

    /// Lets it hold again.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, or the store failed.
    pub async fn enable(&self, id: &CredentialId) -> Result<(), IssueError> {
        self.set_disabled(id, false).await
    }

    /// Revokes it, for ever, and with it what it minted. It stays listed, with the reason: 1–200 characters, no control
    /// characters. Once it is revoked, another call changes nothing, and the first reason stays.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, a reason that is not acceptable, or the store failed: then it may be revoked, and the
    /// call may be repeated.
    pub async fn revoke(&self, id: &CredentialId, reason: &str) -> Result<(), IssueError> {
        self.edit(id, |record, now| Ok(revoke(record, reason, now)?)).await
    }

    async fn set_disabled(&self, id: &CredentialId, disabled: bool) -> Result<(), IssueError> {
        self.edit(id, |record, now| {
            usable(record, now)?;
            Ok(record.to_builder().disabled(disabled))
        })
        .await
    }

    async fn redraw(
        &self,
        id: &CredentialId,
        change: impl Fn(&Record, Digest, Timestamp) -> Result<RecordBuilder, IssueError>,
    ) -> Result<Issued, IssueError> {
        let (key, inner) = (self.key(id)?, &self.issuer.0);
        let redraw = |record: &Record, now| {
            usable(record, now)?;
            let (text, digest) = inner.parts(inner.keys.redraw(key, &*inner.random)?);
            Ok((change(record, digest, now)?, text))
        };
        let (record, text) = inner.change(key, &self.owner, redraw).await?;
        Ok(Issued { text, record })
    }

    /// An edit that may make the record larger: there stays room to rotate and revoke it.
    async fn enlarge(
        &self,
        id: &CredentialId,
        mut change: impl FnMut(&Record, Timestamp) -> Result<RecordBuilder, IssueError>,
    ) -> Result<(), IssueError> {
        self.edit(id, |before, now| {
            let record = change(before, now)?.build()?;
            record.check_room(Some(before))?;
            Ok(record.into())
        })
        .await
    }

    async fn edit(
        &self,
        id: &CredentialId,
        mut change: impl FnMut(&Record, Timestamp) -> Result<RecordBuilder, IssueError>,
    ) -> Result<(), IssueError> {
        let change = |record: &Record, now| Ok((change(record, now)?, ()));
        self.issuer.0.change(self.key(id)?, &self.owner, change).await.map(drop)
    }

    fn key(&self, id: &CredentialId) -> Result<CredentialKey, Invalid> {
        self.check_owner().map(|()| CredentialKey::new(G::KIND, *id))
    }

    fn check_owner(&self) -> Result<(), Invalid> {
        if self.owner.kind() == G::KIND { Ok(()) } else { Err(Invalid::new("owner", G::OWNER)) }
    }
}

impl Owned<'_, ServiceAccountGrant> {
    /// Draws a new secret because the one so far leaked: it ends now, without overlap, and what it minted dies with it (the
    /// account's mint generation is another one). The reason (1–200 characters, no control characters) stays in the record
    /// until the next rotation.
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate); also where the reason is not acceptable.
    pub async fn rotate_leaked(&self, id: &CredentialId, reason: &str) -> Result<Issued, IssueError> {
        self.redraw(id, |record, digest, now| {
            let builder = rotate(record, digest, Overlap::NONE, Some(reason), now)?;
            let Grant::ServiceAccount(account) = record.grant() else {
                return Err(IssueError::RecordMismatch);
            };
            let generation = account.mint_generation().checked_add(1);
            let generation = generation.ok_or(Invalid::new("mint generation", "fewer than 2^64 leaks"))?;
            Ok(builder.grant(account.clone().with_mint_generation(generation)))
        })
        .await
    }

    /// Replaces its scopes, of any level; at most 256. What it minted is cut to them at its next use.
    ///
    /// # Errors
    ///
    /// As [`change_grant`](Self::change_grant).
    pub async fn set_scopes(
        &self,
        id: &CredentialId,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<(), IssueError> {
        let scopes = bounded(scopes);
        self.change_grant(id, |grant| {
            let organization = grant.rights().organization().as_str().to_owned();
            Ok(grant.with_rights(Rights::new(&organization, scopes.iter().cloned())?))
        })
        .await
    }

    /// Changes its grant: scopes, public key, sealed keys. The closure gets the grant as it is, and may be called again
    /// where another change came between. Organization and mint generation stay.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, what the closure finds invalid, or the store failed.
    ///
    /// ```
    /// # use keygate::{DigestKeys, Expiry, Issuer, MemoryStore, NewServiceAccount, Owner};
    /// # pollster::block_on(async {
    /// # let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral()?);
    /// # let id = issuer.service_accounts().issue(NewServiceAccount::new("acme", Expiry::Never)).await?.record.key().id;
    /// let accounts = issuer.service_accounts().owned_by(Owner::organization("acme")?);
    /// accounts.change_grant(&id, |grant| grant.with_public_key([7; 32]).with_sealed_key("web", [1, 2, 3])).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn change_grant(
        &self,
        id: &CredentialId,
        mut change: impl FnMut(ServiceAccountGrant) -> Result<ServiceAccountGrant, Invalid>,
    ) -> Result<(), IssueError> {
        self.enlarge(id, |record, now| {
            usable(record, now)?;
            let Grant::ServiceAccount(grant) = record.grant() else { return Err(IssueError::RecordMismatch) };
            let changed = change(grant.clone())?.with_mint_generation(grant.mint_generation());
            Ok(record.to_builder().grant(changed))
        })
        .await
    }
}

impl Owned<'_, ServiceTokenGrant> {
    /// Replaces its scopes, on secrets of its project: 1 to 256.
    ///
    /// # Errors
    ///
    /// As [`change_grant`](Self::change_grant).
    pub async fn set_scopes(
        &self,
        id: &CredentialId,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<(), IssueError> {
        let scopes = bounded(scopes);
        self.change_grant(id, |grant| {
            let organization = grant.rights().organization().as_str().to_owned();
            grant.with_rights(Rights::new(&organization, scopes.iter().cloned())?)
        })
        .await
    }

    /// Changes its grant: scopes, client box. The closure gets the grant as it is, and may be called again where another
    /// change came between. Organization and project stay, and there is at least one scope.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: *not found*, *revoked*, *expired*, what the closure finds invalid, or the store failed.
    pub async fn change_grant(
        &self,
        id: &CredentialId,
        mut change: impl FnMut(ServiceTokenGrant) -> Result<ServiceTokenGrant, Invalid>,
    ) -> Result<(), IssueError> {
        self.enlarge(id, |record, now| {
            usable(record, now)?;
            let Grant::ServiceToken(grant) = record.grant() else { return Err(IssueError::RecordMismatch) };
            let changed = change(grant.clone())?;
            super::new::check_not_empty(changed.rights().scopes())?;
            Ok(record.to_builder().grant(changed))
        })
        .await
    }
}

/// No more scopes than are refused, should they never end.
fn bounded(scopes: impl IntoIterator<Item = Scope>) -> Vec<Scope> {
    scopes.into_iter().take(257).collect()
}

impl<G: Managed> fmt::Debug for Owned<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").field("kind", &G::KIND).field("owner", &self.owner).finish_non_exhaustive()
    }
}
