//! The device that libtorch runs on.

use models::DeviceChoice;
use tch::{Cuda, Device};

use crate::{Error, Result};

/// Chooses a device; `auto` falls back to the CPU.
///
/// # Errors
/// [`Error::NoCuda`] if `cuda` is chosen and not available.
pub fn choose(choice: DeviceChoice) -> Result<Device> {
    if choice == DeviceChoice::Cpu {
        return Ok(Device::Cpu);
    }
    load_cuda();
    match (Cuda::is_available(), choice) {
        (true, _) => Ok(Device::Cuda(0)),
        (false, DeviceChoice::Cuda) => Err(Error::NoCuda),
        (false, _) => Ok(Device::Cpu),
    }
}

/// The native libraries of this crate, a line each, for `--version`. libtorch does not say its version, but its folder does.
#[must_use]
pub fn native_versions() -> Vec<String> {
    const LIBRARY: &str = "libtorch_cpu.so";
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let path = maps
        .lines()
        .find(|line| line.ends_with(LIBRARY))
        .and_then(|line| line.find('/').map(|at| &line[at..]));
    let torch = format!("libtorch: {}", path.unwrap_or("not loaded"));
    vec![torch, features::native_version()]
}

/// Loads the CUDA part of libtorch, which registers itself. The linker leaves it out because no
/// symbol of it is used. Without it CUDA is not available.
#[expect(unsafe_code, reason = "a library is loaded")]
fn load_cuda() {
    // SAFETY: the library is a part of the libtorch this program is linked to; its initialisers
    // register the CUDA backend and have no other requirement.
    if let Ok(library) = unsafe { libloading::Library::new("libtorch_cuda.so") } {
        std::mem::forget(library);
    }
}
