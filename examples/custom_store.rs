//! A host's own lookup, over a file of its own: one method is all that verifying needs.
//!
//! `cargo run --example custom_store`
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, error::Error, fs, path::PathBuf};

use async_trait::async_trait;
use keygate::{
    Authenticator, CredentialId, CredentialKey, DigestKeys, Expiry, Issued, Issuer, Kind, Lookup,
    MemoryStore, NewApiKey, Record, StoreError,
};

/// A file with a line for each credential: kind and id, a space, the record's JSON.
struct RecordFile {
    path: PathBuf,
    reads: AtomicU32,
}

#[async_trait]
impl Lookup for RecordFile {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // It blocks, which a real host does off its async threads. Bytes: a damaged line is one credential's trouble.
        let file = fs::read(&self.path).map_err(StoreError::unavailable)?;
        let start = format!("{} ", CredentialKey::new(kind, *id));
        let json = file.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(start.as_bytes()));
        json.map(|json| Record::decode(json).map(Arc::new).map_err(StoreError::corrupt)).transpose()
    }
}

/// One line of the table: the status that the host answers with, the reason's code, how often the file was read.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) reads: u32,
}

pub(crate) async fn rows() -> Result<Vec<Row>, Box<dyn Error>> {
    let keys = DigestKeys::ephemeral()?;
    let issue = async |keys: &DigestKeys| {
        let issuer = Issuer::new(MemoryStore::new(), keys.clone());
        issuer.api_keys().issue(NewApiKey::new("u-17", Expiry::Never)).await
    };
    let (issued, not_in_it) = (issue(&keys).await?, issue(&keys).await?);
    let made_up = issue(&DigestKeys::ephemeral()?).await?;
    let (key, json) = (issued.record.key(), String::from_utf8(issued.record.encode()?)?);

    let path = env::temp_dir().join(format!("keygate-{}.records", key.id));
    fs::write(&path, format!("{key} {json}\n"))?;
    let file = Arc::new(RecordFile { path: path.clone(), reads: AtomicU32::new(0) });
    let gate = Authenticator::new(Arc::clone(&file), keys);
    let row = async |what, presented: &Issued| {
        let result = gate.authenticate([("x-api-key", presented.text.expose())]).await;
        let (status, code) =
            result.map_or_else(|refusal| (refusal.status(), refusal.reason().code()), |_| (200, "granted"));
        Row { what, status, code, reads: file.reads.swap(0, Ordering::Relaxed) }
    };
    let mut rows = vec![row("issued, and in the file", &issued).await];
    rows.push(row("issued, and not in the file", &not_in_it).await);
    rows.push(row("made up by somebody else", &made_up).await);
    fs::write(&path, format!("{key} {json:.40}\n"))?;
    rows.push(row("its line is cut off", &issued).await);
    fs::remove_file(&path)?;
    rows.push(row("the file is gone", &issued).await);
    Ok(rows)
}

#[allow(dead_code, reason = "the tests take the rows and leave the table")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<28} {:<7} {:<19} reads of the file", "credential", "answer", "for the log");
    for Row { what, status, code, reads } in pollster::block_on(rows())? {
        println!("{what:<28} {status:<7} {code:<19} {reads}");
    }
    Ok(())
}
