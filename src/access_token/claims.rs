//! The claims of an access token: what is kept of one once it was verified.

use std::fmt;
use std::iter;
use std::sync::Arc;

use crate::scope::{View, permit};
use crate::shared_text::joined;
use crate::{
    Action, CredentialId, Invalid, Leeway, NotPermitted, OrganizationId, Owner, Parent, Resource, Timestamp,
    Validity,
};

/// What an access token says, verified: which account minted it, with which scopes, until when.
///
/// It is what a [`Caller`](crate::Caller) by an access token carries. Nothing of it is a secret.
///
/// ```
/// # use keygate::*;
/// # pollster::block_on(async {
/// # let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
/// # let tokens = AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "secrets")?;
/// # let issuer = Issuer::builder(store.clone(), keys.clone()).access_tokens(tokens.clone()).build()?;
/// # let gate = Authenticator::builder(store, keys).access_tokens(tokens).build()?;
/// # let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/app/**".parse()?);
/// # let account = issuer.service_accounts().issue(new).await?;
/// # let caller = gate.authenticate([("authorization", format!("Bearer {}", account.text.expose()))]).await?;
/// let minted = issuer.mint(&caller, Mint::scopes(["read@web/prod:/app/db".parse()?])).await?;
///
/// let headers = [("authorization", format!("Bearer {}", minted.text.expose()))];
/// let caller = gate.authenticate(&headers).await?;
/// let claims = caller.claims().expect("it came by an access token");
/// assert_eq!(claims.account(), account.record.key().id);
/// assert_eq!(claims.scopes().collect::<Vec<_>>(), ["read@web/prod:/app/db"]);
/// assert_eq!(*claims.id(), *minted.id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Claims {
    account: CredentialId,
    organization: OrganizationId,
    /// The same as an owner, because callers lend theirs.
    owner: Owner,
    generation: u64,
    issued_at: Timestamp,
    validity: Validity,
    leeway: Leeway,
    /// The organization, the token's id, and its scopes with spaces between them: one allocation however many they are.
    texts: Arc<[u8]>,
    id_length: u8,
}

impl Claims {
    /// Claims that were checked.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the organization is no id.
    pub(crate) fn new(
        parent: Parent,
        [organization, id, scopes]: [&str; 3],
        (issued_at, validity, leeway): (Timestamp, Validity, Leeway),
    ) -> Result<Self, Invalid> {
        let texts = joined(&[organization, id, scopes]);
        let organization = OrganizationId::first_of(&texts, organization.len())?;
        Ok(Self {
            account: parent.account,
            owner: Owner::Organization(organization.clone()),
            organization,
            generation: parent.mint_generation,
            issued_at,
            validity,
            leeway,
            texts,
            id_length: u8::try_from(id.len()).unwrap_or_default(),
        })
    }

    /// The id of the account that minted the token: `sub`, and `client_id`.
    #[must_use]
    pub const fn account(&self) -> CredentialId {
        self.account
    }

    /// The id of the token: `jti`. One that keygate mints is 128 random bits in 22 base64url characters.
    #[must_use]
    pub fn id(&self) -> &str {
        self.parts().0
    }

    /// The texts of its scopes: `scope`, 1 to 64 of them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> + Clone {
        split_scopes(self.parts().1)
    }

    /// When it was minted: `iat`.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// From when until when it is valid: `nbf` and `exp`.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The account and the mint generation that it was minted under: `gen`.
    #[must_use]
    pub const fn parent(&self) -> Parent {
        Parent { account: self.account, mint_generation: self.generation }
    }

    /// The account's organization, which owns what the account does.
    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The account's organization, at which scopes end: `org`.
    #[must_use]
    pub const fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// The first second at which it does not hold any more, with the leeway of who verified it.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.validity.expires_at().and_then(|end| self.leeway.after(end))
    }

    /// The text of the first scope that permits the action on the resource.
    #[inline]
    pub(crate) fn permit(&self, action: Action, resource: &Resource<'_>) -> Result<&str, NotPermitted<'_>> {
        // All of them were read before: none is left out.
        let scopes = self.scopes().filter_map(|scope| View::parse(scope).ok());
        permit(self.organization().as_bytes(), scopes, action, resource.target())
    }

    /// The token's id, and its scopes.
    fn parts(&self) -> (&str, &str) {
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        let behind = self.texts.get(self.organization.as_bytes().len()..).unwrap_or_default();
        let (id, scopes) = behind.split_at_checked(self.id_length.into()).unwrap_or_default();
        (text(id), text(scopes))
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, scopes) = self.parts();
        f.debug_struct("Claims")
            .field("account", &self.account)
            .field("organization", &self.organization)
            .field("generation", &self.generation)
            .field("id", &id)
            .field("issued_at", &self.issued_at)
            .field("validity", &self.validity)
            .field("leeway", &self.leeway)
            .field("scopes", &scopes)
            .finish_non_exhaustive()
    }
}

/// What stands between the spaces. By bytes: scopes are so short that a search for a character would be most of the work.
pub(super) fn split_scopes(scopes: &str) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(scopes);
    iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| byte == b' ');
        rest = end.and_then(|end| text.get(end.saturating_add(1)..));
        end.map_or(Some(text), |end| text.get(..end))
    })
}
