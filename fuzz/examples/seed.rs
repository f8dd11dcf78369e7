//! Makes the corpora to begin with from the published vectors: `cargo run --example seed`, in this folder.

use std::error::Error;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keygate::{ApiKeyGrant, DigestKeys, Grant, Kind, Record, Rights, ServiceAccountGrant, ServiceTokenGrant};
use keygate::{Lifetime, SystemRandom, Timestamp, Validity};
use serde_json::Value;

type Anything<T> = Result<T, Box<dyn Error>>;

fn main() -> Anything<()> {
    for (number, case) in vectors("headers")?.iter().enumerate() {
        let mut lines = Vec::new();
        for line in list(&case["headers"]) {
            let value = STANDARD.decode(text(&line[1]))?;
            lines.push([text(&line[0]).as_bytes(), &[0x1f], &value].concat());
            let credential = String::from_utf8_lossy(&value);
            keep("credential", number, credential.rsplit(' ').next().unwrap_or_default().as_bytes())?;
        }
        // The first byte chooses a policy.
        keep("headers", number, &[&[0], lines.join(&0x1e).as_slice()].concat())?;
        keep("headers", number + 1_000, &[&[1], lines.join(&0x1e).as_slice()].concat())?;
    }
    for (number, case) in vectors("paths")?.iter().enumerate() {
        let (pattern, path) = (text(&case["pattern"]), text(&case["path"]));
        keep("path", number, path.as_bytes())?;
        keep("pattern", number, pattern.as_bytes())?;
        keep("match", number, format!("{pattern}\n{path}").as_bytes())?;
    }
    for (number, case) in vectors("scopes")?.iter().enumerate() {
        let (parent, child) = (rules(&case["parent"]), rules(&case["child"]));
        let first = &case["child"][0];
        let at = format!("{} {} /app/db", text(&first["project"]), text(&first["env"]));
        keep("attenuate", number, format!("{parent}\n{child}\n{at}").as_bytes())?;
    }
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        keep("record_decode", number, &record(kind)?)?;
    }
    for (number, claims) in claims().iter().enumerate() {
        keep("access_token", number, claims.as_bytes())?;
        keep("access_token", number + 1_000, URL_SAFE_NO_PAD.encode(claims).as_bytes())?;
    }
    for (number, realm) in ["api", "acme secrets", r#"a "quoted" \ one"#, ""].into_iter().enumerate() {
        keep("challenge_roundtrip", number, realm.as_bytes())?;
    }
    Ok(())
}

fn vectors(kind: &str) -> Anything<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/vectors/{kind}.json"));
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

fn keep(target: &str, number: usize, seed: &[u8]) -> Anything<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("seed-{number}")), seed)?)
}

/// Rules as the scope texts that they stand for.
fn rules(rules: &Value) -> String {
    let scope = |rule: &Value| {
        let actions: Vec<&str> = list(&rule["actions"]).iter().map(text).collect();
        let [project, env, path] = ["project", "env", "path"].map(|name| text(&rule[name]));
        format!("{}@{project}/{env}:{path}", actions.join(","))
    };
    list(rules).iter().map(scope).collect::<Vec<_>>().join(" ")
}

fn record(kind: Kind) -> Anything<Vec<u8>> {
    let now = Timestamp::from_unix(1_768_373_298);
    let drawn = DigestKeys::generate(&SystemRandom)?.draw(kind, &SystemRandom)?;
    let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
    let grant: Grant = match kind {
        Kind::ApiKey => ApiKeyGrant::new("u-17")?.into(),
        Kind::ServiceAccount => {
            ServiceAccountGrant::new(rights).with_public_key([7; 32]).with_sealed_key("web", vec![1])?.into()
        }
        Kind::ServiceToken => ServiceTokenGrant::new("web", rights)?.into(),
    };
    let record = Record::builder(drawn.key.id, grant, drawn.digest, now)
        .name("a name")
        .metadata([("team", "web")])
        .validity(Validity::until(Lifetime::hours(1).ends_at(now)?))
        .build()?;
    Ok(record.encode()?)
}

/// Claims of access tokens, most of them right, for the issuer, the audience and the time of that target; and scopes to mint.
fn claims() -> Vec<String> {
    const TIMES: &str = r#""iat":1768373298,"nbf":1768373298,"exp":1768374198"#;
    const PARTIES: &str = r#""iss":"https://auth.example","aud":"https://secrets.example","sub":"tr6AWfxqtcJI","client_id":"tr6AWfxqtcJI""#;
    const IDS: &str = r#""org":"acme","jti":"AAECAwQFBgcICQoLDA0ODw""#;
    let of = |scope: &str, more: &str| format!(r#"{{{PARTIES},{IDS},{TIMES},"scope":"{scope}"{more}}}"#);
    let many: Vec<String> = (0..64).map(|number| format!("read@web/prod:/{number}/**")).collect();
    vec![
        of("read@web/prod:/app/**", ""),
        of("*@/ *@*/ *@*/*:/** read,update@web/", r#","gen":3"#),
        of("create@web/*:/a?[bc]{d,e}/*", r#","other":[1.5e3,{"a":null}],"\u006fthers":true"#),
        of(&many.join(" "), ""),
        of("read@web/prod:/app/**", r#","scope":"*@/""#),
        format!(r#" {{ "scope":"delete@web/prod:/", {TIMES}, {IDS}, {PARTIES} }} "#),
        many.join(" "),
        "read@web/prod:/app/** *@/ *@*/ *@*/*:/**".to_owned(),
    ]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
