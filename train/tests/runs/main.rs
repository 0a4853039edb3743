//! Runs on a small store: they learn, repeat, resume after interrupts and kills, and exported networks equal trained ones.
#![allow(clippy::unwrap_used)]

mod captions;
mod compatibility;
mod kill;
mod program;
mod provenance;
mod settings;
mod store;
mod support;
mod training;
