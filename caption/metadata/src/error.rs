use std::path::{Path, PathBuf};

/// A caption that cannot be read, written or taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] common::Error),
    /// The XMP packet cannot be changed without a loss.
    #[error("its XMP cannot be changed: {0}\n  Write a sidecar (--write xmp).")]
    Xmp(String),
    /// A sidecar cannot be changed without a loss.
    #[error("{}: it cannot be changed: {problem}\n  Save it anew with the program that wrote it, or write into the photo (--write embed).", path.display())]
    Sidecar {
        /// The sidecar.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The EXIF block, or a TIFF file, is damaged.
    #[error("its EXIF cannot be changed: {0}\n  Write a sidecar (--write xmp).")]
    Exif(&'static str),
    /// The IPTC records are damaged or cannot hold the text.
    #[error("its IPTC records cannot be changed: {0}\n  Write a sidecar (--write xmp).")]
    Iptc(&'static str),
    /// The file is damaged.
    #[error("its parts cannot be read: {0}\n  Write a sidecar (--write xmp).")]
    Damaged(String),
    /// The format has no place for metadata that other programs look at.
    #[error(
        "only JPEG, PNG, WebP and TIFF files can hold a caption\n  Write a sidecar (--write xmp)."
    )]
    Format,
    /// The file is a raw photo.
    #[error("a raw photo stays as the camera wrote it\n  Write a sidecar (--write xmp).")]
    Raw,
    /// A segment of a JPEG file cannot be as large.
    #[error("its metadata have no room for a caption\n  Write a sidecar (--write xmp).")]
    NoRoom,
    /// A change would break signed provenance.
    #[error(
        "it carries signed provenance (C2PA), which a change would break\n  Write a sidecar (--write xmp), or accept that (--break-signature)."
    )]
    Signed,
    /// The file was changed by another program in the meantime.
    #[error("{}: it was changed in the meantime, and stays as it is\n  Run the command again.", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes the same file.
    #[error("{}: another run writes it\n  Wait for its end, then run the command again.", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A line of `metadata.jsonl` is not about an image.
    #[error("{}, line {line}: not a JSON object with a file_name\n  Correct or remove the line.", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
    },
    /// A line of `metadata.jsonl` is about an image that an earlier line is about.
    #[error("{}, line {line}: a second line of the same image\n  Remove one of them.", path.display())]
    Repeated {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
    },
    /// The name of a photo cannot be written as text.
    #[error("{}: its name is not UTF-8, so metadata.jsonl cannot have it\n  Rename it.", path.display())]
    Name {
        /// The photo.
        path: PathBuf,
    },
    /// The file may not be written.
    #[error("{}: it is read-only, and stays as it is\n  Change its permissions, or write a sidecar (--write xmp).", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The replacement could not have the same owner.
    #[error("{}: it belongs to another user, whom a new file cannot be given to\n  Run the command as that user, or write a sidecar (--write xmp).", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let io = common::Error::io(path);
        move |source| Self::File(io(source))
    }

    pub(crate) fn xmp(problem: impl Into<String>) -> Self {
        Self::Xmp(problem.into())
    }

    /// Names the sidecar at `path` in an error of its packet.
    pub(crate) fn in_sidecar(path: &Path) -> impl FnOnce(Self) -> Self {
        |error| match error {
            Self::Xmp(problem) => Self::Sidecar { path: path.to_owned(), problem },
            error => error,
        }
    }

    pub(crate) fn not_well_formed(error: impl Into<quick_xml::Error>) -> Self {
        Self::Xmp(error.into().to_string())
    }

    pub(crate) fn damaged(error: img_parts::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
