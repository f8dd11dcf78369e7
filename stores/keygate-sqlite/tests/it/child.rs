//! Other processes, which are this binary once more.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use keygate::{Inserted, Store as _};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;

use crate::support::{File, at, built, chain, of, read, user};

const TASK: &str = "KEYGATE_CHILD";
const FILE: &str = "KEYGATE_CHILD_FILE";

/// What the child prints begins so; the harness prints as well.
const SAYS: &str = "child: ";

/// This binary, as a process that does a task with a file.
pub(crate) fn command(task: &str, file: &Path) -> Command {
    started(env::current_exe().unwrap().as_os_str(), task, file)
}

/// The same of a copy, or by a shell.
pub(crate) fn started(program: &OsStr, task: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(ARGUMENTS).env(TASK, task).env(FILE, file);
    command
}

pub(crate) const ARGUMENTS: [&str; 3] = ["--exact", "child::a_child_does_its_task", "--nocapture"];

/// What a child said.
#[track_caller]
pub(crate) fn said(output: Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| Some(line.split_once(SAYS)?.1.to_owned())).collect()
}

/// What other tests start once more as a process: with a task it does that, and without one it sees whether such a process does.
#[test]
fn a_child_does_its_task() {
    let (Ok(task), Some(file)) = (env::var(TASK), env::var_os(FILE)) else {
        let file = File::new();
        assert_eq!(said(command("open", file.path()).output().unwrap()), ["it is open"]);
        return;
    };
    let file = Path::new(&file);
    match &*task {
        "open" => match SqliteStore::open(file, Threading::inline()) {
            Ok(_) => println!("{SAYS}it is open"),
            Err(error) => println!("{SAYS}{error:?}, {}", chain(&error)),
        },
        "insert" => insert(file),
        "count" => count(file),
        "fill" => fill(file),
        _ => panic!("{task}"),
    }
}

/// Adds ids that other processes add, too, and says which of them are its own.
fn insert(file: &Path) {
    let store = SqliteStore::open(file, Threading::inline()).unwrap();
    for number in 0..200 {
        let record = built(of(&user("u-17"), &format!("id-{number}")));
        if block_on(store.insert(&record)).unwrap() == Inserted::Yes {
            println!("{SAYS}{number}");
        }
    }
}

/// Counts a record's version up, as often as asked for; what another process counted in between is not lost.
fn count(file: &Path) {
    let store = SqliteStore::open(file, Threading::inline()).unwrap();
    let key = built(of(&user("u-17"), "counter")).key();
    let mut done = 0;
    while done < 100 {
        let seen = read(&store, key).unwrap().record;
        let next = built(seen.to_builder().version(seen.version() + 1));
        if block_on(store.update(seen.version(), &next)).unwrap() == keygate::Updated::Yes {
            done += 1;
        }
    }
}

/// Adds records until that fails; which were acknowledged, and why it failed.
fn fill(file: &Path) {
    let store = SqliteStore::open(file, Threading::inline()).unwrap();
    for number in 0..100_000 {
        let record = built(
            of(&user("u-17"), &format!("id-{number}"))
                .revoked(keygate::Revocation::new(at(1), &"x".repeat(200))),
        );
        match block_on(store.insert(&record)) {
            Ok(inserted) => {
                assert_eq!(inserted, Inserted::Yes);
                println!("{SAYS}{number}");
            }
            Err(error) => {
                println!("{SAYS}{:?}, {}", error.kind(), chain(&error));
                return;
            }
        }
    }
}
