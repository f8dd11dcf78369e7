//! A process that issues, rotates and revokes is killed at random moments, and nothing that it was told is untrue afterwards.
//!
//! `cargo test -p keygate-sqlite --test kill`; `scripts/sqlite-kill.sh CYCLES` for more than the usual 50.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    Authenticator, CredentialId, DigestKeys, Entry, Expiry, Issuer, Kind, NewApiKey, Overlap, Owner,
    RandomSource as _, RefusalClass, Store as _, SystemRandom,
};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;

/// How many threads of the child write at once.
const THREADS: usize = 2;

/// How often the file is a new one, so that the child is killed while it makes the tables, too.
const CYCLES_OF_A_FILE: usize = 10;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", path, ring, user] => child(path.as_ref(), ring, user),
        _ => parent(),
    }
}

/// Says what it is about to do and what was acknowledged, a line each, until it is killed.
fn child(path: &Path, ring: &str, user: &str) {
    let store = SqliteStore::open(path, Threading::inline()).unwrap();
    let issuer = Issuer::new(store, DigestKeys::parse(ring).unwrap());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let issuer = &issuer;
            scope.spawn(move || block_on(work(issuer, &format!("{user}-{number}"))));
        }
    });
}

async fn work(issuer: &Issuer, user: &str) {
    let keys = issuer.api_keys().owned_by(Owner::user(user).unwrap());
    for round in 0_usize.. {
        let issued = issuer.api_keys().issue(NewApiKey::new(user, Expiry::Never)).await.unwrap();
        let id = issued.record.key().id;
        say(&format!("issued {id} {} {}", issued.record.version(), issued.text.expose()));
        for (rotation, overlap) in
            [("hour", Overlap::hours(1)), ("none", Overlap::NONE)].into_iter().take(round % 3)
        {
            say(&format!("begins {id} {rotation}"));
            let issued = keys.rotate(&id, overlap).await.unwrap();
            say(&format!("rotated {id} {rotation} {}", issued.text.expose()));
        }
        if round % 2 == 0 {
            say(&format!("begins {id} revoke"));
            keys.revoke(&id, "its time has come").await.unwrap();
            say(&format!("revoked {id}"));
        }
    }
}

/// One line, and out with it: what the parent has not heard was not acknowledged.
fn say(line: &str) {
    let mut out = stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A credential, by what was acknowledged.
#[derive(Default)]
struct Known {
    version: u64,
    /// What it accepts: the current text, and before it the retiring one.
    accepted: Vec<String>,
    over: Vec<String>,
    revoked: bool,
    /// What was begun, and not acknowledged.
    begun: Option<String>,
}

impl Known {
    /// What it is once this is done; a text that nobody heard of is in nobody's hands.
    fn done(&mut self, what: &str, text: Option<&str>) {
        self.version += 1;
        self.begun = None;
        let kept = match what {
            "hour" => 1,
            "none" => 0,
            _ => {
                self.revoked = true;
                0
            }
        };
        self.over.extend(self.accepted.drain(..self.accepted.len().saturating_sub(kept)));
        self.accepted.extend(text.map(str::to_owned));
    }

    fn check(&mut self, id: &str, entry: &Entry, gate: &Authenticator) {
        let version = entry.record.version();
        match self.begun.take() {
            Some(begun) if version == self.version + 1 => self.done(&begun, None),
            _ => assert_eq!(version, self.version, "{id}: what was acknowledged, or what was begun"),
        }
        assert_eq!(entry.record.revocation().is_some(), self.revoked, "{id}");
        for (texts, class) in [(&self.accepted, None), (&self.over, Some(RefusalClass::Denied))] {
            for text in texts {
                let found = block_on(gate.authenticate([("x-api-key", text)]));
                assert_eq!(found.err().map(|refusal| refusal.class()), class, "{id}, {text}");
            }
        }
    }
}

fn parent() {
    let cycles = env::var("KEYGATE_CYCLES").map_or(50, |cycles| cycles.parse().unwrap());
    let ring = {
        let mut key = [0; 32];
        SystemRandom.fill(&mut key).unwrap();
        format!("1:active:{}", STANDARD.encode(key))
    };
    let (started, mut acknowledged, mut begun) = (Instant::now(), 0, 0);
    let mut cycle = 0;
    while cycle < cycles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.db");
        let mut users: BTreeMap<String, BTreeMap<String, Known>> = BTreeMap::new();
        for _ in 0..CYCLES_OF_A_FILE.min(cycles - cycle) {
            let user = format!("u-{cycle}");
            let heard = kill_one(&path, &ring, &user);
            acknowledged += heard.iter().filter(|line| !line.starts_with("begins")).count();
            let known = replay(&heard);
            begun += known.values().filter(|known| known.begun.is_some()).count();
            for number in 0..THREADS {
                users.entry(format!("{user}-{number}")).or_default();
            }
            check(&path, &ring, &mut users, known);
            cycle += 1;
        }
    }
    assert!(acknowledged > cycles, "the children are killed before they do anything");
    println!(
        "{cycles} kills, {acknowledged} acknowledged writes held, {begun} unacknowledged were done or not done: {:.1} s",
        started.elapsed().as_secs_f32()
    );
}

/// Starts a child, kills it after a random number of lines and a little while; all that it said.
fn kill_one(path: &Path, ring: &str, user: &str) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([Path::new("child"), path, ring.as_ref(), user.as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let [many, long] = random();
    let mut heard: Vec<String> = lines.by_ref().take(usize::from(many % 32)).map(Result::unwrap).collect();
    thread::sleep(Duration::from_micros(u64::from(long) * 20));
    end(&mut child);
    heard.extend(lines.map(Result::unwrap));
    heard
}

fn end(child: &mut Child) {
    assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
}

fn random() -> [u8; 2] {
    let mut bytes = [0; 2];
    SystemRandom.fill(&mut bytes).unwrap();
    bytes
}

fn replay(heard: &[String]) -> BTreeMap<String, Known> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for line in heard {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["issued", id, version, text] => {
                let accepted = vec![text.to_owned()];
                let version = version.parse().unwrap();
                known.insert(id.to_owned(), Known { version, accepted, ..Known::default() });
            }
            ["begins", id, what] => known.get_mut(id).unwrap().begun = Some(what.to_owned()),
            ["rotated", id, what, text] => known.get_mut(id).unwrap().done(what, Some(text)),
            ["revoked", id] => known.get_mut(id).unwrap().done("revoke", None),
            _ => panic!("{line}"),
        }
    }
    known
}

/// Opens the file as it was left, and compares.
fn check(
    path: &Path,
    ring: &str,
    users: &mut BTreeMap<String, BTreeMap<String, Known>>,
    mut fresh: BTreeMap<String, Known>,
) {
    let keys = DigestKeys::parse(ring).unwrap();
    let store = SqliteStore::open(path, Threading::inline()).unwrap();
    let raw = Connection::open(path).unwrap();
    let found: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    let broken = raw.query_row("PRAGMA foreign_key_check", [], |_| Ok(()));
    assert_eq!(broken, Err(rusqlite::Error::QueryReturnedNoRows));

    let gate = Authenticator::new(store.clone(), keys);
    for (user, known) in users {
        let entries = block_on(store.list(&Owner::user(user).unwrap(), None, usize::MAX)).unwrap();
        let mut unheard = 0;
        for entry in &entries {
            let id = entry.record.key().id.to_string();
            // The whole record or none: one that was not acknowledged decodes as well.
            match fresh.remove(&id) {
                Some(new) => drop(known.insert(id, new)),
                None if !known.contains_key(&id) => {
                    unheard += 1;
                    known.insert(id, Known { version: entry.record.version(), ..Known::default() });
                }
                None => {}
            }
        }
        assert!(unheard <= 1, "{user}: a thread has one write under way");
        for (id, known) in known {
            let entry = block_on(store.read(Kind::ApiKey, &CredentialId::parse(id).unwrap())).unwrap();
            known.check(id, &entry.expect("an acknowledged credential is there"), &gate);
        }
    }
    assert!(fresh.is_empty(), "acknowledged, and not there: {:?}", fresh.keys());
}
