//! HEIC and AVIF images, decoded by the system's libheif (<https://github.com/strukturag/libheif>).
//!
//! The library is found at run time, so that neither a build nor a distribution of this crate contains a decoder of HEVC. An
//! image is decoded on the calling thread. Rotation and mirroring of the file are applied by libheif.
//!
//! libheif is written in C++ and its own memory is not limited here: the size in a file's header says how much a sound file
//! needs, and a file made to do harm may need more.

mod error;
mod image;
mod library;

pub use self::error::{Error, Result};
pub use self::image::{Image, Pixels, bytes_per_pixel};
pub use self::library::{check, version};
