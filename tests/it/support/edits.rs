//! P4: every single edit of a text.

/// Each byte replaced by every other, every byte inserted at each place, each byte left out, both halves at each cut,
/// each letter in its other case, and neighbours swapped.
pub(crate) fn edits(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let with = |at: usize, middle: &[u8], behind: usize| [&text[..at], middle, &text[behind..]].concat();
    let places = 0..text.len();
    let replaced =
        places.clone().flat_map(move |at| (0..=u8::MAX).map(move |byte| with(at, &[byte], at + 1)));
    let inserted = (0..=text.len()).flat_map(move |at| (0..=u8::MAX).map(move |byte| with(at, &[byte], at)));
    let deleted = places.clone().map(move |at| with(at, &[], at + 1));
    let cut = places.clone().flat_map(move |at| [text[..at].to_vec(), text[at..].to_vec()]);
    let flipped = places.map(move |at| with(at, &[text[at] ^ 0x20], at + 1));
    let swapped = (1..text.len()).map(move |at| with(at - 1, &[text[at], text[at - 1]], at + 1));
    let all = replaced.chain(inserted).chain(deleted).chain(cut).chain(flipped).chain(swapped);
    all.filter(move |variant| variant != text)
}
