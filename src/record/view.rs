//! What may be shown of a record.

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use super::{Grant, Record};
use crate::{Owner, Timestamp};

/// The public view of a record: for a host's pages, for its API, for the credential's own holder.
///
/// It serializes everything but digests, key slots and sealed boxes. Times are seconds since 1970, or null.
///
/// ```
/// # use keygate::{ApiKeyGrant, DigestKeys, Kind, Record, SystemRandom, Timestamp};
/// # let drawn = DigestKeys::ephemeral()?.draw(Kind::ApiKey, &SystemRandom)?;
/// # let record = Record::builder(drawn.key.id, ApiKeyGrant::new("u-17")?, drawn.digest, Timestamp::from_unix(0)).build()?;
/// let json = serde_json::to_value(record.view())?;
/// assert_eq!(json["kind"], "ak");
/// assert_eq!(json["owner"], serde_json::json!({ "user": "u-17" }));
/// assert_eq!(json["expires_at"], serde_json::Value::Null);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a>(&'a Record);

impl<'a> RecordView<'a> {
    pub(super) const fn new(record: &'a Record) -> Self {
        Self(record)
    }
}

impl Serialize for RecordView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let scopes = record.grant().rights().map(|rights| rights.scopes());
        let scopes: Option<Vec<&str>> =
            scopes.map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect());
        let networks: Option<Vec<String>> =
            record.networks().map(|networks| networks.iter().map(ToString::to_string).collect());
        let metadata: std::collections::BTreeMap<&str, &str> = record.metadata().collect();
        let generation = match record.grant() {
            Grant::ServiceAccount(account) => Some(account.mint_generation()),
            Grant::ApiKey(_) | Grant::ServiceToken(_) => None,
        };

        let mut view = serializer.serialize_struct("RecordView", 19)?;
        view.serialize_field("kind", record.key().kind.as_str())?;
        view.serialize_field("id", record.key().id.as_str())?;
        view.serialize_field("owner", &OwnerView::from(record.owner()))?;
        view.serialize_field("name", &record.name())?;
        view.serialize_field("metadata", &metadata)?;
        view.serialize_field("created_at", &record.created_at())?;
        view.serialize_field("created_by", &record.created_by())?;
        view.serialize_field("not_before", &record.validity().not_before())?;
        view.serialize_field("expires_at", &record.validity().expires_at())?;
        view.serialize_field("disabled", &record.is_disabled())?;
        view.serialize_field("revoked", &record.revocation())?;
        view.serialize_field("secret", &record.current().number)?;
        // What was ended at once is not retiring; only why it leaked is still worth telling.
        let retiring = record.retiring().filter(|retiring| retiring.ends_at > Timestamp::MIN);
        view.serialize_field("retiring_secret", &retiring.map(|retiring| retiring.secret.number))?;
        let until = retiring
            .and_then(|retiring| Timestamp::earlier(Some(retiring.ends_at), record.validity().expires_at()));
        view.serialize_field("retiring_until", &until)?;
        let leak = record.retiring().and_then(|retiring| retiring.leak.as_deref());
        view.serialize_field("retiring_leak", &leak)?;
        view.serialize_field("parent", &record.parent().map(|parent| parent.account.as_str().to_owned()))?;
        view.serialize_field("networks", &networks)?;
        view.serialize_field("scopes", &scopes)?;
        view.serialize_field("mint_generation", &generation)?;
        view.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
enum OwnerView<'a> {
    User { user: &'a str },
    Organization { organization: &'a str },
    Project { organization: &'a str, project: &'a str },
}

impl<'a> From<&'a Owner> for OwnerView<'a> {
    fn from(owner: &'a Owner) -> Self {
        match owner {
            Owner::User(user) => Self::User { user: user.as_str() },
            Owner::Organization(organization) => Self::Organization { organization: organization.as_str() },
            Owner::Project(organization, project) => {
                Self::Project { organization: organization.as_str(), project: project.as_str() }
            }
        }
    }
}
