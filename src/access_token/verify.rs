//! Verifying an access token: header, signature, claims, time; then its parent.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{AccessTokens, LONGEST, payload};
use crate::digest::equal;
use crate::{
    Caller, Claims, Moment, NeedsParent, PresentedAccessToken, Reason, Refusal, Standing, TokenFault,
};

/// Verifies a presented access token. Pure: `now` is an argument, nothing is written, nothing is looked up.
///
/// The order is the security of it: nothing in the token is acted on, or even parsed, before its signature holds.
///
/// 1. At most 4,096 bytes.
/// 2. The header, compared as text, is that of a known signing key. No other is ever interpreted, so there is no algorithm to
///    confuse, and no key id leads anywhere.
/// 3. The signature, under that key; one MAC.
/// 4. The claims: each once and of its type, all of them there; then issuer and audience; then the bounds of each.
/// 5. The time, with the leeway.
///
/// A token is always minted, so what comes of it is no caller yet: [`NeedsParent`] asks for the account's record.
///
/// ```
/// # use keygate::*;
/// # fn authenticate(
/// #     headers: &[(&str, &str)], map: &std::collections::HashMap<CredentialKey, std::sync::Arc<Record>>,
/// #     keys: &DigestKeys, tokens: &AccessTokens, moment: Moment,
/// # ) -> Result<Caller, Refusal> {
/// let caller = match header::present(headers)? {
///     Presented::Credential(text) => {
///         keys.check_guard(&text)?;
///         verify(&text, map.get(&text.key()), keys, moment)?.with_parent(|key| map.get(key))?
///     }
///     Presented::AccessToken(text) => {
///         verify_access_token(&text, tokens, moment)?.with_parent(|key| map.get(key))?
///     }
/// };
/// # Ok(caller)
/// # }
/// ```
///
/// # Errors
///
/// [`Refusal`]: *denied*, with the public face of every other: [`Reason::AccessToken`], [`Reason::Expired`] or
/// [`Reason::NotYetValid`].
pub fn verify_access_token<V: AsRef<[u8]>>(
    presented: &PresentedAccessToken<V>,
    tokens: &AccessTokens,
    moment: Moment,
) -> Result<NeedsParent, Refusal> {
    let claims = signed_claims(presented.text(), tokens)
        .map_err(|fault| presented.refuse(Reason::AccessToken(fault)))?;
    let refuse = |reason| Err(presented.refuse(reason).about(claims.parent().key()).of_token(claims.id()));
    match claims.validity().standing(moment.now(), tokens.leeway) {
        Standing::Expired => refuse(Reason::Expired),
        Standing::NotYetValid => refuse(Reason::NotYetValid),
        Standing::Valid => Ok(NeedsParent::new(Caller::by_access_token(Arc::new(claims)), moment)),
    }
}

fn signed_claims(token: &[u8], tokens: &AccessTokens) -> Result<Claims, TokenFault> {
    if token.len() > LONGEST {
        return Err(TokenFault::TooLong);
    }
    let key = tokens.keys.of(token).ok_or(TokenFault::Header)?;
    let (signed, signature, payload) = parts(token, key.prefix().len()).ok_or(TokenFault::Encoding)?;
    if !equal(&key.sign(signed), &signature) {
        return Err(TokenFault::Signature);
    }
    // Most are short, and to clear the memory of the longest for them is work, too.
    let (mut short, mut long);
    let decoded: &mut [u8] = if payload.len() <= LONGEST / 4 {
        short = [0; LONGEST / 4];
        &mut short
    } else {
        long = [0; LONGEST];
        &mut long
    };
    let length = URL_SAFE_NO_PAD.decode_slice(payload, decoded).map_err(|_| TokenFault::Encoding)?;
    let payload = decoded.get(..length).unwrap_or_default();
    payload::read(payload, &tokens.issuer, &tokens.audience, tokens.leeway)
}

/// What is signed, the signature, and the encoded claims behind a header of this length.
///
/// The decoder takes no padding and no spare bits, so each signature has one spelling.
fn parts(token: &[u8], header: usize) -> Option<(&[u8], [u8; 32], &[u8])> {
    let dot = token.iter().rposition(|byte| *byte == b'.')?;
    let (signed, rest) = token.split_at_checked(dot)?;
    let encoded: &[u8; 43] = rest.get(1..)?.try_into().ok()?;
    // The decoder asks for memory for whole groups of four characters: a byte more than a signature has.
    let mut signature = [0; 33];
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut signature).ok()?;
    let signature = signature.get(..length)?.try_into().ok()?;
    Some((signed, signature, signed.get(header..)?))
}
