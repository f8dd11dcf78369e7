//! The language of patterns a second time, written for plainness and differently from the library.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// The segments of a path or a pattern; the root has none.
pub(crate) fn segments(text: &str) -> Vec<&str> {
    let names = text.strip_prefix('/').unwrap();
    if names.is_empty() { Vec::new() } else { names.split('/').collect() }
}

/// By the table of wildcards, read as it stands: each wildcard tries every length.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (segments(pattern), segments(path));
    matches_from(&pattern, &path, &mut HashMap::new())
}

fn matches_from(pattern: &[&str], path: &[&str], known: &mut HashMap<(usize, usize), bool>) -> bool {
    if let Some(&answer) = known.get(&(pattern.len(), path.len())) {
        return answer;
    }
    let answer = match (pattern, path) {
        ([], path) => path.is_empty(),
        (["**", rest @ ..], path) => (0..=path.len()).any(|skip| matches_from(rest, &path[skip..], known)),
        (_, []) => false,
        (["*", rest @ ..], [_, path @ ..]) => matches_from(rest, path, known),
        ([segment, rest @ ..], [name, path @ ..]) => {
            segment_matches(segment.as_bytes(), name.as_bytes()) && matches_from(rest, path, known)
        }
    };
    known.insert((pattern.len(), path.len()), answer);
    answer
}

/// Row by row: after each byte of the pattern, which prefixes of the name it may have matched.
fn segment_matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut ends: Vec<bool> = (0..=name.len()).map(|end| end == 0).collect();
    for &byte in pattern {
        let before = ends.clone();
        for end in 0..ends.len() {
            ends[end] = match byte {
                b'*' => before[..=end].contains(&true),
                _ => end > 0 && before[end - 1] && name[end - 1] == byte,
            };
        }
    }
    ends[name.len()]
}

/// A shortest path that the one pattern matches and the other does not: both are made fully deterministic over an
/// alphabet that has all their letters and one more, and run side by side over every regular path.
///
/// `None` where there is none; the error is that the two are too large.
pub(crate) fn witness(narrower: &str, wider: &str, most: usize) -> Result<Option<String>, TooLarge> {
    let (narrower, wider) = (Machine::of(narrower), Machine::of(wider));
    let mut letters: BTreeSet<u8> = narrower.letters().chain(wider.letters()).collect();
    letters.insert(b'~');
    let start = (narrower.start(), wider.start(), Segment::Boundary);
    let mut seen = BTreeSet::from([start.clone()]);
    let mut queue = VecDeque::from([(start, String::new())]);
    while let Some(((narrow, wide, segment), word)) = queue.pop_front() {
        if segment.may_end() && narrower.accepts(&narrow) && !wider.accepts(&wide) {
            return Ok(Some(if word.is_empty() { "/".to_owned() } else { word }));
        }
        if seen.len() > most {
            return Err(TooLarge);
        }
        for &byte in letters.iter().chain(b"/") {
            let Some(segment) = segment.after(byte) else { continue };
            let narrow = narrower.after(&narrow, byte);
            if narrow.is_empty() {
                continue;
            }
            let state = (narrow, wider.after(&wide, byte), segment);
            if seen.insert(state.clone()) {
                let mut word = word.clone();
                word.push(char::from(byte));
                queue.push_back((state, word));
            }
        }
    }
    Ok(None)
}

#[derive(Debug)]
pub(crate) struct TooLarge;

/// How much of a segment has been written: no path has an empty one, `.` or `..`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Boundary,
    Empty,
    Dot,
    DotDot,
    Regular,
}

impl Segment {
    fn may_end(self) -> bool {
        matches!(self, Self::Boundary | Self::Regular)
    }

    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Boundary | Self::Regular, b'/') => Some(Self::Empty),
            (Self::Boundary, _) | (_, b'/') => None,
            (Self::Empty, b'.') => Some(Self::Dot),
            (Self::Dot, b'.') => Some(Self::DotDot),
            _ => Some(Self::Regular),
        }
    }
}

struct Machine<'a>(Vec<&'a str>);

/// Between two segments of the pattern, or in one before a byte of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Before(usize),
    In(usize, usize),
}

type States = BTreeSet<State>;

impl<'a> Machine<'a> {
    fn of(pattern: &'a str) -> Self {
        Self(segments(pattern))
    }

    fn letters(&self) -> impl Iterator<Item = u8> {
        self.0.iter().flat_map(|segment| segment.bytes()).filter(|&byte| byte != b'*')
    }

    fn start(&self) -> States {
        let mut states = States::new();
        self.add(State::Before(0), &mut states);
        states
    }

    /// With what needs no byte.
    fn add(&self, state: State, states: &mut States) {
        states.insert(state);
        match state {
            State::Before(index) if self.0.get(index) == Some(&"**") => {
                self.add(State::Before(index + 1), states);
            }
            State::In(index, at)
                if self.0[index] != "**" && self.0[index].as_bytes().get(at) == Some(&b'*') =>
            {
                self.add(State::In(index, at + 1), states);
            }
            _ => {}
        }
    }

    fn after(&self, states: &States, byte: u8) -> States {
        let mut next = States::new();
        for &state in states {
            match (state, byte) {
                (State::Before(index), b'/') if index < self.0.len() => {
                    self.add(State::In(index, 0), &mut next);
                }
                (State::Before(_), _) => {}
                (State::In(index, at), b'/') => {
                    for before in self.ends(index, at) {
                        let mut boundary = States::new();
                        self.add(State::Before(before), &mut boundary);
                        next.extend(self.after(&boundary, b'/'));
                    }
                }
                (State::In(index, _), _) if self.0[index] == "**" => self.add(state, &mut next),
                (State::In(index, at), _) => match self.0[index].as_bytes().get(at) {
                    Some(b'*') => self.add(state, &mut next),
                    Some(&wanted) if wanted == byte => self.add(State::In(index, at + 1), &mut next),
                    _ => {}
                },
            }
        }
        next
    }

    /// Before which segments a segment may be at its end.
    fn ends(&self, index: usize, at: usize) -> Vec<usize> {
        match self.0[index] {
            "**" => vec![index, index + 1],
            segment if at == segment.len() => vec![index + 1],
            _ => vec![],
        }
    }

    fn accepts(&self, states: &States) -> bool {
        let end = State::Before(self.0.len());
        states.iter().any(|&state| match state {
            State::Before(_) => state == end,
            State::In(index, at) => self.ends(index, at).into_iter().any(|before| {
                let mut boundary = States::new();
                self.add(State::Before(before), &mut boundary);
                boundary.contains(&end)
            }),
        })
    }
}
