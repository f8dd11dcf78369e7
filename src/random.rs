//! Where randomness comes from: the operating system, or what a host passes.

use std::sync::Arc;

use rand::TryRng as _;
use rand::rngs::SysRng;
use thiserror::Error;

/// A source of unpredictable bytes. `&self`, because an issuer is shared.
///
/// # Security
///
/// Ids and secrets are as unpredictable as this source. Implement it for a hardware generator, or in tests; a
/// seeded generator in production gives away every credential.
///
/// ```
/// use keygate::{RandomError, RandomSource};
///
/// struct Broken;
/// impl RandomSource for Broken {
///     fn fill(&self, _out: &mut [u8]) -> Result<(), RandomError> {
///         Err(RandomError::new())
///     }
/// }
/// assert!(keygate::DigestKeys::generate(&Broken).is_err(), "a source that fails makes the call fail");
/// ```
pub trait RandomSource: Send + Sync {
    /// Fills all of `out`, or fails.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source has no bytes to give; what was written to `out` is not used then.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

impl<R: RandomSource + ?Sized> RandomSource for Arc<R> {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        (**self).fill(out)
    }
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a unit")]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        SysRng.try_fill_bytes(out).map_err(|_| RandomError::new())
    }
}

/// The random source failed; nothing was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Error)]
#[error("the random source failed")]
#[non_exhaustive]
pub struct RandomError;

impl RandomError {
    /// For a source of a host's own.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}
