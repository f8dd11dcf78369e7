//! New credentials: id and secret from a random source, guard, checksum and digest around them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Digest, DigestKeys};
use crate::credential::{assemble, assemble_hex, assemble_imported, hex};
use crate::{CredentialId, CredentialKey, Kind, Namespace, RandomError, RandomSource, Secret};

/// A new credential: the text for its holder, the rest for its record.
///
/// The text is shown once and kept nowhere: a record holds its digest.
#[derive(Debug)]
#[non_exhaustive]
pub struct Drawn {
    /// 55 characters, without a namespace. **Secret.**
    pub text: Secret,
    /// What its record is found by.
    pub key: CredentialKey,
    /// What its record holds of it.
    pub digest: Digest,
}

impl Drawn {
    /// The text with a namespace before it, for hosts that have one. **Secret.**
    ///
    /// The text of an imported credential stays without: servers recognise those without it only.
    ///
    /// ```
    /// use keygate::{DigestKeys, Kind, Namespace, SystemRandom};
    ///
    /// let drawn = DigestKeys::ephemeral()?.draw(Kind::ServiceToken, &SystemRandom)?;
    /// assert!(drawn.text_in(&Namespace::parse("acme")?).expose().starts_with("acme_st."));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn text_in(&self, namespace: &Namespace) -> Secret {
        let (label, bare) = (namespace.as_str(), self.text.expose());
        if !self.key.id.is_issued() {
            return Secret::new(bare.to_owned());
        }
        let mut text = String::with_capacity(label.len().saturating_add(bare.len()).saturating_add(1));
        text.push_str(label);
        text.push('_');
        text.push_str(bare);
        Secret::new(text)
    }
}

impl DigestKeys {
    /// Draws a new credential of this kind: an id of 72 random bits and a secret of 168, one draw each.
    ///
    /// ```
    /// use keygate::{CredentialText, DigestKeys, Kind, SystemRandom};
    ///
    /// let keys = DigestKeys::ephemeral()?;
    /// let drawn = keys.draw(Kind::ServiceToken, &SystemRandom)?;
    /// assert_eq!(drawn.text.expose().len(), 55);
    /// assert_eq!(CredentialText::parse(drawn.text.expose())?.id(), drawn.key.id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source fails; nothing was made then.
    pub fn draw(&self, kind: Kind, random: &dyn RandomSource) -> Result<Drawn, RandomError> {
        let mut id = [0; 9];
        random.fill(&mut id)?;
        let mut text = [0; 12];
        // Nine bytes are always twelve characters.
        let _written = URL_SAFE_NO_PAD.encode_slice(id, &mut text);
        let id = CredentialId::from_checked(&text).ok_or(RandomError::new())?;
        self.redraw(CredentialKey::new(kind, id), random)
    }

    /// Draws a new credential of this kind in the hex text style, `kind.<24 hex>.<32 hex>`: an id of 96 random bits and a
    /// secret of 128, for clients that accept nothing else.
    ///
    /// It has no guard and no checksum, so it is treated like an imported one: an authenticator takes it only where
    /// [imported](crate::HeaderPolicy::imported) credentials of its kind are allowed.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source fails; nothing was made then.
    pub fn draw_hex(&self, kind: Kind, random: &dyn RandomSource) -> Result<Drawn, RandomError> {
        let mut id = [0; 12];
        random.fill(&mut id)?;
        let text: String = hex(&id).collect();
        let id = CredentialId::from_checked(text.as_bytes()).ok_or(RandomError::new())?;
        self.redraw(CredentialKey::new(kind, id), random)
    }

    /// Draws a new secret for a credential that keeps its id: a rotation.
    ///
    /// The id tells the text style, which stays: issued text for 12 base64url characters; the hex text style, with a
    /// secret of 32 hex digits, for 24 hex digits. Any other is that of an imported credential: its new text is
    /// `kind.id.secret`, with a secret of 28 characters and without guard and checksum.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source fails; nothing was made then.
    pub fn redraw(&self, key: CredentialKey, random: &dyn RandomSource) -> Result<Drawn, RandomError> {
        let (text, guard_slot) = if key.id.is_hex() {
            (assemble_hex(key, &*secret(random)?), None)
        } else if key.id.is_issued() {
            let text = assemble(key, &*secret(random)?, |guarded| self.guard(guarded));
            (text, Some(self.active_slot()))
        } else {
            (assemble_imported(key, &*secret(random)?), None)
        };
        let digest = self.digest_text(text.expose().as_bytes(), guard_slot);
        Ok(Drawn { text, key, digest })
    }
}

/// One draw of a secret.
fn secret<const BYTES: usize>(random: &dyn RandomSource) -> Result<Zeroizing<[u8; BYTES]>, RandomError> {
    let mut secret = Zeroizing::new([0; BYTES]);
    random.fill(&mut *secret)?;
    Ok(secret)
}
