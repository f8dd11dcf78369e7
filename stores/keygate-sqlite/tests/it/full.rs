//! A file that cannot grow.

use std::process::Command;

use keygate::Store as _;
use pollster::block_on;

use crate::child::{ARGUMENTS, said};
use crate::support::{File, ids, of, put, user};

/// The system refuses to make the files longer: what was acknowledged is there, nothing is half there, and the store works
/// again where there is room. What SQLite calls full is tested beside the connections, where its own limit can be set.
#[cfg(unix)]
#[test]
fn a_limit_of_the_system_is_an_error_and_does_no_harm() {
    let file = File::new();
    drop(file.open());
    let mut shell = Command::new("sh");
    // The signal that would end the process is ignored, as services do that want the error.
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 4000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    shell.args(ARGUMENTS).env("KEYGATE_CHILD", "fill").env("KEYGATE_CHILD_FILE", file.path());
    let mut heard = said(shell.output().unwrap());
    let error = heard.pop().unwrap();
    assert!(error.starts_with("Unavailable, ") && error.contains("look at its disk"), "{error}");
    assert!(heard.len() > 50, "{}", heard.len());

    let store = file.open();
    let mut expected: Vec<String> = heard.iter().map(|number| format!("id-{number}")).collect();
    expected.sort();
    assert_eq!(ids(&block_on(store.list(&user("u-17"), None, usize::MAX)).unwrap()), expected);
    let found: String = file.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    put(&store, of(&user("u-17"), "after"));
}
