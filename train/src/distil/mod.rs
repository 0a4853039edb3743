//! Distillation: a network learns from an ensemble of others, its teachers (Hinton et al., arXiv 1503.02531).
//!
//! - Of each training caption it learns the teachers' probabilities of the words ([`teach`]).
//! - Of each photo it learns the caption that the teachers find, chosen among those of the beam by the neighbours of the
//!   photo, itself excluded (sequence-level distillation, Kim and Rush, arXiv 1606.07947).
//!
//! Shapes: N images, B captions of each, V words, K words of a soft target.

mod file;
mod soft;
mod teacher;

pub use self::file::{Lesson, LessonKey, Lessons, TaughtCaption};
pub use self::soft::SoftTargets;
pub use self::teacher::{TeachingSetup, teach};
