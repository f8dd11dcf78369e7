//! Paths of secrets' folders, the patterns that match them, and matching.

use std::fmt;

use crate::Invalid;
use crate::alphabet::Alphabet;

/// The longest path and the longest pattern, in bytes.
pub(super) const LONGEST: usize = 1_024;
const MOST_SEGMENTS: usize = 64;
const LONGEST_SEGMENT: usize = 255;

/// The path of a folder of secrets: absolute, `/` for the root, or `/a/b`.
///
/// At most 1,024 bytes, 64 segments, and 255 bytes a segment, of the characters that RFC 3986 §2.3 calls unreserved,
/// `A-Z a-z 0-9 - . _ ~`. No segment is empty (so there is no `//` and no trailing slash), `.` or `..`.
///
/// # Security
///
/// Nothing is normalised, decoded, folded or trimmed. An irregular path is refused, never repaired, because a path
/// that is checked in one spelling and resolved in another is a hole.
///
/// ```
/// use keygate::SecretPath;
///
/// assert_eq!(SecretPath::parse("/app/db")?.as_str(), "/app/db");
/// for irregular in ["app", "/app/", "/app//db", "/app/../db", "/app%2fdb"] {
///     assert!(SecretPath::parse(irregular).is_err());
/// }
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPath<'a>(&'a str);

impl<'a> SecretPath<'a> {
    /// Checks a path.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which says what is expected and at which byte the path is irregular.
    pub fn parse(path: &'a str) -> Result<Self, Invalid> {
        if is_plain(path) { Ok(Self(path)) } else { Self::parse_segments(path) }
    }

    /// A path that is regular at a glance.
    #[inline(always)]
    pub(super) fn plain(path: &'a str) -> Option<Self> {
        is_plain(path).then_some(Self(path))
    }

    #[cold]
    fn parse_segments(path: &'a str) -> Result<Self, Invalid> {
        const ARGUMENT: &str = "path";
        check(path, ARGUMENT, "'/' at the start of a path", |segment| {
            match Alphabet::UNRESERVED.first_outside(segment) {
                Some(position) => Err(Invalid::new(ARGUMENT, "A-Z a-z 0-9 - . _ ~ or '/'").at(position)),
                None => Ok(()),
            }
        })?;
        Ok(Self(path))
    }

    /// The path as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for SecretPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Which folders of secrets a scope reaches: a path with wildcards.
///
/// # Syntax
///
/// ```text
/// pattern = "/" / 1*( "/" segment )
/// segment = "**" / 1*( "*" / A-Z / a-z / 0-9 / "-" / "." / "_" / "~" )
/// ```
///
/// | | matches |
/// |---|---|
/// | `*` in a segment (`app-*`) | any run of characters in that segment, also an empty one, never `/` |
/// | `*` as a whole segment | exactly one segment |
/// | `**` as a whole segment | any number of segments, also none |
///
/// So `/app/**` covers `/app` and all below it, `/**` covers everything, `/` included, and `/*` covers one level.
/// Names that begin with a dot are names like others. `**` beside other characters, three stars, and two `**` in a row
/// are refused, and so is every other character: a pattern made for a richer language (braces, classes, negation) is
/// refused instead of meaning something else. The limits of a [`SecretPath`] hold for the pattern as written; stars
/// count. Comparison is byte-exact.
///
/// ```
/// use keygate::{Pattern, SecretPath};
///
/// let pattern = Pattern::parse("/app/*-db/**")?;
/// assert!(pattern.matches(SecretPath::parse("/app/main-db")?));
/// assert!(pattern.matches(SecretPath::parse("/app/main-db/users/password")?));
/// assert!(!pattern.matches(SecretPath::parse("/app/main")?));
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern<'a> {
    text: &'a str,
    shape: Shape,
}

/// How a pattern is matched: most need no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// `/**`.
    Everything,
    /// Without stars.
    Literal,
    /// Without stars but for `/**` at the end.
    Subtree,
    /// Any other.
    General,
}

/// What `**` is in a pattern, with the slash that belongs to it: zero or more `/segment`.
pub(super) const ANY_DEPTH: &str = "/**";

impl<'a> Pattern<'a> {
    /// Checks a pattern and finds its shape.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which says what is expected and at which byte the pattern is irregular.
    pub fn parse(pattern: &'a str) -> Result<Self, Invalid> {
        match Self::plain(pattern) {
            Some(plain) => Ok(plain),
            None => Self::parse_segments(pattern),
        }
    }

    /// A pattern that is regular at a glance: a plain path, or all below one.
    #[inline(always)]
    fn plain(pattern: &'a str) -> Option<Self> {
        let (folder, shape) = match pattern.strip_suffix(ANY_DEPTH) {
            Some("") => return Some(Self::compiled(pattern, Shape::Everything)),
            Some(folder) => (folder, Shape::Subtree),
            None => (pattern, Shape::Literal),
        };
        // The stars are a segment too.
        (pattern.len() <= SHORT && is_plain(folder)).then(|| Self::compiled(pattern, shape))
    }

    #[cold]
    fn parse_segments(pattern: &'a str) -> Result<Self, Invalid> {
        const ARGUMENT: &str = "pattern";
        let mut stars_before = false;
        check(pattern, ARGUMENT, "'/' at the start of a path pattern", |segment| {
            let stars = segment == b"**";
            if stars && stars_before {
                return Err(Invalid::new(ARGUMENT, "no '**' after a '**'").at(0));
            }
            stars_before = stars;
            if let Some(position) =
                segment.iter().position(|&byte| !Alphabet::UNRESERVED.contains(byte) && byte != b'*')
            {
                return Err(Invalid::new(ARGUMENT, "A-Z a-z 0-9 - . _ ~ '*' or '/'").at(position));
            }
            match segment.windows(2).position(|pair| pair == b"**") {
                Some(position) if !stars => {
                    Err(Invalid::new(ARGUMENT, "'**' only as a whole segment").at(position))
                }
                _ => Ok(()),
            }
        })?;
        Ok(Self { text: pattern, shape: Shape::of(pattern) })
    }

    /// A pattern that was checked before, when its shape was found.
    pub(super) const fn compiled(text: &'a str, shape: Shape) -> Self {
        Self { text, shape }
    }

    /// The pattern as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    pub(super) const fn shape(self) -> Shape {
        self.shape
    }

    /// Whether the path is one of the pattern's.
    ///
    /// It costs at most the product of both lengths, without recursion or allocation.
    #[inline(always)]
    #[must_use]
    pub fn matches(self, path: SecretPath<'_>) -> bool {
        match self.shape {
            Shape::Everything => true,
            Shape::Literal => self.text == path.0,
            Shape::Subtree => is_below(path.0, self.text),
            Shape::General => matches(without_root(self.text), without_root(path.0)),
        }
    }
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Shape {
    fn of(pattern: &str) -> Self {
        match pattern.strip_suffix(ANY_DEPTH) {
            Some("") => Self::Everything,
            Some(prefix) if !prefix.contains('*') => Self::Subtree,
            None if !pattern.contains('*') => Self::Literal,
            _ => Self::General,
        }
    }
}

/// What a path and a pattern have in common; `check_segment` answers with a position in the segment.
///
/// The length is judged before anything else: nothing works on a text without a bound.
#[inline]
fn check(
    text: &str,
    argument: &'static str,
    begins_with: &'static str,
    mut check_segment: impl FnMut(&[u8]) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let invalid = |expected, position| Err(Invalid::new(argument, expected).at(position));
    if text.len() > LONGEST {
        return invalid("at most 1024 bytes", LONGEST);
    }
    let Some((b'/', names)) = text.as_bytes().split_first() else {
        return invalid(begins_with, 0);
    };
    if names.is_empty() {
        return Ok(());
    }
    let mut start = 1_usize;
    for (index, segment) in names.split(|&byte| byte == b'/').enumerate() {
        if index == MOST_SEGMENTS {
            return invalid("at most 64 segments", start);
        }
        match segment {
            b"" => return invalid("a segment after '/'", start),
            b"." | b".." => return invalid("a segment other than '.' and '..'", start),
            _ => check_segment(segment).map_err(|invalid| invalid.within(argument, start))?,
        }
        if segment.len() > LONGEST_SEGMENT {
            return invalid("at most 255 bytes in a segment", start.saturating_add(LONGEST_SEGMENT));
        }
        start = start.saturating_add(segment.len()).saturating_add(1);
    }
    Ok(())
}

/// Of 128 bytes no segment is too long, and there are not too many.
const SHORT: usize = 2 * MOST_SEGMENTS;

/// Whether a path is regular at a glance, as most are: short, below the root, and no segment begins with a dot. Where
/// this says no, the segments one by one decide, and say why.
#[inline(always)]
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.len() > SHORT || bytes.first() != Some(&b'/') || bytes.last() == Some(&b'/') {
        return false;
    }
    let (mut regular, mut before) = (true, 1);
    for byte in bytes {
        // '/' is 0x2F and '.' its neighbour 0x2E: 0 and 1 here.
        let from_slash = *byte ^ b'/';
        regular &= Alphabet::PATH.contains(*byte) & (before | (from_slash >> 1) != 0);
        before = from_slash;
    }
    regular
}

/// Whether the path is the folder before `/**`, or anything below it.
#[inline(always)]
fn is_below(path: &str, subtree: &str) -> bool {
    let folder = subtree.as_bytes().get(..subtree.len().saturating_sub(ANY_DEPTH.len())).unwrap_or_default();
    match path.as_bytes().split_at_checked(folder.len()) {
        Some((beginning, rest)) => matches!(rest.first(), None | Some(b'/')) && same(beginning, folder),
        None => false,
    }
}

/// Whether two texts are the same. Most parts of scopes are short, and for those a call of `memcmp` is most of the work.
#[inline(always)]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>()) {
        (Some(a_first), Some(b_first), Some(a_last), Some(b_last)) if a.len() <= 8 => {
            (a_first == b_first) & (a_last == b_last)
        }
        (None, ..) => a.iter().zip(b).all(|(a, b)| a == b),
        _ => a == b,
    }
}

/// The root has no segments; so everywhere below a path is zero or more `/segment`.
pub(super) fn without_root(text: &str) -> &str {
    if text == "/" { "" } else { text }
}

/// Segment by segment. On a mismatch only the last `**` takes one segment more: to widen an earlier one could only
/// begin the later part further right, which the last one does by itself.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern, path);
    let mut last_any_depth = None;
    loop {
        match (first_segment(pattern), first_segment(path)) {
            (Some(("**", "")), _) => return true,
            (Some(("**", rest)), _) => {
                last_any_depth = Some((rest, path));
                pattern = rest;
                continue;
            }
            (Some((wanted, wanted_rest)), Some((name, path_rest))) if segment_matches(wanted, name) => {
                (pattern, path) = (wanted_rest, path_rest);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((rest, from)) = last_any_depth else { return false };
        let Some((_, from)) = first_segment(from) else { return false };
        last_any_depth = Some((rest, from));
        (pattern, path) = (rest, from);
    }
}

/// `/a/b` is `a` and `/b`; the empty text has no segment.
fn first_segment(text: &str) -> Option<(&str, &str)> {
    let names = text.strip_prefix('/')?;
    Some(
        names
            .bytes()
            .position(|byte| byte == b'/')
            .and_then(|end| names.split_at_checked(end))
            .unwrap_or((names, "")),
    )
}

/// What is before the first star begins the name, what is after the last ends it, and what is between two stars is
/// found as early as possible: to find it later leaves less for the rest.
fn segment_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let mut blocks = pattern.split(|&byte| byte == b'*');
    let (first, Some(last)) = (blocks.next().unwrap_or_default(), blocks.next_back()) else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first).and_then(|name| name.strip_suffix(last)) else {
        return false;
    };
    for block in blocks {
        match after(name, block) {
            Some(rest) => name = rest,
            None => return false,
        }
    }
    true
}

/// What follows the block where it occurs first.
fn after<'n>(name: &'n [u8], block: &[u8]) -> Option<&'n [u8]> {
    let (first, rest) = block.split_first()?;
    let mut name = name;
    while let Some((byte, after)) = name.split_first() {
        name = after;
        if byte == first && (rest.is_empty() || name.starts_with(rest)) {
            return name.get(rest.len()..);
        }
    }
    None
}
