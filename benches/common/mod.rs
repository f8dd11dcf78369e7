//! A credential with its record, and the way from its headers to a caller.

use std::error::Error;
use std::sync::Arc;

use keygate::{
    ApiKeyGrant, Caller, DigestKeys, Grant, Kind, Moment, Presented, Record, Refusal, Rights, Scope,
    ServiceAccountGrant, ServiceTokenGrant, SystemRandom, Timestamp, Validity, header, verify,
};

/// The header lines of one request.
pub(crate) type Headers = [(&'static str, String); 4];

/// One credential of a host, and the host's keys.
pub(crate) struct Issued {
    pub(crate) keys: DigestKeys,
    pub(crate) record: Arc<Record>,
    pub(crate) headers: Headers,
}

impl Issued {
    /// A credential of this kind; an API key has no use for the scopes.
    pub(crate) fn new(kind: Kind, scopes: Vec<Scope>) -> Result<Self, Box<dyn Error>> {
        let keys = DigestKeys::ephemeral()?;
        let drawn = keys.draw(kind, &SystemRandom)?;
        let grant: Grant = match kind {
            Kind::ApiKey => ApiKeyGrant::new("u-17")?.into(),
            Kind::ServiceAccount => ServiceAccountGrant::new(Rights::new("acme", scopes)?).into(),
            Kind::ServiceToken => ServiceTokenGrant::new("web", Rights::new("acme", scopes)?)?.into(),
        };
        let record = Record::builder(drawn.key.id, grant, drawn.digest, Timestamp::from_unix(0))
            .validity(Validity::until(Timestamp::from_unix(4_000_000_000)))
            .build()?;
        Ok(Self { keys, record: Arc::new(record), headers: headers(kind, drawn.text.expose()) })
    }

    /// What these headers are to a host that finds this record, or none.
    #[inline]
    pub(crate) fn authenticate(
        &self,
        headers: &Headers,
        record: Option<&Arc<Record>>,
    ) -> Result<Caller, Refusal> {
        let moment = Moment::at(Timestamp::from_unix(1_795_518_000));
        match header::present(headers)? {
            Presented::Credential(text) => verify(&text, record, &self.keys, moment)?.with_parent(|_| None),
            Presented::AccessToken(_) => unreachable!("no benchmark presents one"),
        }
    }
}

/// A request that presents this text.
pub(crate) fn headers(kind: Kind, text: &str) -> Headers {
    let (name, value) = match kind {
        Kind::ApiKey => ("x-api-key", text.to_owned()),
        Kind::ServiceAccount | Kind::ServiceToken => ("authorization", format!("Bearer {text}")),
    };
    let line = |name, value: &str| (name, value.to_owned());
    [
        line("host", "api.example"),
        line("accept", "application/json"),
        line("user-agent", "machine/1.0"),
        (name, value),
    ]
}
