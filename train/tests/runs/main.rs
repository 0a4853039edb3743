//! Runs on a small store: they learn, repeat, go on after interrupts and kills, and what they write says
//! the same as their networks.
#![allow(clippy::unwrap_used)]

mod captions;
mod kill;
mod program;
mod provenance;
mod settings;
mod store;
mod support;
mod training;
