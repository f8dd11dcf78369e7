//! Promise P4 through the authenticator: of all single edits of a valid text, none authenticates as anybody.

use keygate::Kind;
use pollster::block_on;

use super::World;
use crate::support::edits::edits;
use crate::support::fixtures::line;

#[test]
fn no_single_edit_authenticates() {
    let world = World::peeking();
    // Neighbours that an edit could lead to, if one could.
    for kind in Kind::ALL {
        (0..10).for_each(|_| drop(world.issue(kind)));
    }
    let gate = keygate::Authenticator::builder(world.store.store.clone(), world.keys.clone())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    for kind in Kind::ALL {
        let (text, record) = world.issue(kind);
        let (name, value) = line(&text);
        let before = &value.as_bytes()[..value.len() - text.len()];
        let found = |text: &[u8]| block_on(gate.authenticate([(name, [before, text].concat())]));
        assert_eq!(found(text.as_bytes()).unwrap().credential(), record.key());
        let mut tried = 0;
        for variant in edits(text.as_bytes()) {
            // White space at the edges belongs to the header and not to the text.
            if variant.trim_ascii() == text.as_bytes()
                && !variant.iter().any(|byte| b"\r\n\x0c".contains(byte))
            {
                continue;
            }
            assert!(found(&variant).is_err(), "{}", variant.escape_ascii());
            tried += 1;
        }
        assert!(tried > 28_000, "{tried}");
        // A client key is not part of the proof, for service tokens alone.
        let with_key = found(format!("{text}.db156ccb0c0897abb2dee9f9e59c845b").as_bytes());
        assert_eq!(with_key.is_ok(), kind == Kind::ServiceToken);
    }
}
