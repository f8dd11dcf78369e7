//! Scopes: their text, matching, containment, rights.

mod containment;
mod generated;
mod matching;
mod model;
mod rights;
mod text;
