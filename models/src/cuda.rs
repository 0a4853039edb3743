//! The CUDA provider of ONNX Runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{CUDA, ExecutionProvider as _};
use ort::session::builder::SessionBuilder;

/// Beginnings of the names of CUDA's libraries, in the order of loading: each after those that it needs.
const LIBRARIES: [&str; 15] = [
    "libcudart.so.",
    "libnvJitLink.so.",
    "libnvrtc.so.",
    "libcublasLt.so.",
    "libcublas.so.",
    "libcurand.so.",
    "libcufft.so.",
    "libcudnn.so.",
    "libcudnn_graph.so.",
    "libcudnn_ops.so.",
    "libcudnn_heuristic.so.",
    "libcudnn_adv.so.",
    "libcudnn_cnn.so.",
    "libcudnn_engines_precompiled.so.",
    "libcudnn_engines_runtime_compiled.so.",
];

/// Whether the loaded build of ONNX Runtime has the provider; there may be no GPU all the same.
pub(crate) fn is_built_in() -> bool {
    CUDA::is_available().unwrap_or(false)
}

/// Adds the provider to a session. `runtime` is the file of ONNX Runtime.
///
/// cuDNN chooses the algorithm of a convolution by its heuristic instead of trying all of them, which would be repeated for
/// each number of images. Products have the precision of float32, not of TF32.
pub(crate) fn register(
    mut builder: SessionBuilder,
    runtime: Option<&Path>,
) -> ort::Result<SessionBuilder> {
    static PRELOADED: Once = Once::new();
    PRELOADED.call_once(|| preload(&runtime.map(libraries).unwrap_or_default()));
    let provider = CUDA::default().with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
    let precise = provider.clone().with_tf32(false);
    // ONNX Runtime 1.17 refuses the setting as unknown.
    precise.register(&mut builder).or_else(|_| provider.register(&mut builder))?;
    Ok(builder)
}

/// Loads libraries, so that the provider finds them by their names. One that cannot be loaded may be found elsewhere.
fn preload(libraries: &[PathBuf]) {
    for library in libraries {
        let _ = ort::util::preload_dylib(library);
    }
}

/// The libraries of CUDA and cuDNN that wheels install beside ONNX Runtime, where the loader does not search:
/// `PLACE/nvidia/*/lib`, for a runtime in `PLACE/onnxruntime/capi`. The dependencies of a library precede it.
fn libraries(runtime: &Path) -> Vec<PathBuf> {
    let target = runtime.canonicalize().ok().filter(|target| target != runtime);
    let places = [Some(runtime), target.as_deref()];
    let places = places.into_iter().flatten().filter_map(|file| file.ancestors().nth(3));
    let folders = places.flat_map(|place| entries(&place.join("nvidia")));
    let files = folders.flat_map(|folder| entries(&folder.join("lib"))).collect::<Vec<_>>();
    let begins = |file: &Path, with: &str| {
        file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(with))
    };
    let of = |name| files.iter().filter(move |file| begins(file, name)).cloned();
    LIBRARIES.into_iter().flat_map(of).collect()
}

/// The entries of a folder, sorted; none if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>();
    paths.sort();
    paths
}

/// The cause in a message of the provider, without the place in its source.
pub(crate) fn cause(message: &str) -> String {
    let failures = ["CUDA failure", "CUDNN failure", "CUBLAS failure"];
    let start = failures.iter().find_map(|failure| message.find(failure));
    let cause = &message[start.unwrap_or(0)..];
    let cause = cause.split(" ; GPU=").next().unwrap_or(cause);
    cause.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_wheels_follow_their_dependencies() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        let files = [
            "nvidia/cu13/lib/libcublas.so.13",
            "nvidia/cu13/lib/libcublasLt.so.13",
            "nvidia/cu13/lib/libcudart.so.13",
            "nvidia/cu13/lib/libnvrtc-builtins.so.13.5",
            "nvidia/cu13/lib/libcufft.so.12",
            "nvidia/cudnn/lib/libcudnn.so.9",
            "nvidia/cudnn/lib/libcudnn_ops.so.9",
            "nvidia/cudnn/lib/notes.txt",
            "onnxruntime/capi/libonnxruntime.so.1.31.1",
        ];
        for file in files {
            let file = place.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let runtime = place.join("onnxruntime/capi/libonnxruntime.so.1.31.1");
        let found = libraries(&runtime);
        let found = found.iter().map(|file| file.strip_prefix(&place).unwrap().to_str().unwrap());
        let expected = [2, 1, 0, 4, 5, 6].map(|at| files[at]);
        assert_eq!(found.collect::<Vec<_>>(), expected);
        // Files that are not libraries are ignored.
        preload(&libraries(&runtime));
        assert_eq!(libraries(Path::new("libonnxruntime.so")), Vec::<PathBuf>::new());
        let link = place.join("libonnxruntime.so");
        std::os::unix::fs::symlink(&runtime, &link).unwrap();
        assert_eq!(libraries(&link).len(), expected.len());
    }

    #[test]
    fn causes_are_short() {
        let driver = "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 onnxruntime::CudaCall(...) CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0 ; hostname=node ; file=/onnxruntime_src/x.cc ; line=280 ; expr=cudaSetDevice(info_.device_id);\n\n";
        assert_eq!(
            cause(driver),
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
        );
        assert_eq!(cause("a library is missing\nstack"), "a library is missing");
        assert_eq!(cause(""), "");
    }
}
