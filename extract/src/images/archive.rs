//! Tar archives in the layout of `WebDataset`: photos, with other files next to them. Only the headers of the members
//! are read here; an image is read from its offset later.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::names::one_line;
use models::decode::{has_image_extension, unread_kind};
use models::folder::{APPLE_DOUBLE, is_called_as_side_file, is_in_system_folder, unread};
use tar::{Entry, EntryType};

use super::{Listing, Location};

/// Extensions of supported archives.
const EXTENSIONS: &[&str] = &["tar"];
/// Extensions of compressed archives, which are not supported.
const COMPRESSED_EXTENSIONS: &[&str] = &["7z", "rar", "tbz", "tbz2", "tgz", "txz", "tzst", "zip"];
/// Extensions of compressed archives after `.tar`.
const COMPRESSIONS: &[&str] = &["bz2", "gz", "xz", "zst"];
/// The reason why compressed archives are skipped.
pub(super) const COMPRESSED: &str =
    "a compressed archive is not read; unpack it, or pack the photos as .tar";
/// Maximum bytes of a header with a long name or PAX records. Real ones have a few hundred; the `tar` crate holds them
/// in memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Maximum length of a chain of links; a longer one is a circle.
const MAX_LINKS: usize = 40;

/// The extensions of all archives.
pub(super) fn extensions() -> Vec<&'static str> {
    [EXTENSIONS, COMPRESSED_EXTENSIONS, COMPRESSIONS].concat()
}

/// Whether the name is that of a supported archive.
pub(super) fn is_archive(path: &Path) -> bool {
    ends_in(path, EXTENSIONS)
}

/// Whether the name is that of a compressed archive.
pub(super) fn is_compressed(path: &Path) -> bool {
    let is_tar = || path.file_stem().is_some_and(|stem| is_archive(Path::new(stem)));
    ends_in(path, COMPRESSED_EXTENSIONS) || (ends_in(path, COMPRESSIONS) && is_tar())
}

fn ends_in(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|of| extensions.iter().any(|other| of.eq_ignore_ascii_case(other)))
}

/// Adds the images of an archive in a folder or list, which has the name `name` there, if it belongs to the shard. An
/// unreadable archive is skipped.
pub(super) fn add(path: &Path, name: &str, listing: &mut Listing) {
    if !listing.holds(name) {
        return;
    }
    if let Err(error) = read(path, listing, true) {
        listing.miss(Path::new(name), common::program::explain(&error));
    }
}

/// Adds the images of an archive, named by their paths in it; with `whole`, those of all shards.
pub(super) fn read(path: &Path, listing: &mut Listing, whole: bool) -> anyhow::Result<()> {
    let wrong = || format!("{}: cannot be read as a tar archive", path.display());
    let file = File::open(path).with_context(wrong)?;
    let end = file.metadata().with_context(wrong)?.len();
    let bytes = file.try_clone().with_context(wrong)?;
    let mut members = Members::default();
    for member in
        tar::Archive::new(Headers { file, read: 0 }).entries_with_seek().with_context(wrong)?
    {
        let has_more = match member {
            Ok(member) if member.raw_file_position().saturating_add(member.size()) > end => {
                let name = member.path().with_context(wrong)?;
                listing.miss(&path.join(name), "the archive ends before it does");
                Ok(false)
            }
            Ok(mut member) => members.add(&mut member, &bytes, listing).map(|()| true),
            Err(error) => Err(error),
        };
        match has_more {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                bail!("{}: the archive is damaged: {error}", path.display());
            }
            Err(error) if members.found.is_empty() => return Err(error).with_context(wrong),
            Err(error) => {
                listing.miss(path, format!("the archive cannot be read any further: {error}"));
                break;
            }
        }
    }
    members.list(path, listing, whole);
    Ok(())
}

/// An archive of which only headers are read, up to the maximum size each. All bytes between two seeks count as one
/// header: its declared size is not reliable, as PAX records move what follows.
struct Headers {
    file: File,
    /// Bytes read since the last seek.
    read: u64,
}

impl io::Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > MAX_HEADER_BYTES {
            return Err(too_long());
        }
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl Seek for Headers {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.read = 0;
        self.file.seek(to)
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "one of its headers has more than 1 MiB")
}

/// The members of an archive.
#[derive(Default)]
struct Members {
    /// Members by path, for the lookup of links.
    found: HashMap<PathBuf, Member>,
    /// The names of images, with their paths in `found`.
    images: Vec<(PathBuf, PathBuf)>,
}

#[derive(Clone)]
enum Member {
    File {
        at: u64,
        length: u64,
    },
    /// To the path of another member; `None` if it leads out of the archive.
    Link(Option<PathBuf>),
    /// The reason why it is skipped.
    Unread(&'static str),
}

impl Members {
    /// Adds a member of the archive in `bytes`.
    fn add<R: io::Read>(
        &mut self,
        member: &mut Entry<R>,
        bytes: &File,
        listing: &mut Listing,
    ) -> io::Result<()> {
        let kind = member.header().entry_type();
        if kind == EntryType::XGlobalHeader && member.size() > MAX_HEADER_BYTES {
            return Err(too_long());
        }
        let path = member.path()?.into_owned();
        let (at, length) = (member.raw_file_position(), member.size());
        let what = match kind {
            EntryType::Regular | EntryType::Continuous if is_sparse(member)? => SPARSE,
            EntryType::GNUSparse => SPARSE,
            EntryType::Regular | EntryType::Continuous => Member::File { at, length },
            EntryType::Link => Member::Link(target(member, Path::new(""))?),
            EntryType::Symlink => {
                Member::Link(target(member, path.parent().unwrap_or(Path::new("")))?)
            }
            EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
            _ => Member::Unread(NOT_REGULAR),
        };
        if is_in_system_folder(&path)
            || (is_called_as_side_file(&path) && is_side_file(&what, bytes))
        {
            return Ok(());
        }
        let name = path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let key = plain(&path);
        let is_other = matches!(what, Member::Unread(NOT_REGULAR));
        let Some(key) = key.filter(|_| !is_other) else {
            if has_image_extension(&name) || unread_kind(&name).is_some() {
                let reason =
                    if is_other { NOT_REGULAR } else { "its name leads out of the archive" };
                listing.skipped_entries.add(reason, one_line(&name.to_string_lossy()));
            }
            return Ok(());
        };
        if has_image_extension(&name) {
            self.images.push((name, key.clone()));
        } else if let Some(kind) = unread_kind(&name) {
            listing.skipped_entries.add(unread(kind), one_line(&name.to_string_lossy()));
        }
        self.found.insert(key, what);
        Ok(())
    }

    /// Adds the images to the listing.
    fn list(self, archive: &Path, listing: &mut Listing, whole: bool) {
        let shared = Arc::<Path>::from(archive);
        for (name, path) in &self.images {
            let location = match self.resolve(path) {
                Ok((at, length)) => Location::Member { archive: Arc::clone(&shared), at, length },
                Err(reason) => {
                    listing.miss(&archive.join(name), reason);
                    continue;
                }
            };
            match name.to_str() {
                None => listing.skip(&archive.join(name), "its name is not UTF-8"),
                Some(name) if whole => listing.add_to(true, name, location),
                Some(name) => listing.add(name, location),
            }
        }
    }

    /// Finds the offset and length of a member, following links.
    fn resolve(&self, path: &Path) -> Result<(u64, u64), String> {
        let mut path = path;
        for _ in 0..MAX_LINKS {
            match self.found.get(path) {
                Some(Member::File { at, length }) => return Ok((*at, *length)),
                Some(Member::Unread(reason)) => return Err((*reason).to_owned()),
                Some(Member::Link(Some(target))) => path = target,
                Some(Member::Link(None)) => return Err("a link out of the archive".to_owned()),
                None => return Err(format!("a link to {}, which is not there", path.display())),
            }
        }
        Err("a link that leads in a circle".to_owned())
    }
}

/// The reason why pipes and devices are skipped, in folders too.
const NOT_REGULAR: &str = "not a regular file";

const SPARSE: Member =
    Member::Unread("a sparse file; pack the archive again without tar's option --sparse");

/// Whether a member is sparse in the PAX format, where its type is that of a plain file.
fn is_sparse<R: io::Read>(member: &mut Entry<R>) -> io::Result<bool> {
    let Some(extensions) = member.pax_extensions()? else { return Ok(false) };
    let is_sparse = |key: &str| key.starts_with("GNU.sparse.");
    Ok(extensions.flatten().any(|extension| extension.key().is_ok_and(is_sparse)))
}

/// The member that a link leads to from `folder`.
fn target<R: io::Read>(member: &Entry<R>, folder: &Path) -> io::Result<Option<PathBuf>> {
    let target = member.link_name()?.unwrap_or_default();
    Ok(if target.is_absolute() { None } else { plain(&folder.join(target)) })
}

/// A path without `.` and `..`, from the root of the archive; `None` if it leads out.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => plain.push(part),
            Component::ParentDir if !plain.pop() => return None,
            _ => {}
        }
    }
    Some(plain)
}

fn is_side_file(member: &Member, bytes: &File) -> bool {
    let Member::File { at, length } = *member else { return false };
    let mut first = [0; APPLE_DOUBLE.len()];
    length >= first.len() as u64
        && bytes.read_exact_at(&mut first, at).is_ok()
        && first == APPLE_DOUBLE
}
