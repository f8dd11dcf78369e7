//! Containment of patterns: does one match whatever another matches?

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{BitAnd, BitOr, Not};

use super::path::{ANY_DEPTH, Shape, without_root};
use crate::{Pattern, SecretPath};

/// Whether every path of one pattern is a path of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a security decision needs no `_` arm")]
pub enum Containment {
    /// It is.
    Contained,
    /// There is a path that only the narrower one matches.
    NotContained,
    /// It was not decided within the budget of work, and counts as no.
    TooComplex,
}

impl Pattern<'_> {
    /// Whether this pattern matches every path that `narrower` matches.
    ///
    /// It is decided on the patterns as languages over paths of any length, not by sampling: sound always, and exact
    /// whatever the spelling, within a fixed budget of at least 4,096 pairs of a place in `narrower` and a set of
    /// places in this pattern. A pattern contains itself whatever the budget.
    ///
    /// ```
    /// use keygate::{Containment, Pattern};
    ///
    /// let parent = Pattern::parse("/*/**")?;
    /// assert_eq!(parent.contains(Pattern::parse("/**/db")?), Containment::Contained);
    /// assert_eq!(parent.contains(Pattern::parse("/**")?), Containment::NotContained); // only one of them matches `/`
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    #[must_use]
    pub fn contains(self, narrower: Pattern<'_>) -> Containment {
        self.contains_within(narrower, &mut Budget::of_a_set())
    }

    pub(super) fn contains_within(self, narrower: Pattern<'_>, budget: &mut Budget) -> Containment {
        let contained = if self.as_str() == narrower.as_str() || self.shape() == Shape::Everything {
            true
        } else if narrower.shape() == Shape::Literal {
            // A pattern without stars is its only path, and keeps the limits of one.
            SecretPath::parse(narrower.as_str()).is_ok_and(|path| self.matches(path))
        } else if self.shape() == Shape::Literal {
            // A pattern with a star matches more than one path.
            false
        } else {
            // Most pairs of two sets differ before their first star, and cost nothing of the budget.
            match shared_beginning(self.as_str(), narrower.as_str()) {
                Some(shared) => return Search::new(self, narrower, budget).run(shared),
                None => false,
            }
        };
        if contained { Containment::Contained } else { Containment::NotContained }
    }
}

/// How many bytes two patterns share before the first star of either, without the slash that belongs to a `**`; `None`
/// where they differ before that, so that no path is matched by both.
fn shared_beginning(wider: &str, narrower: &str) -> Option<usize> {
    let literal = |pattern| {
        let pattern = without_root(pattern);
        let end = pattern.find(ANY_DEPTH).into_iter().chain(pattern.find('*')).min().unwrap_or(pattern.len());
        pattern.as_bytes().get(..end).unwrap_or_default()
    };
    let (wider, narrower) = (literal(wider), literal(narrower));
    let shared = wider.len().min(narrower.len());
    (wider.get(..shared) == narrower.get(..shared)).then_some(shared)
}

/// How much work may still be done, in comparisons of two sets (some nanoseconds each).
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
}

impl Budget {
    /// What a pattern against a pattern may cost.
    ///
    /// 4,096 pairs fit in, even if all have the same place, so that each is compared with all before it when it is
    /// reached first, and with all others when it is reached again: 4,096 steps, 4,096 · 4,095 / 2 comparisons and
    /// 4,096 · 4,096 comparisons.
    const PATTERN: u32 = 40 << 20;
    /// What a set against a set may cost: it bounds the time of 256 rules against 256.
    const SET: u32 = 4 * Self::PATTERN;
    /// What it costs to step from a pair: its time and its memory.
    const STEP: u32 = 4_096;

    pub(super) const fn of_a_set() -> Self {
        Self { left: Self::SET }
    }
}

/// A search for a path that the generator makes and the acceptor refuses.
///
/// The acceptor is made deterministic on the way: what is visited are pairs of a place of the generator and the set
/// of places that the acceptor may be at. Two facts keep them few.
///
/// - A set that contains another accepts whatever the other accepts. So a pair is left out if one with the same place
///   and a smaller set was visited.
/// - A letter that no place of the set waits for leads to the smallest set. So where the generator may write any
///   letter and there is one such, it alone is tried.
///
/// For the first to help most, small sets come first: the last pair is taken first, and a star is left last, because
/// the longer it has written such letters the fewer places are left.
///
/// The generator also makes segments `.` and `..` (`/.*`, `/*`), which no path has. That changes no answer: where it
/// makes one of them, it also makes it with any of the 65 other letters in its place or added, and a segment of the
/// acceptor that refuses the `.` or `..` takes what has such a letter for one letter at most. A pattern has no more
/// than 64 segments. So if such a text is refused, a path is refused as well.
struct Search<'a, 'b> {
    acceptor: Acceptor,
    generator: Generator<'a>,
    budget: &'b mut Budget,
    spent: u32,
    pairs: Vec<(Place, Set)>,
    visited: BTreeMap<Place, Vec<Set>>,
}

impl<'a, 'b> Search<'a, 'b> {
    fn new(wider: Pattern<'_>, narrower: Pattern<'a>, budget: &'b mut Budget) -> Self {
        Self {
            acceptor: Acceptor::new(without_root(wider.as_str()).as_bytes()),
            generator: Generator(without_root(narrower.as_str()).as_bytes()),
            budget,
            spent: 0,
            pairs: Vec::new(),
            visited: BTreeMap::new(),
        }
    }

    /// From behind the bytes that both share.
    fn run(&mut self, shared: usize) -> Containment {
        self.reach(Place::at(shared), self.acceptor.at(shared));
        while let Some((place, set)) = self.pairs.pop() {
            if !self.spend(Budget::STEP) {
                return Containment::TooComplex;
            }
            // Every place of the generator leads to its end.
            if set.is_empty() || (self.generator.is_end(place) && !self.acceptor.accepts(set)) {
                return Containment::NotContained;
            }
            self.step(place, set);
        }
        Containment::Contained
    }

    fn step(&mut self, place: Place, set: Set) {
        let moves = self.generator.moves(place);
        if let Some(place) = moves.silent {
            self.reach(place, set);
        }
        if let Some((byte, place)) = moves.byte {
            self.reach(place, self.acceptor.after(set, byte));
        }
        if let Some(place) = moves.letter {
            match LETTERS.iter().find(|&&letter| !self.acceptor.waits_for(set, letter)) {
                Some(&letter) => self.reach(place, self.acceptor.after(set, letter)),
                None => {
                    for &letter in LETTERS {
                        self.reach(place, self.acceptor.after(set, letter));
                    }
                }
            }
        }
    }

    fn reach(&mut self, place: Place, set: Set) {
        if self.acceptor.accepts_all(set) {
            return;
        }
        let visited = self.visited.entry(place).or_default();
        let smaller = visited.iter().position(|&visited| visited.is_within(set));
        let comparisons = smaller.unwrap_or(visited.len());
        if smaller.is_none() {
            visited.push(set);
            self.pairs.push((place, set));
        }
        self.spend(u32::try_from(comparisons).unwrap_or(u32::MAX));
    }

    /// False when the budget is used up.
    fn spend(&mut self, work: u32) -> bool {
        self.spent = self.spent.saturating_add(work);
        self.budget.left = self.budget.left.saturating_sub(work);
        self.spent <= Budget::PATTERN && self.budget.left > 0
    }
}

/// The unreserved characters.
const LETTERS: &[u8; 66] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

/// The narrower pattern, as what makes all its paths and nothing else.
struct Generator<'a>(&'a [u8]);

/// A byte of the narrower pattern, and whether the segment there that must not be empty has begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: usize,
    begun: bool,
}

/// What the generator may do at a place; where it may do several, each is tried.
#[derive(Default)]
struct Moves {
    silent: Option<Place>,
    byte: Option<(u8, Place)>,
    letter: Option<Place>,
}

impl Place {
    const fn at(at: usize) -> Self {
        Self { at, begun: false }
    }
}

impl Generator<'_> {
    fn is_end(&self, place: Place) -> bool {
        place.at == self.0.len()
    }

    fn moves(&self, Place { at, begun }: Place) -> Moves {
        let rest = self.0.get(at..).unwrap_or_default();
        let next = Place::at(at.saturating_add(1));
        let starts_segment = at.checked_sub(1).is_some_and(|before| self.0.get(before) == Some(&b'/'));
        let whole_segment = Place { at, begun: true };
        match rest {
            // `/**` is left, or writes a slash and then the segment below.
            [b'/', b'*', b'*', ..] => Moves {
                silent: Some(Place::at(at.saturating_add(ANY_DEPTH.len()))),
                byte: Some((b'/', next)),
                letter: None,
            },
            // One segment of a `**`, after which it begins again.
            [b'*', b'*', ..] => Moves {
                silent: begun.then(|| Place::at(at.saturating_sub(1))),
                byte: None,
                letter: Some(whole_segment),
            },
            // A segment that is only `*`.
            [b'*'] | [b'*', b'/', ..] if starts_segment => {
                Moves { silent: begun.then_some(next), byte: None, letter: Some(whole_segment) }
            }
            [b'*', ..] => Moves { silent: Some(next), byte: None, letter: Some(Place::at(at)) },
            [byte, ..] => Moves { silent: None, byte: Some((*byte, next)), letter: None },
            [] => Moves::default(),
        }
    }
}

/// The wider pattern, as what tells its paths from others; a place in it is a byte of its text, or the end.
///
/// Only texts of well-formed segments are put to it. So a segment that is only `*` may take an empty run, and `**`
/// may take slashes like letters: its slash (an *opening*) leads to its first star (a *loop*), which takes anything, and
/// both lead silently to what follows it, which is a slash or the end and so waits for the end of a segment.
struct Acceptor {
    end: usize,
    /// By byte: the places that wait for it.
    waiting: Vec<Set>,
    stars: Set,
    openings: Set,
    loops: Set,
}

impl Acceptor {
    fn new(pattern: &[u8]) -> Self {
        let mut acceptor = Self {
            end: pattern.len(),
            waiting: vec![Set::EMPTY; 128],
            stars: Set::EMPTY,
            openings: Set::EMPTY,
            loops: Set::EMPTY,
        };
        let mut before = [0, 0];
        for (place, &byte) in pattern.iter().enumerate() {
            match byte {
                b'*' if before == *b"/*" => {
                    let star = place.saturating_sub(1);
                    acceptor.stars = acceptor.stars & !Set::only(star);
                    acceptor.loops = acceptor.loops | Set::only(star);
                    acceptor.openings = acceptor.openings | Set::only(star.saturating_sub(1));
                }
                b'*' => acceptor.stars = acceptor.stars | Set::only(place),
                _ => {
                    if let Some(waiting) = acceptor.waiting.get_mut(usize::from(byte)) {
                        *waiting = *waiting | Set::only(place);
                    }
                }
            }
            let [_, last] = before;
            before = [last, byte];
        }
        acceptor
    }

    fn at(&self, place: usize) -> Set {
        self.closed(Set::only(place))
    }

    fn after(&self, set: Set, byte: u8) -> Set {
        let moved = (set & self.waiting_for(byte)).moved::<1>();
        let stayed = if byte == b'/' { set & self.loops } else { set & (self.loops | self.stars) };
        self.closed(moved | stayed)
    }

    fn waits_for(&self, set: Set, byte: u8) -> bool {
        !(set & self.waiting_for(byte)).is_empty()
    }

    fn waiting_for(&self, byte: u8) -> Set {
        self.waiting.get(usize::from(byte)).copied().unwrap_or(Set::EMPTY)
    }

    fn accepts(&self, set: Set) -> bool {
        !(set & Set::only(self.end)).is_empty()
    }

    /// In the loop of a `**` at the end.
    fn accepts_all(&self, set: Set) -> bool {
        self.end.checked_sub(2).is_some_and(|last| !(set & self.loops & Set::only(last)).is_empty())
    }

    /// With the places that are reached silently, and without those that make no difference.
    ///
    /// One round of each suffices: a star is not followed by a star, nor a `**` by a `**`.
    fn closed(&self, set: Set) -> Set {
        let set = set | (set & self.stars).moved::<1>();
        let set = set | (set & self.openings).moved::<3>() | (set & self.loops).moved::<2>();
        self.pruned(set)
    }

    /// A place is left out where what it accepts is also accepted from a later place of the set: it would have to
    /// come through that one, which could as well have waited there. A loop waits through anything, a star through the
    /// rest of its segment.
    fn pruned(&self, set: Set) -> Set {
        let mut set = set;
        if let Some(last) = (set & self.loops).last() {
            set = set & Set::from(last);
        }
        let mut stars = set & self.stars;
        while let Some(star) = stars.last() {
            let slash = (self.waiting_for(b'/') & !Set::from(star)).last().unwrap_or(0);
            let segment = Set::from(slash.saturating_add(1));
            set = set & !(segment & !Set::from(star));
            stars = stars & !segment;
        }
        set
    }
}

const WORD: usize = 64;

/// A set of places, 0 to 1,087: a pattern has at most 1,024 bytes.
#[derive(Clone, Copy)]
struct Set([u64; 17]);

impl Set {
    const EMPTY: Self = Self([0; 17]);

    fn only(place: usize) -> Self {
        let mut set = Self::EMPTY;
        if let Some(word) = set.0.get_mut(place / WORD) {
            *word = 1_u64.wrapping_shl(bit(place));
        }
        set
    }

    /// All from this place on.
    fn from(place: usize) -> Self {
        let mut set = Self([u64::MAX; 17]);
        for (index, word) in set.0.iter_mut().enumerate() {
            match index.cmp(&(place / WORD)) {
                Ordering::Less => *word = 0,
                Ordering::Equal => *word = u64::MAX.wrapping_shl(bit(place)),
                Ordering::Greater => {}
            }
        }
        set
    }

    fn last(self) -> Option<usize> {
        let (index, word) = self.0.into_iter().enumerate().rfind(|&(_, word)| word != 0)?;
        let bit = usize::try_from(word.ilog2()).ok()?;
        Some(index.saturating_mul(WORD).saturating_add(bit))
    }

    fn is_empty(self) -> bool {
        self.0 == Self::EMPTY.0
    }

    fn is_within(self, other: Self) -> bool {
        self.0.iter().zip(&other.0).all(|(word, other)| word & !other == 0)
    }

    /// Each place that many further on.
    fn moved<const BY: u32>(self) -> Self {
        let mut carry = 0;
        Self(self.0.map(|word| {
            let moved = word.wrapping_shl(BY) | carry;
            carry = word.rotate_left(BY) & !u64::MAX.wrapping_shl(BY);
            moved
        }))
    }

    fn combined(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut combined = self;
        for (word, other) in combined.0.iter_mut().zip(other.0) {
            *word = combine(*word, other);
        }
        combined
    }
}

fn bit(place: usize) -> u32 {
    u32::try_from(place % WORD).unwrap_or_default()
}

impl BitAnd for Set {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.combined(other, |a, b| a & b)
    }
}

impl BitOr for Set {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.combined(other, |a, b| a | b)
    }
}

impl Not for Set {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}
