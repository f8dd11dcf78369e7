//! What an issue or a rotation hands out.

use std::sync::Arc;

use crate::{CredentialText, Invalid, Kind, Record, Secret};

/// A new credential, or the new secret of one: the text for its holder, and the record as the store has it.
///
/// The text is here and nowhere else: show it once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued {
    /// What its holder presents, with the issuer's namespace. **Secret.**
    pub text: Secret,
    /// What the store has.
    pub record: Arc<Record>,
}

impl Issued {
    /// The text of a service token with a client key of the host's making behind it, for clients that keep one there:
    /// they send what stands before it, and decrypt with it. **Secret.**
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless the key is 1–128 of `A-Z a-z 0-9 - _` and the credential is a service token.
    ///
    /// ```
    /// # use keygate::{DigestKeys, Issuer, Lifetime, MemoryStore, NewServiceToken};
    /// # pollster::block_on(async {
    /// # let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral()?);
    /// # let new = NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope("read@web/prod:/**".parse()?);
    /// let issued = issuer.service_tokens().issue(new).await?;
    /// let text = issued.with_client_key("db156ccb0c0897abb2dee9f9e59c845b")?;
    /// assert!(text.expose().ends_with(".db156ccb0c0897abb2dee9f9e59c845b"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn with_client_key(&self, client_key: &str) -> Result<Secret, Invalid> {
        if self.record.key().kind != Kind::ServiceToken {
            return Err(Invalid::new("client key", "a service token before it"));
        }
        let bare = self.text.expose();
        // Sized once: a growing String would leave copies of the secret behind.
        let mut text = String::with_capacity(bare.len().saturating_add(client_key.len()).saturating_add(1));
        text.push_str(bare);
        text.push('.');
        text.push_str(client_key);
        let text = Secret::new(text);
        match CredentialText::parse(text.expose()) {
            Ok(parsed) if parsed.to_keep() == Some(client_key) => Ok(text),
            _ => Err(Invalid::new("client key", "1 to 128 of A-Z a-z 0-9 - _")),
        }
    }
}
