//! A small host: digest keys, one credential of each shape, and the records that it would have stored.

use std::collections::HashMap;
use std::sync::Arc;

use keygate::header::HeaderPolicy;
use keygate::{
    ApiKeyGrant, CredentialKey, Digest, DigestKeys, Grant, Kind, Moment, Presented, PresentedCredential,
    RandomSource, Record, Refusal, Rights, ServiceAccountGrant, ServiceTokenGrant, Timestamp, Validity,
    Verified, verify,
};

/// When everything happens.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_768_373_298);

/// When every credential ends: a service token has to.
pub(crate) const END: Timestamp = Timestamp::from_unix(1_768_376_898);

/// Texts that another system made, one of each kind.
pub(crate) const IMPORTED: [&str; 3] = [
    "ak.63f1c2a8b9d0e1f2a3b4c5d6.0123456789abcdef0123456789abcdef",
    "sa.Zm9vYmFy+/8xMjM0.AAECAwQFBgcICQoLDA0ODw==",
    "st.0d6a3c1e-5b7f-4c21-9a80-1f2e3d4c5b6a.fedcba9876543210fedcba9876543210",
];

/// Keys and records, as a host keeps them.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) keys: DigestKeys,
    pub(crate) records: HashMap<CredentialKey, Arc<Record>>,
}

impl Host {
    /// A host with no credentials yet.
    pub(crate) fn new(random: &dyn RandomSource) -> Self {
        Self { keys: DigestKeys::generate(random).unwrap(), records: HashMap::new() }
    }

    /// Issues one, stores its record and gives its text.
    pub(crate) fn issue(&mut self, kind: Kind, random: &dyn RandomSource) -> String {
        let drawn = self.keys.draw(kind, random).unwrap();
        self.store(drawn.key, drawn.digest);
        drawn.text.expose().to_owned()
    }

    /// Stores a record of a text that another system made.
    pub(crate) fn import(&mut self, text: &str) {
        let presented = presented(&HeaderPolicy::new().imported(Kind::ALL), text);
        let digest = self.keys.digest(&presented);
        self.store(presented.key(), digest);
    }

    fn store(&mut self, key: CredentialKey, digest: Digest) {
        let record = Record::builder(key.id, grant(key.kind), digest, NOW)
            .validity(Validity::until(END))
            .build()
            .unwrap();
        self.records.insert(key, Arc::new(record));
    }

    /// What a host does on every request, up to the caller.
    pub(crate) fn verify<V: AsRef<[u8]>>(
        &self,
        presented: &PresentedCredential<V>,
    ) -> Result<Verified, Refusal> {
        verify(presented, self.records.get(&presented.key()), &self.keys, Moment::at(NOW))
    }
}

/// Everything that a credential of this kind can be granted in the project `web` of `acme`.
pub(crate) fn grant(kind: Kind) -> Grant {
    let rights = || Rights::new("acme", ["*@web/prod:/**".parse().unwrap()]).unwrap();
    match kind {
        Kind::ApiKey => ApiKeyGrant::new("u-17").unwrap().into(),
        Kind::ServiceAccount => ServiceAccountGrant::new(rights()).into(),
        Kind::ServiceToken => ServiceTokenGrant::new("web", rights()).unwrap().into(),
    }
}

/// The header line that carries this text.
pub(crate) fn line(text: &str) -> (&'static str, String) {
    if text.starts_with("ak") {
        ("x-api-key", text.to_owned())
    } else {
        ("authorization", format!("Bearer {text}"))
    }
}

/// The text as presented in its own header.
#[track_caller]
pub(crate) fn presented(policy: &HeaderPolicy, text: &str) -> PresentedCredential<String> {
    match policy.present([line(text)]) {
        Ok(Presented::Credential(presented)) => presented,
        Ok(Presented::AccessToken(_)) => panic!("an access token"),
        Err(refusal) => panic!("{}", refusal.reason()),
    }
}
