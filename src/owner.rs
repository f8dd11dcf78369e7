//! Whom a credential belongs to, and the ids of users, organizations and projects.

use std::fmt;
use std::sync::Arc;

use crate::alphabet::Alphabet;
use crate::shared_text::SharedText;
use crate::{Invalid, Kind};

/// Whom a credential belongs to: a user, an organization, or a project of an organization.
///
/// API keys belong to users, service accounts to organizations, service tokens to projects, so that a machine's
/// credentials can outlive people. Every management call names the owner.
///
/// ```
/// use keygate::Owner;
///
/// let owner = Owner::project("acme", "web")?;
/// assert_eq!(owner.to_string(), "project web of acme");
/// assert!(Owner::user("").is_err(), "an empty owner is an error where it is written");
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on whose a credential is needs no `_` arm")]
pub enum Owner {
    /// A user, who owns API keys.
    User(UserId),
    /// An organization, which owns service accounts.
    Organization(OrganizationId),
    /// A project of an organization, which owns service tokens.
    Project(OrganizationId, ProjectId),
}

impl Owner {
    /// A user.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless the id is 1–64 bytes of 0x21–0x7E.
    pub fn user(id: &str) -> Result<Self, Invalid> {
        UserId::parse(id).map(Self::User)
    }

    /// An organization.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless the id is 1–64 of `A-Z a-z 0-9 - _`.
    pub fn organization(id: &str) -> Result<Self, Invalid> {
        OrganizationId::parse(id).map(Self::Organization)
    }

    /// A project of an organization.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless both ids are 1–64 of `A-Z a-z 0-9 - _`; it names the one that is not.
    pub fn project(organization: &str, project: &str) -> Result<Self, Invalid> {
        Ok(Self::Project(OrganizationId::parse(organization)?, ProjectId::parse(project)?))
    }

    /// The kind of credential that such an owner has.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::ApiKey,
            Self::Organization(_) => Kind::ServiceAccount,
            Self::Project(..) => Kind::ServiceToken,
        }
    }

    /// Whether what `other` owns is this one's too: itself, and an organization's projects.
    ///
    /// ```
    /// use keygate::Owner;
    ///
    /// let (acme, web) = (Owner::organization("acme")?, Owner::project("acme", "web")?);
    /// assert!(acme.includes(&web) && acme.includes(&acme) && !web.includes(&acme));
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Organization(organization), Self::Project(of, _)) => organization == of,
            _ => self == other,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            Self::Organization(organization) => write!(f, "organization {organization}"),
            Self::Project(organization, project) => write!(f, "project {project} of {organization}"),
        }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $argument:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SharedText);

        impl $name {
            /// Checks the alphabet and the length of an id.
            ///
            /// # Errors
            ///
            /// [`Invalid`], which names what is expected and where the text differs.
            pub fn parse(id: &str) -> Result<Self, Invalid> {
                $check($argument, id).map(|()| Self(SharedText::new(id)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

text_id! {
    /// The id of a user (or of whoever created a credential): 1–64 bytes of 0x21–0x7E, as the host's own data has it.
    UserId, "user", check_name
}
text_id! {
    /// The id of an organization: 1–64 of `A-Z a-z 0-9 - _`.
    OrganizationId, "organization", check_id
}
text_id! {
    /// The id of a project: 1–64 of `A-Z a-z 0-9 - _`.
    ProjectId, "project", check_id
}

impl OrganizationId {
    /// The id in the first bytes of a text, which it shares.
    pub(crate) fn first_of(whole: &Arc<[u8]>, length: usize) -> Result<Self, Invalid> {
        let id = SharedText::first_of(Arc::clone(whole), length);
        check_id("organization", id.as_str()).map(|()| Self(id))
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The longest id of an organization, project, environment, user or creator.
const LONGEST: usize = 64;

/// Whether [`check_id`] finds nothing.
#[inline(always)]
pub(crate) fn is_id(id: &str) -> bool {
    is(id, Alphabet::BASE64URL)
}

/// Whether [`check_name`] finds nothing.
pub(crate) fn is_name(id: &str) -> bool {
    is(id, Alphabet::GRAPHIC)
}

#[inline(always)]
fn is(id: &str, alphabet: Alphabet) -> bool {
    (1..=LONGEST).contains(&id.len()) && alphabet.holds(id.as_bytes())
}

/// `1*64( A-Z a-z 0-9 - _ )`: organizations, projects, environments.
pub(crate) fn check_id(argument: &'static str, id: &str) -> Result<(), Invalid> {
    check(argument, id, "1 to 64 of A-Z a-z 0-9 - _", Alphabet::BASE64URL)
}

/// 1–64 bytes of 0x21–0x7E: users and creators.
pub(crate) fn check_name(argument: &'static str, id: &str) -> Result<(), Invalid> {
    check(argument, id, "1 to 64 visible ASCII characters", Alphabet::GRAPHIC)
}

#[inline]
fn check(
    argument: &'static str,
    id: &str,
    expected: &'static str,
    alphabet: Alphabet,
) -> Result<(), Invalid> {
    if is(id, alphabet) {
        return Ok(());
    }
    let bytes = id.as_bytes().get(..LONGEST).unwrap_or(id.as_bytes());
    let position = alphabet.first_outside(bytes).unwrap_or(bytes.len());
    Err(Invalid::new(argument, expected).at(position))
}
