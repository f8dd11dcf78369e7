//! Minting an access token: the rules of attenuation, then claims and signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::payload::{MOST_SCOPES, Payload};
use super::{AccessTokens, LONGEST};
use crate::{
    Caller, Invalid, Lifetime, MintError, Minter, RandomSource, Record, Rights, Scope, Secret, Timestamp,
};

/// How long a token lives where nobody asked: 15 minutes, or as long as it may, if that is less.
const DEFAULT_LIFETIME: Lifetime = Lifetime::minutes(15);
/// 32 bytes in base64url.
const SIGNATURE_LENGTH: usize = 43;

/// What an access token is to permit, and for how long.
///
/// ```
/// use keygate::{Lifetime, Mint};
///
/// let mint = Mint::scopes(["read@web/prod:/app/**".parse()?]).lifetime(Lifetime::minutes(5));
/// # let _ = mint;
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a token is made when it is minted"]
pub struct Mint {
    scopes: Vec<Scope>,
    lifetime: Option<Lifetime>,
}

impl Mint {
    /// These scopes, of any level: 1 to 64, each of them held by the account. For 15 minutes, or as long as a token may live, if
    /// that is less.
    pub fn scopes(scopes: impl IntoIterator<Item = Scope>) -> Self {
        // One more than is allowed: enough to refuse it.
        Self { scopes: scopes.into_iter().take(MOST_SCOPES.saturating_add(1)).collect(), lifetime: None }
    }

    /// For exactly this long. More than the policy or the account's own end allows is an error.
    pub const fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
}

/// A minted access token: here and nowhere else.
#[derive(Debug)]
#[non_exhaustive]
pub struct MintedToken {
    /// What its holder presents, after `Bearer`. **Secret.**
    pub text: Secret,
    /// The id in it (`jti`), for a log: 22 base64url characters.
    pub id: Box<str>,
    /// The first second at which it is not valid any more.
    pub expires_at: Timestamp,
}

impl AccessTokens {
    /// Mints an access token for a service account. Pure: for hosts that drive the core themselves; others have
    /// [`Issuer::mint`](crate::Issuer::mint).
    ///
    /// `account` is the account's record **as the store has it now**, never from a cache: what is minted is contained in what it
    /// holds at this moment, in rights and in lifetime.
    ///
    /// # Errors
    ///
    /// [`MintError`], which says what is missing; nothing was made then.
    pub fn mint(
        &self,
        caller: &Caller,
        account: &Record,
        mint: &Mint,
        now: Timestamp,
        random: &dyn RandomSource,
    ) -> Result<MintedToken, MintError> {
        if !(1..=MOST_SCOPES).contains(&mint.scopes.len()) {
            return Err(Invalid::new("scopes", "1 to 64 scopes").into());
        }
        let minter = Minter::of(caller, account, now)?;
        let organization = minter.rights().organization();
        let expires_at = self.end(mint.lifetime, &minter, now)?;
        minter.check_rights(&Rights::new(organization.as_str(), mint.scopes.iter().cloned())?)?;

        let mut id = [0; 16];
        random.fill(&mut id)?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let parent = minter.as_parent();
        let scopes: Vec<&str> = mint.scopes.iter().map(Scope::as_str).collect();
        let text = self.sign(&Payload {
            iss: &self.issuer,
            aud: &self.audience,
            sub: parent.account.as_str(),
            client_id: parent.account.as_str(),
            org: organization.as_str(),
            jti: &id,
            iat: now.as_unix(),
            nbf: now.as_unix(),
            exp: expires_at.as_unix(),
            scope: &scopes.join(" "),
            generation: parent.mint_generation,
        })?;
        Ok(MintedToken { text, id: id.into(), expires_at })
    }

    /// When it ends: within the policy, and not after the account.
    fn end(
        &self,
        asked: Option<Lifetime>,
        minter: &Minter<'_>,
        now: Timestamp,
    ) -> Result<Timestamp, MintError> {
        let maximum = self.max_lifetime;
        let lifetime = asked.unwrap_or(DEFAULT_LIFETIME.min(maximum));
        if lifetime > maximum {
            return Err(MintError::TooLong { maximum });
        }
        let end = lifetime.ends_at(now)?;
        match asked {
            Some(_) => minter.check_end(end).map(|()| end),
            None => Ok(minter.ends_at().map_or(end, |own| own.min(end))),
        }
    }

    fn sign(&self, payload: &Payload<'_>) -> Result<Secret, Invalid> {
        let key = self.keys.signing();
        #[expect(clippy::expect_used, reason = "an object of strings and integers has no way to fail")]
        let claims = serde_json::to_string(payload).expect("texts and numbers are JSON");
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let signed = key.prefix().len().saturating_add(claims.len());
        // Sized once: a growing String would leave copies of the secret behind.
        let length = signed.saturating_add(SIGNATURE_LENGTH).saturating_add(1);
        if length > LONGEST {
            return Err(Invalid::new("scopes", "so few that the token has at most 4096 bytes"));
        }
        let mut text = String::with_capacity(length);
        text.push_str(str::from_utf8(key.prefix()).unwrap_or_default());
        text.push_str(&claims);
        let signature = key.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(Secret::new(text))
    }
}
