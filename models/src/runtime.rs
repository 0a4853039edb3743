//! ONNX Runtime: finding the library, and sessions on a device.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use crate::error::RuntimeError;
use crate::network::NetworkFile;
use crate::{Device, Error, Result, cuda};

/// The folder of the libraries in the wheel, below the folder of native parts.
const WHEEL: &str = "onnxruntime/onnxruntime/capi";
const LIBRARY: &str = "libonnxruntime.so";

/// The library that a program chose.
static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// Chooses the library of ONNX Runtime, unless `ORT_DYLIB_PATH` names one. It holds for the whole process: a second choice, and
/// one after the library was loaded, changes nothing.
pub fn choose_library(path: PathBuf) {
    // A second choice is left out, as documented.
    let _ = CHOSEN.set(path);
}

/// The one environment of the process.
///
/// # Errors
/// [`RuntimeError`] if ONNX Runtime is missing or unusable.
pub fn environment() -> Result<&'static Environment, RuntimeError> {
    static ENVIRONMENT: OnceLock<Result<Environment, RuntimeError>> = OnceLock::new();
    ENVIRONMENT.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Environment, RuntimeError> {
    let unusable =
        |error: ort::LoadDynamicError| RuntimeError::Unusable { message: error.to_string() };
    let builder = ort::init_from(&locate()?).map_err(unusable)?;
    let pool = GlobalThreadPoolOptions::default().with_intra_threads(default_threads())?;
    Ok(builder.with_telemetry(false).with_global_thread_pool(pool).build()?)
}

/// The native libraries of this crate as they are found, a line each, for `--version`.
#[must_use]
pub fn native_versions() -> Vec<String> {
    let file = locate().ok().map(|path| path.canonicalize().unwrap_or(path));
    let runtime = file.map_or("not found".to_owned(), |path| path.display().to_string());
    let heif = heif::version().unwrap_or_else(|| "not installed".to_owned());
    vec![format!("ONNX Runtime: {runtime}"), format!("libheif: {heif}")]
}

/// Finds the library: at `ORT_DYLIB_PATH`, where the program [chose](choose_library) it, in the folder of the program, or where
/// `make setup` installed it.
fn locate() -> Result<PathBuf, RuntimeError> {
    let variable = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    if let Some(path) = variable.map(PathBuf::from).or_else(|| CHOSEN.get().cloned()) {
        return Ok(path);
    }
    let program = std::env::current_exe().ok();
    let own = program.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let native = std::env::var_os("SHOWTELL_NATIVE").map(PathBuf::from);
    let at_build = Some(env!("SHOWTELL_NATIVE_AT_BUILD")).filter(|native| !native.is_empty());
    let folders = own
        .iter()
        .flat_map(|folder| [folder.clone(), folder.join("../lib")])
        .chain(native.map(|native| native.join(WHEEL)))
        .chain(at_build.map(|native| Path::new(native).join(WHEEL)))
        .collect::<Vec<_>>();
    let library = folders.iter().find_map(|folder| library_in(folder));
    library.ok_or(RuntimeError::NotFound { folders })
}

/// `libonnxruntime.so` or `libonnxruntime.so.<version>` in a folder.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix(LIBRARY))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find(is_library)
}

/// Whether the loaded build of ONNX Runtime has a CUDA provider.
pub(crate) fn has_cuda() -> Result<bool> {
    environment()?;
    Ok(cuda::is_built_in())
}

/// Opens a session of an ONNX file on a device. It has `threads` of its own, or shares those of the process, one for each
/// core: networks that take turns then do not wait for each other's threads, which hold their cores for a while after each
/// run.
pub(crate) fn open(file: &NetworkFile, device: Device, threads: Option<usize>) -> Result<Session> {
    let mut builder = builder(file, threads)?;
    if device == Device::Cuda {
        let no_cuda = |error: ort::Error| {
            let cause = cuda::cause(&error.to_string());
            Error::NoCuda { problem: format!("CUDA cannot be used: {cause}") }
        };
        builder = cuda::register(builder, locate().ok().as_deref()).map_err(no_cuda)?;
    }
    commit(builder, file)
}

fn builder(file: &NetworkFile, threads: Option<usize>) -> Result<SessionBuilder> {
    let environment = environment()?;
    let build = || -> ort::Result<SessionBuilder> {
        // Where only the weights are integers they are dequantized once, when the network is opened, not in every run.
        let is_quantized = file.outline().is_quantized();
        let builder = Session::builder(environment)?.with_quant_qdq(is_quantized)?;
        Ok(match threads {
            Some(threads) => builder.with_independent_thread_pool()?.with_intra_threads(threads)?,
            None => builder,
        })
    };
    Ok(build().map_err(RuntimeError::from)?)
}

fn commit(mut builder: SessionBuilder, file: &NetworkFile) -> Result<Session> {
    let session = match file.whole() {
        Some(bytes) => builder.commit_from_memory(bytes),
        None => builder.commit_from_file(file.path()),
    };
    session.map_err(Error::onnx(file.path()))
}

/// The default number of threads of a network: one for each core.
pub(crate) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
