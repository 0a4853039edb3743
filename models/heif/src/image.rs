//! An image of a file in memory.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr;

use crate::library::{Context, Decoded, Handle, Library, Status, library};
use crate::{Error, Result};

// Values of enums of `heif.h`.
const COLORSPACE_RGB: c_int = 1;
const CHROMA_INTERLEAVED_RGB: c_int = 10;
const CHROMA_INTERLEAVED_RGBA: c_int = 11;
const CHANNEL_INTERLEAVED: c_int = 10;
const CODE_UNSUPPORTED_FILETYPE: c_int = 3;
const CODE_PLUGIN_LOADING: c_int = 11;
const SUBCODE_UNSUPPORTED_CODEC: c_int = 3000;
const SUBCODE_NO_DECODER: c_int = 6003;

/// Maximum bytes for each pixel that libheif holds while it decodes a sound file: planes of the decoder and of the whole
/// image, with up to 16 bits a sample, and interleaved samples.
const BYTES_PER_PIXEL: u64 = 24;

/// Maximum bytes that [`Image::decode`] needs for each pixel, its result included.
#[must_use]
pub fn bytes_per_pixel(has_alpha: bool) -> u64 {
    BYTES_PER_PIXEL + if has_alpha { 4 } else { 3 }
}

/// The primary image of a file whose header was read.
pub struct Image<'a> {
    library: &'static Library,
    context: *mut Context,
    handle: *const Handle,
    file: PhantomData<&'a [u8]>,
}

/// Decoded samples of 8 bits, row by row: RGB, or RGBA where the image has transparency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Whether the samples are RGBA.
    pub has_alpha: bool,
    /// The samples, `[height, width, 3 or 4]`.
    pub samples: Vec<u8>,
}

#[expect(unsafe_code, reason = "functions of a C library are called")]
impl<'a> Image<'a> {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// Those of [`check`](crate::check); [`Error::Damaged`] if the file has no image that libheif can find.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let library = library()?;
        // SAFETY: no argument; the result is checked.
        let context = unsafe { (library.new_context)() };
        let mut image = Self { library, context, handle: ptr::null(), file: PhantomData };
        if context.is_null() {
            return Err(Error::Damaged("libheif has no memory".to_owned()));
        }
        if let Some(set_threads) = library.set_threads {
            // SAFETY: the context is alive. Zero threads are those of the caller.
            unsafe { set_threads(context, 0) };
        }
        // SAFETY: the context is alive, and `'a` keeps the bytes for as long as it.
        let read =
            unsafe { (library.read)(context, bytes.as_ptr().cast(), bytes.len(), ptr::null()) };
        check(read)?;
        let mut handle = ptr::null_mut();
        // SAFETY: the context is alive, and the handle is released with it.
        check(unsafe { (library.primary)(context, &raw mut handle) })?;
        image.handle = handle;
        Ok(image)
    }

    /// Width and height in pixels, after rotation.
    #[must_use]
    pub fn size(&self) -> [u32; 2] {
        // SAFETY: the handle is alive.
        let size = unsafe {
            [(self.library.handle_width)(self.handle), (self.library.handle_height)(self.handle)]
        };
        size.map(|side| u32::try_from(side).unwrap_or(0))
    }

    /// Whether the image has transparency.
    #[must_use]
    pub fn has_alpha(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { (self.library.has_alpha)(self.handle) != 0 }
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// [`Error::NoDecoder`]; [`Error::Damaged`].
    pub fn decode(self) -> Result<Pixels> {
        let has_alpha = self.has_alpha();
        let chroma = if has_alpha { CHROMA_INTERLEAVED_RGBA } else { CHROMA_INTERLEAVED_RGB };
        let mut image = ptr::null_mut();
        // SAFETY: the handle is alive; the decoded image is released by its owner.
        let status = unsafe {
            (self.library.decode)(self.handle, &raw mut image, COLORSPACE_RGB, chroma, ptr::null())
        };
        check(status)?;
        let image = DecodedImage { library: self.library, image };
        let (size, samples) = image.copy(if has_alpha { 4 } else { 3 })?;
        Ok(Pixels { size, has_alpha, samples })
    }
}

#[expect(unsafe_code, reason = "functions of a C library are called")]
impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: both are alive or null, and are not used afterwards.
        unsafe {
            if !self.handle.is_null() {
                (self.library.release_handle)(self.handle);
            }
            if !self.context.is_null() {
                (self.library.free_context)(self.context);
            }
        }
    }
}

/// An image that libheif has decoded.
struct DecodedImage {
    library: &'static Library,
    image: *const Decoded,
}

#[expect(unsafe_code, reason = "functions of a C library are called")]
impl DecodedImage {
    /// Copies the samples, of which each pixel has `channels`; returns width and height as well.
    fn copy(&self, channels: usize) -> Result<([u32; 2], Vec<u8>)> {
        let problem = || Error::Damaged("libheif returned no pixels".to_owned());
        let mut stride = 0;
        // SAFETY: the image is alive.
        let (plane, size) = unsafe {
            let plane = (self.library.plane)(self.image, CHANNEL_INTERLEAVED, &raw mut stride);
            let size = [self.library.width, self.library.height];
            (plane, size.map(|side| side(self.image, CHANNEL_INTERLEAVED)))
        };
        let [width, height] = size.map(|side| usize::try_from(side).unwrap_or(0));
        let stride = usize::try_from(stride).unwrap_or(0);
        let row = width * channels;
        if plane.is_null() || row == 0 || height == 0 || stride < row {
            return Err(problem());
        }
        // SAFETY: the plane has `height` rows of `stride` bytes, of which the last may lack those after its pixels.
        let lines = unsafe { std::slice::from_raw_parts(plane, stride * (height - 1) + row) };
        let mut samples = Vec::with_capacity(row * height);
        lines.chunks(stride).for_each(|line| samples.extend_from_slice(&line[..row]));
        Ok(([width as u32, height as u32], samples))
    }
}

#[expect(unsafe_code, reason = "functions of a C library are called")]
impl Drop for DecodedImage {
    fn drop(&mut self) {
        // SAFETY: the image is alive or null, and is not used afterwards.
        unsafe { (self.library.release_image)(self.image) };
    }
}

/// The error of a status, if it is one.
fn check(status: Status) -> Result<()> {
    if status.code == 0 {
        return Ok(());
    }
    let message = message(status);
    let is_undecoded = matches!(status.code, CODE_UNSUPPORTED_FILETYPE | CODE_PLUGIN_LOADING)
        || matches!(status.subcode, SUBCODE_UNSUPPORTED_CODEC | SUBCODE_NO_DECODER);
    Err(if is_undecoded { Error::NoDecoder(message) } else { Error::Damaged(message) })
}

#[expect(unsafe_code, reason = "a text of a C library is read")]
fn message(status: Status) -> String {
    if status.message.is_null() {
        return "libheif gives no reason".to_owned();
    }
    // SAFETY: the text ends with a zero, and lives as long as the library or, as the caller has it, its context.
    unsafe { CStr::from_ptr(status.message) }.to_string_lossy().into_owned()
}
