//! Several processes on one file.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use keygate::{Kind, Store as _, Updated};
use pollster::block_on;

use crate::child::{command, said};
use crate::support::{File, built, id, of, put, read, user};

fn together(task: &str, file: &File) -> Vec<Vec<String>> {
    let children: Vec<Child> =
        (0..3).map(|_| command(task, file.path()).stdout(Stdio::piped()).spawn().unwrap()).collect();
    children.into_iter().map(|child| said(child.wait_with_output().unwrap())).collect()
}

/// Three processes make the file at the same time, and then each id.
#[test]
fn an_id_is_inserted_by_one_process() {
    let file = File::new();
    let won = together("insert", &file);
    let all: BTreeSet<&String> = won.iter().flatten().collect();
    assert_eq!((won.iter().map(Vec::len).sum::<usize>(), all.len()), (200, 200));
    assert_eq!(block_on(file.open().list(&user("u-17"), None, usize::MAX)).unwrap().len(), 200);
}

/// Compare-and-swap holds between processes: no update is lost.
#[test]
fn no_update_of_another_process_is_lost() {
    let file = File::new();
    let record = put(&file.open(), of(&user("u-17"), "counter"));
    together("count", &file);
    assert_eq!(read(&file.open(), record.key()).unwrap().record.version(), 301);
}

/// What one handle acknowledged the next read of another finds.
#[test]
fn two_handles_on_one_file_agree() {
    let file = File::new();
    let (one, other) = (file.open(), file.open());
    let record = put(&one, of(&user("u-17"), "a"));
    assert_eq!(read(&other, record.key()).unwrap().record.version(), 1);
    let next = built(record.to_builder().version(2).disabled(true));
    assert_eq!(block_on(other.update(1, &next)).unwrap(), Updated::Yes);
    assert!(read(&one, record.key()).unwrap().record.is_disabled());
    assert_eq!(block_on(one.update(1, &next)).unwrap(), Updated::Changed);
    let found = block_on(keygate::Lookup::find(&one, Kind::ApiKey, &id("a"))).unwrap();
    assert_eq!(found.unwrap().version(), 2);
}
