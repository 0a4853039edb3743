//! Runs on a small store: they learn, repeat, resume after interrupts and kills, and exported networks equal trained ones.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod accelerator;
mod captions;
mod compatibility;
mod distil;
mod kill;
mod messages;
mod neighbours;
mod program;
mod provenance;
mod sets;
mod settings;
mod store;
mod support;
mod text;
mod training;
