//! Two more processes with a cache each on one file: what this one changed is seen by them within the bound.
//!
//! `cargo test -p keygate-sqlite --test freshness`; `KEYGATE_BOUND_MS=5000` for another bound than 300 ms.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that is wrong should stop; three processes have only the system's clock in common"
)]

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Lines, Write as _, stdin, stdout};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    Action, Authenticator, Cached, DigestKeys, Expiry, Issuer, NewServiceAccount, Owner, RandomSource as _,
    RefusalClass, Resource, SystemRandom,
};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;

/// What the system's clock may be set by meanwhile. However late a process is, it takes the time before it asks.
const SLACK: Duration = Duration::from_millis(20);
const CREDENTIALS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", path, ring] => child(path.as_ref(), ring),
        _ => parent(),
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// 300 ms, or what is asked for; the other processes are asked for the same.
fn bound() -> Duration {
    let given = env::var_os("KEYGATE_BOUND_MS");
    let read = |text: OsString| text.to_str()?.parse().ok();
    Duration::from_millis(given.map_or(300, |text| read(text).expect("KEYGATE_BOUND_MS is a number")))
}

fn cached(path: &Path) -> Cached<SqliteStore> {
    let store = SqliteStore::open(path, Threading::inline()).unwrap();
    Cached::builder(store).max_staleness(bound()).max_absence(bound()).build().unwrap()
}

/// Asks for each credential, over and over, and once more when it is told to stop; then says when each was asked for that was
/// permitted last, and how often it was permitted and not.
fn child(path: &Path, ring: &str) {
    let gate = Authenticator::new(cached(path), DigestKeys::parse(ring).unwrap());
    let texts: Vec<String> = stdin().lines().take(CREDENTIALS).map(|line| line.unwrap()).collect();
    let (sender, told_to_stop) = mpsc::channel();
    thread::spawn(move || sender.send(stdin().lines().next().is_some()));
    let resource = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    // When it was asked for, and whether it was permitted. Undecided is what a process gets that had no processor for longer than
    // the bound; then it asks again.
    let ask = |text: &str| {
        let asked = now();
        match block_on(gate.authenticate([("authorization", format!("Bearer {text}"))])) {
            Ok(caller) => Some((asked, gate.decide(&caller, Action::Read, &resource).granted().is_ok())),
            Err(refusal) if refusal.class() == RefusalClass::Undecided => None,
            Err(_) => Some((asked, false)),
        }
    };
    let mut last = vec![Duration::ZERO; CREDENTIALS];
    let (mut permitted, mut refused) = (0_u64, 0_u64);
    let mut is_last = false;
    while !is_last {
        is_last = told_to_stop.try_recv().is_ok();
        // From the last one on: what is changed first was fetched a moment ago, and is kept for the whole bound.
        for (text, last) in texts.iter().zip(&mut last).rev() {
            let (asked, is_permitted) = (0..100).find_map(|_| ask(text)).unwrap();
            if is_permitted {
                *last = asked;
                permitted += 1;
            } else {
                refused += 1;
            }
        }
        if permitted + refused == 1_000 {
            // Said after the first round, whatever it came to: the parent waits for a word.
            println!("{refused} of the first round refused");
            stdout().flush().unwrap();
        }
    }
    println!("{permitted} {refused}");
    last.iter().for_each(|last| println!("{}", last.as_nanos()));
}

fn parent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.db");
    let ring = {
        let mut key = [0; 32];
        SystemRandom.fill(&mut key).unwrap();
        format!("1:active:{}", STANDARD.encode(key))
    };
    let cached = cached(&path);
    let issuer = Issuer::new(cached.clone(), DigestKeys::parse(&ring).unwrap());
    let issued: Vec<_> = (0..CREDENTIALS)
        .map(|_| {
            let new =
                NewServiceAccount::new("acme", Expiry::Never).scope("read@web/prod:/app/**".parse().unwrap());
            block_on(issuer.service_accounts().issue(new)).unwrap()
        })
        .collect();

    let mut children: Vec<(Child, Lines<BufReader<ChildStdout>>)> = (0..2)
        .map(|_| {
            let mut child = Command::new(env::current_exe().unwrap())
                .args(["child".as_ref(), path.as_os_str(), ring.as_ref()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            for issued in &issued {
                writeln!(child.stdin.as_mut().unwrap(), "{}", issued.text.expose()).unwrap();
            }
            let said = BufReader::new(child.stdout.take().unwrap()).lines();
            (child, said)
        })
        .collect();
    for (_, said) in &mut children {
        let word = said.next().unwrap().unwrap();
        assert_eq!(word, "0 of the first round refused", "each was permitted before it was changed");
    }

    let accounts = issuer.service_accounts().owned_by(Owner::organization("acme").unwrap());
    let gate = Authenticator::new(cached, DigestKeys::parse(&ring).unwrap());
    let acknowledged: Vec<Duration> = issued
        .iter()
        .enumerate()
        .map(|(at, issued)| {
            let id = issued.record.key().id;
            let changed = match at % 3 {
                0 => block_on(accounts.revoke(&id, "left")).map(drop),
                1 => block_on(accounts.disable(&id)).map(drop),
                _ => block_on(accounts.set_scopes(&id, ["read@web/staging:/**".parse().unwrap()])).map(drop),
            };
            changed.unwrap();
            let acknowledged = now();
            // In this process at once.
            let line = [("authorization", format!("Bearer {}", issued.text.expose()))];
            let resource = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
            let here = block_on(gate.authenticate(line));
            assert!(
                !here.is_ok_and(|caller| gate.decide(&caller, Action::Read, &resource).granted().is_ok())
            );
            acknowledged
        })
        .collect();
    let bound = bound();
    thread::sleep(bound + SLACK);

    for (mut child, mut said) in children {
        writeln!(child.stdin.as_mut().unwrap(), "stop").unwrap();
        let counts = said.next().unwrap().unwrap();
        // It went on asking: not in its last round alone was it refused.
        let refused: usize = counts.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(refused > CREDENTIALS, "{counts}");
        let latest = acknowledged.iter().map(|acknowledged| {
            let last: u128 = said.next().unwrap().unwrap().parse().unwrap();
            last.saturating_sub(acknowledged.as_nanos())
        });
        let latest = Duration::from_nanos(latest.max().unwrap().try_into().unwrap());
        println!(
            "permitted and refused: {counts}; latest success after an acknowledgement: {latest:?}, bound: {bound:?}"
        );
        assert!(latest <= bound + SLACK, "{latest:?} after a change was acknowledged");
        assert!(child.wait().unwrap().success());
    }
}
