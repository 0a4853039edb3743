//! ONNX Runtime: finding the library, and sessions on a device.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::ep::{CUDA, ExecutionProvider as _};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::onnx::outline::Outline;
use crate::{Device, DeviceChoice, Error, Result};

/// Where the wheel keeps its libraries, below the folder of native parts.
const WHEEL: &str = "onnxruntime/onnxruntime/capi";
const LIBRARY: &str = "libonnxruntime.so";

/// The one environment of the process.
fn environment() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    ENVIRONMENT
        .get_or_init(load)
        .as_ref()
        .map_err(|problem| Error::Runtime { problem: problem.clone() })
}

fn load() -> Result<Environment, String> {
    let library = locate()?;
    let builder = ort::init_from(&library).map_err(|error| error.to_string())?;
    let pool = GlobalThreadPoolOptions::default();
    let pool = pool.with_intra_threads(default_threads()).map_err(|error| error.to_string())?;
    builder
        .with_telemetry(false)
        .with_global_thread_pool(pool)
        .build()
        .map_err(|error| error.to_string())
}

/// The library: where `ORT_DYLIB_PATH` says; beside the program; where `make setup` put it.
fn locate() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let native = std::env::var_os("SHOWTELL_NATIVE").map(PathBuf::from);
    let folders = beside
        .iter()
        .flat_map(|folder| [folder.clone(), folder.join("../lib")])
        .chain(native.map(|native| native.join(WHEEL)))
        .chain([Path::new(env!("SHOWTELL_NATIVE_AT_BUILD")).join(WHEEL)])
        .collect::<Vec<_>>();
    folders.iter().find_map(|folder| library_in(folder)).ok_or_else(|| {
        let places = folders.iter().map(|folder| folder.display().to_string());
        format!("{LIBRARY} is in none of {}", places.collect::<Vec<_>>().join(", "))
    })
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

/// A session of the ONNX file at `path`, and the device it runs on. It has `threads` of its own, or
/// shares those of the process, one for each core: networks that take turns do not wait for one
/// another's threads then, which keep their cores for a while after each run.
pub(crate) fn open(
    path: &Path,
    choice: DeviceChoice,
    threads: Option<usize>,
) -> Result<(Session, Device)> {
    if choice != DeviceChoice::Cpu {
        match open_cuda(path, threads) {
            Err(Error::NoCuda { .. }) if choice == DeviceChoice::Auto => {}
            other => return Ok((other?, Device::Cuda)),
        }
    }
    let session = builder(path, threads)?.commit_from_file(path).map_err(Error::onnx(path))?;
    Ok((session, Device::Cpu))
}

/// A session of an ONNX file in memory, on the CPU.
pub(crate) fn open_bytes(file: &[u8]) -> Result<Session, String> {
    let environment = environment().map_err(|error| error.to_string())?;
    let session =
        Session::builder(environment).and_then(|mut builder| builder.commit_from_memory(file));
    session.map_err(|error| error.to_string())
}

/// The ONNX file at `path` after what can be worked out once has been: constants are computed, batch
/// normalisation is folded into the convolutions before it.
pub(crate) fn simplified(path: &Path) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let simple = folder.path().join("simplified.onnx");
    let environment = environment()?;
    let build = || -> ort::Result<Session> {
        let builder = Session::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::Level1)?;
        builder.with_optimized_model_path(&simple)?.commit_from_file(path)
    };
    build().map_err(Error::onnx(path))?;
    fs::read(&simple).map_err(Error::io(&simple))
}

fn open_cuda(path: &Path, threads: Option<usize>) -> Result<Session> {
    let no_cuda = |problem: String| Error::NoCuda { problem };
    environment()?;
    if !CUDA::is_available().unwrap_or(false) {
        return Err(no_cuda("this build of ONNX Runtime has no CUDA provider".to_owned()));
    }
    let provider = CUDA::default().build().error_on_failure();
    builder(path, threads)?
        .with_execution_providers([provider])
        .map_err(|error| no_cuda(error.to_string()))?
        .commit_from_file(path)
        .map_err(Error::onnx(path))
}

fn builder(path: &Path, threads: Option<usize>) -> Result<SessionBuilder> {
    let environment = environment()?;
    let on_integers = Outline::read(path)?.on_integers();
    let build = || -> ort::Result<SessionBuilder> {
        // Where only the weights are integers they are unpacked once, when the network is opened, not in
        // every run.
        let builder = Session::builder(environment)?.with_quant_qdq(on_integers)?;
        Ok(match threads {
            Some(threads) => builder.with_independent_thread_pool()?.with_intra_threads(threads)?,
            None => builder,
        })
    };
    build().map_err(|error| Error::Runtime { problem: error.to_string() })
}

/// The number of threads a network gets when nobody says otherwise: all cores.
pub(crate) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
