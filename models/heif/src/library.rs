//! The functions of libheif that are used, as its header `heif.h` declares them.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::os::unix::{Library as Shared, RTLD_LOCAL, RTLD_NOW};

use crate::{Error, Result};

/// The environment variable with the path of the library. An empty value turns it off.
const VARIABLE: &str = "SHOWTELL_LIBHEIF";
/// The name of the library. Its first version and all later ones have the functions below.
const NAME: &str = "libheif.so.1";

/// `heif_error`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Status {
    pub(crate) code: c_int,
    pub(crate) subcode: c_int,
    pub(crate) message: *const c_char,
}

/// `heif_context`.
#[repr(C)]
pub(crate) struct Context {
    _opaque: [u8; 0],
}

/// `heif_image_handle`.
#[repr(C)]
pub(crate) struct Handle {
    _opaque: [u8; 0],
}

/// `heif_image`.
#[repr(C)]
pub(crate) struct Decoded {
    _opaque: [u8; 0],
}

/// Declares a struct of functions, and how they are found.
macro_rules! functions {
    ($($(#[$about:meta])* $name:ident: $symbol:literal fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library.
        pub(crate) struct Library {
            $($(#[$about])* pub(crate) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// Registers decoders of separate packages, since libheif 1.13.
            init: Option<unsafe extern "C" fn(*const c_void) -> Status>,
            /// Sets the number of threads that decode the tiles of an image, since libheif 1.11.
            pub(crate) set_threads: Option<unsafe extern "C" fn(*mut Context, c_int)>,
        }

        #[expect(unsafe_code, reason = "functions of a library are looked up")]
        impl Library {
            /// Finds the functions of the library; `None` if one is missing.
            fn find(shared: &Shared) -> Option<Self> {
                // SAFETY: the types are those of libheif's header, which keeps them within the library's major version.
                unsafe {
                    Some(Self {
                        $($name: *shared.get($symbol).ok()?,)*
                        init: shared.get(b"heif_init\0").ok().map(|of| *of),
                        set_threads: shared.get(b"heif_context_set_max_decoding_threads\0").ok().map(|of| *of),
                    })
                }
            }
        }
    };
}

functions! {
    new_context: b"heif_context_alloc\0" fn() -> *mut Context;
    free_context: b"heif_context_free\0" fn(*mut Context);
    /// Opens a file in memory, which has to outlive the context.
    read: b"heif_context_read_from_memory_without_copy\0" fn(*mut Context, *const c_void, usize, *const c_void) -> Status;
    primary: b"heif_context_get_primary_image_handle\0" fn(*mut Context, *mut *mut Handle) -> Status;
    release_handle: b"heif_image_handle_release\0" fn(*const Handle);
    handle_width: b"heif_image_handle_get_width\0" fn(*const Handle) -> c_int;
    handle_height: b"heif_image_handle_get_height\0" fn(*const Handle) -> c_int;
    has_alpha: b"heif_image_handle_has_alpha_channel\0" fn(*const Handle) -> c_int;
    /// Decodes an image into a color space and a chroma format.
    decode: b"heif_decode_image\0" fn(*const Handle, *mut *mut Decoded, c_int, c_int, *const c_void) -> Status;
    release_image: b"heif_image_release\0" fn(*const Decoded);
    width: b"heif_image_get_width\0" fn(*const Decoded, c_int) -> c_int;
    height: b"heif_image_get_height\0" fn(*const Decoded, c_int) -> c_int;
    /// The samples of a channel, and the bytes of a row.
    plane: b"heif_image_get_plane_readonly\0" fn(*const Decoded, c_int, *mut c_int) -> *const u8;
    version: b"heif_get_version\0" fn() -> *const c_char;
}

/// The library, which is loaded once and stays.
///
/// # Errors
/// [`Error::NoLibrary`], [`Error::TurnedOff`], [`Error::Unusable`].
pub(crate) fn library() -> Result<&'static Library> {
    static LIBRARY: OnceLock<Result<Library>> = OnceLock::new();
    LIBRARY.get_or_init(find).as_ref().map_err(Clone::clone)
}

/// Checks that libheif is there.
///
/// # Errors
/// [`Error::NoLibrary`], [`Error::TurnedOff`], [`Error::Unusable`].
pub fn check() -> Result<()> {
    library().map(drop)
}

fn find() -> Result<Library> {
    match std::env::var_os(VARIABLE) {
        None => load(NAME.as_ref()).ok_or(Error::NoLibrary),
        Some(path) if path.is_empty() => Err(Error::TurnedOff),
        Some(path) => load(&path).ok_or_else(|| Error::Unusable { path: path.into() }),
    }
}

/// The version of libheif, if it was found.
#[must_use]
#[expect(unsafe_code, reason = "a text of a C library is read")]
pub fn version() -> Option<String> {
    let library = library().ok()?;
    // SAFETY: the text is a constant of the library, which stays loaded.
    let version = unsafe { CStr::from_ptr((library.version)()) };
    Some(version.to_string_lossy().into_owned())
}

#[expect(unsafe_code, reason = "a library is loaded")]
fn load(name: &OsStr) -> Option<Library> {
    // SAFETY: the constructors of libheif register its decoders and need nothing of this process.
    let shared = unsafe { Shared::open(Some(name), RTLD_NOW | RTLD_LOCAL) }.ok()?;
    let library = Library::find(&shared)?;
    if let Some(init) = library.init {
        // SAFETY: without parameters it has its defaults. An error is that of an image without a decoder.
        unsafe { init(std::ptr::null()) };
    }
    // Its threads and registered decoders outlive any image.
    std::mem::forget(shared);
    Some(library)
}
