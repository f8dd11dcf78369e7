//! Header lines and credential texts: what is taken, what is refused, and with which words.

mod agreement;
mod edits;
mod generated;
mod library;
mod model;
mod refusals;
mod speed;
mod text;
