//! `cargo bench -p keygate-peers --bench memory_store`: how the memory store bears many records, and a writer beside its
//! readers.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keygate::{CredentialKey, Lookup as _, MemoryStore, Peek, Store as _, Updated};
use keygate_peers::case::order_of;
use keygate_peers::driven::{Service, now};
use keygate_peers::pure;

fn main() {
    // `cargo bench` says `--bench`; without it one small pass shows that all works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if is_bench { &[1_000, 100_000, 1_000_000] } else { &[1_000] };
    println!(
        "a gate over so many records, each presented once a pass in a shuffled order, against the floor over as many"
    );
    println!("{:>9} {:>9} {:>8} {:>8} {:>15}", "records", "x floor", "10 %", "90 %", "bytes a record");
    for &records in sizes {
        let rounds = if is_bench { (2_000_000 / records).clamp(5, 401) } else { 1 };
        by_size(records, rounds);
    }
    println!();
    readers_beside_a_writer(if is_bench { Duration::from_secs(1) } else { Duration::from_millis(10) });
}

/// The gate and the floor in turn, each over all records.
fn by_size(records: usize, rounds: usize) {
    let mut service = None;
    let counted = allocation_counter::measure(|| service = Some(Service::of(records)));
    let service = service.expect("it was made");
    let texts_take: usize = service.texts().iter().map(|text| text.capacity() + size_of::<String>()).sum();
    let bytes = usize::try_from(counted.bytes_current).expect("nothing was freed").saturating_sub(texts_take);

    let floor = pure::floor_of(service.texts());
    let headers = service.headers();
    let order = order_of(records);
    let time = |operation: &dyn Fn(usize) -> bool| {
        let start = Instant::now();
        assert!(order.iter().all(|request| black_box(operation(black_box(*request)))));
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|_| {
            let floor = time(&|request| floor(request));
            time(&|request| service.permits(&headers.of(request))) / floor
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [10, 50, 90].map(|percent| ratios[(ratios.len() - 1) * percent / 100]);
    println!("{records:>9} {median:>9.2} {low:>8.2} {high:>8.2} {:>15}", bytes / records);
    println!("ratio memory_store_{records} {median:.2} 0");
}

/// Reads a second of 1,024 records, by one thread and by two, alone and while another thread replaces records.
fn readers_beside_a_writer(time: Duration) {
    let (store, keys) = Service::records(1_024);
    let alone = reads(&store, &keys, 1, false, time);
    println!("reads, as multiples of those of one thread alone; this machine has {} cores", cores());
    for (readers, writes) in [(1, false), (2, false), (1, true), (2, true)] {
        let found = reads(&store, &keys, readers, writes, time);
        let beside = if writes { ", one writes" } else { "" };
        println!("{readers} reading{beside:<13} {:>6.2} x {:>12.0} a second here", found / alone, found);
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

fn reads(store: &MemoryStore, keys: &[CredentialKey], readers: usize, writes: bool, time: Duration) -> f64 {
    let (over, order) = (Arc::new(AtomicBool::new(false)), order_of(keys.len()));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..readers)
            .map(|reader| {
                let (over, order) = (Arc::clone(&over), &order);
                scope.spawn(move || {
                    let mut count = 0_u64;
                    while !over.load(Ordering::Relaxed) {
                        for &place in order.iter().cycle().skip(reader * keys.len() / 2).take(keys.len()) {
                            let CredentialKey { kind, id } = &keys[place];
                            assert!(matches!(black_box(store.peek(*kind, id)), Peek::Known(_)));
                            count += 1;
                        }
                    }
                    count
                })
            })
            .collect();
        if writes {
            let over = Arc::clone(&over);
            scope.spawn(move || {
                for key in keys.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let entry = now(store.read(key.kind, &key.id)).expect("in memory").expect("it is there");
                    let seen = entry.record.version();
                    let record = entry.record.to_builder().version(seen + 1).build().expect("a record");
                    let updated = now(store.update(seen, &Arc::new(record))).expect("in memory");
                    assert_eq!(updated, Updated::Yes, "one thread writes");
                }
            });
        }
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        let counts = readers.into_iter().map(|reader| reader.join().expect("a reader"));
        counts.sum::<u64>() as f64 / time.as_secs_f64()
    })
}
