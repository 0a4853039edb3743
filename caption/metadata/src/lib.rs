//! Captions in the metadata of photos, where other programs look for them: `dc:description` and
//! `Iptc4xmpCore:AltTextAccessibility` of XMP, in the file or in a sidecar beside it; `ImageDescription` of EXIF; the caption
//! of IPTC records, where a file has such records; a text beside the photo; `metadata.jsonl` of a folder.
//!
//! The text of a person is left alone unless [`Existing`] says otherwise. Two properties in XMP, in a namespace of their own,
//! record the model and the hash of the text that was written; a text with another hash counts as a person's.
//!
//! Files are replaced as a whole. `DigitalSourceType` is never set: it would declare the photo itself made by a machine.

mod container;
mod embed;
mod error;
mod ifd;
mod image_folder;
mod iptc;
mod photo;
mod photoshop;
mod record;
mod replacement;
mod sidecar;
mod text_file;
mod xmp;

pub use self::embed::Embedding;
pub use self::error::{Error, Result};
pub use self::image_folder::{ImageFolder, image_folder_path};
pub use self::photo::{Photo, Places};
pub use self::record::Existing;
pub use self::replacement::Keep;
pub use self::sidecar::{Sidecar, sidecar_path};
pub use self::text_file::{TextFile, text_path};

/// A text to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// The caption, as a sentence.
    pub text: &'a str,
    /// The model that it is of.
    pub model: &'a str,
    /// How texts that are there are handled.
    pub existing: Existing,
}
