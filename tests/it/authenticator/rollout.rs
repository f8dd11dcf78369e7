//! Promise P11: two processes go through a whole change of the digest key, in every order of their restarts, and no valid
//! credential is refused at any moment.

use std::sync::Arc;

use keygate::{
    Authenticator, CredentialKey, CredentialText, DigestKey, DigestKeys, Expiry, Issued, Issuer, Kind,
    Lifetime, NewApiKey, NewServiceAccount, NewServiceToken, Overlap, Owner, SlotCount, Store, UseRecorder,
};
use pollster::block_on;

use super::{World, ask};
use crate::decision::{key_bytes, ring};
use crate::support::random::SeededSource;

/// What a process is configured with, from before the change to after it.
const STEPS: usize = 6;
const UPGRADING: usize = 3;

fn keys(step: usize) -> DigestKeys {
    match step {
        0 => ring(1, &[]),
        1 => ring(1, &[2]),
        2 | UPGRADING => ring(2, &[1]),
        4 => {
            let old = ring(2, &[1]).guard_only_text(1).unwrap();
            let new = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key_bytes(2));
            DigestKeys::parse(&format!("{},2:active:{new}", old.expose())).unwrap()
        }
        _ => DigestKeys::new([DigestKey::active(2, &key_bytes(2)).unwrap()]).unwrap(),
    }
}

/// One process, as it runs from its last restart on: nothing is kept over it but the store.
struct Process {
    gate: Authenticator,
    issuer: Issuer,
    uses: UseRecorder,
}

impl Process {
    fn start(world: &World, source: &Arc<SeededSource>, step: usize) -> Self {
        let uses = UseRecorder::builder(Arc::clone(&world.store)).clock(world.clock.clone());
        let uses = if step >= UPGRADING { uses.upgrade_digests() } else { uses }.build().unwrap();
        let gate = Authenticator::builder(Arc::clone(&world.store), keys(step)).clock(world.clock.clone());
        let issuer = Issuer::builder(Arc::clone(&world.store), keys(step)).clock(world.clock.clone());
        Self {
            gate: gate.use_recorder(uses.clone()).build().unwrap(),
            issuer: issuer.random(Arc::clone(source)).build().unwrap(),
            uses,
        }
    }

    fn issue(&self, kind: Kind) -> Issued {
        let scope = || "*@web/prod:/**".parse().unwrap();
        block_on(async {
            match kind {
                Kind::ApiKey => self.issuer.api_keys().issue(NewApiKey::new("u-17", Expiry::Never)).await,
                Kind::ServiceAccount => {
                    let new = NewServiceAccount::new("acme", Expiry::Never).scope(scope());
                    self.issuer.service_accounts().issue(new).await
                }
                Kind::ServiceToken => {
                    let new = NewServiceToken::new("acme", "web", Lifetime::days(1)).scope(scope());
                    self.issuer.service_tokens().issue(new).await
                }
            }
        })
        .unwrap()
    }

    fn rotate(&self, key: CredentialKey, overlap: Overlap) -> Issued {
        block_on(async {
            match key.kind {
                Kind::ApiKey => {
                    self.issuer
                        .api_keys()
                        .owned_by(Owner::user("u-17").unwrap())
                        .rotate(&key.id, overlap)
                        .await
                }
                Kind::ServiceAccount => {
                    let owner = Owner::organization("acme").unwrap();
                    self.issuer.service_accounts().owned_by(owner).rotate(&key.id, overlap).await
                }
                Kind::ServiceToken => {
                    let owner = Owner::project("acme", "web").unwrap();
                    self.issuer.service_tokens().owned_by(owner).rotate(&key.id, overlap).await
                }
            }
        })
        .unwrap()
    }
}

/// The texts that are out there and have to hold.
type Valid = Vec<(CredentialKey, String)>;

#[track_caller]
fn all_hold(processes: &[Process; 2], valid: &Valid, when: &str) {
    for (at, process) in processes.iter().enumerate() {
        for (key, text) in valid {
            match ask(&process.gate, text) {
                Ok(caller) => assert_eq!(caller.credential(), *key),
                Err(refusal) => panic!("{when}: process {at} refuses {key}: {}", refusal.reason()),
            }
        }
    }
}

/// What still needs the old key.
fn old(world: &World) -> SlotCount {
    let none = SlotCount { slot: 1, digests: 0, guards: 0 };
    let now = keygate::Clock::now(&world.clock);
    block_on(world.store.store.count_slots(now))
        .unwrap()
        .into_iter()
        .find(|count| count.slot == 1)
        .unwrap_or(none)
}

/// Both processes take one step, in this order of restarts; in between, each issues, rotates and is asked for everything.
fn take_step(
    world: &World,
    source: &Arc<SeededSource>,
    processes: &mut [Process; 2],
    valid: &mut Valid,
    step: usize,
    first: usize,
) {
    for restarted in [first, 1 - first] {
        processes[restarted] = Process::start(world, source, step);
        let when = format!("step {step}, process {first} first, process {restarted} restarted");
        all_hold(processes, valid, &when);
        for process in &*processes {
            for kind in Kind::ALL {
                let issued = process.issue(kind);
                let key = issued.record.key();
                valid.push((key, issued.text.expose().to_owned()));
                // Of every other one both secrets hold from here on.
                if valid.len().is_multiple_of(2) {
                    let rotated = process.rotate(key, Overlap::days(1));
                    valid.push((key, rotated.text.expose().to_owned()));
                }
            }
        }
        all_hold(processes, valid, &when);
        for process in &*processes {
            block_on(process.uses.flush()).unwrap();
        }
        all_hold(processes, valid, &when);
    }
}

#[test]
fn no_valid_credential_is_refused() {
    // Which of the two is restarted first, at each step but the start.
    for order in 0..1 << (STEPS - 1) {
        let world = World::new(if order % 2 == 0 { |_| false } else { |_| true });
        let source = Arc::new(SeededSource::new(order));
        let mut processes = [0, 1].map(|_| Process::start(&world, &source, 0));
        let mut valid = Valid::new();
        for step in 1..STEPS {
            if step == UPGRADING {
                assert!(old(&world).digests > 0, "or there is nothing to upgrade");
            }
            if step == 4 {
                // The old key's digests are upgraded as their texts are used, one secret of a record at a time.
                let mut rounds = 0;
                while old(&world).digests > 0 {
                    all_hold(&processes, &valid, "upgrading");
                    for process in &processes {
                        block_on(process.uses.flush()).unwrap();
                    }
                    rounds += 1;
                    assert!(rounds <= 3, "{:?}", old(&world));
                }
            }
            if step == 5 {
                // The old key's guards are in texts, which only a rotation replaces.
                assert!(old(&world).guards > 0, "or there is nothing to wait for");
                let has_old_guard = |text: &str| CredentialText::parse(text).unwrap().key_slot() == Some(1);
                let mut due: Vec<_> =
                    valid.iter().filter(|(_, text)| has_old_guard(text)).map(|(key, _)| *key).collect();
                due.sort_unstable();
                due.dedup();
                for key in due {
                    valid.retain(|(other, _)| *other != key);
                    let rotated = processes[step % 2].rotate(key, Overlap::NONE);
                    valid.push((key, rotated.text.expose().to_owned()));
                }
                assert_eq!(old(&world), SlotCount { slot: 1, digests: 0, guards: 0 });
            }
            take_step(
                &world,
                &source,
                &mut processes,
                &mut valid,
                step,
                usize::from(order & (1 << (step - 1)) != 0),
            );
        }
        assert_eq!(
            block_on(world.store.store.count_slots(keygate::Clock::now(&world.clock))).unwrap().len(),
            1
        );
        assert!(valid.len() > 60, "{}", valid.len());
    }
}

/// Each step too early refuses somebody: the order is what it is for a reason.
#[test]
fn a_step_too_early_refuses_somebody() {
    let (world, source) = (World::asking(), Arc::new(SeededSource::new(7)));
    let at = |step| Process::start(&world, &source, step);
    let issued_by = |step| at(step).issue(Kind::ServiceToken).text.expose().to_owned();
    let asked = |step, text: &str| super::code(ask(&at(step).gate, text));
    assert_eq!(asked(0, &issued_by(2)), "unknown_guard_key", "active before it was added everywhere");
    assert_eq!(asked(4, &issued_by(1)), "unknown_digest_key", "guard only before all were upgraded");
    assert_eq!(asked(5, &issued_by(1)), "unknown_guard_key", "dropped while texts were out there");
    // Upgraded by one process while the other has the new key not yet: its guard passes, and its record does not verify.
    let text = issued_by(0);
    let early = at(UPGRADING);
    assert!(ask(&early.gate, &text).is_ok());
    assert_eq!(block_on(early.uses.flush()).unwrap().upgrades, 1);
    assert_eq!(asked(0, &text), "unknown_digest_key");
    assert_eq!(asked(1, &text), "caller");
}
