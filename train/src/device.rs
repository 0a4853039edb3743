//! The device that libtorch runs on.

use std::error::Error as _;

use models::DeviceChoice;
use tch::{Cuda, Device};

use crate::{Error, Result};

/// How a training computes. What is fast differs between processors and GPUs. The way of GPUs runs on a processor as well, so
/// that tests compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// For a processor: values in its caches, random numbers that are the same on each machine.
    Host,
    /// For a GPU: few and large operations, and no result that is waited for within a step.
    Accelerator,
}

impl Backend {
    /// The way that is fast on a device.
    #[must_use]
    pub fn for_device(device: Device) -> Self {
        if device.is_cuda() { Self::Accelerator } else { Self::Host }
    }
}

/// The device of a training, and how it computes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// The device of weights and batches.
    pub device: Device,
    /// How it computes.
    pub backend: Backend,
}

impl From<Device> for Compute {
    fn from(device: Device) -> Self {
        Self { device, backend: Backend::for_device(device) }
    }
}

/// Chooses a device; `auto` falls back to the CPU.
///
/// # Errors
/// [`Error::NoCuda`] if `cuda` is chosen and not available.
pub fn choose(choice: DeviceChoice) -> Result<Device> {
    Ok(match choice {
        DeviceChoice::Cpu => Device::Cpu,
        DeviceChoice::Auto => find_cuda().unwrap_or(Device::Cpu),
        DeviceChoice::Cuda => find_cuda().map_err(|problem| Error::NoCuda { problem })?,
    })
}

/// The first CUDA device, or the reason why there is none.
fn find_cuda() -> Result<Device, String> {
    load_cuda().map_err(|error| {
        // The error itself says that it failed, its source why.
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("the CUDA part of libtorch cannot be loaded: {cause}")
    })?;
    match Cuda::device_count() {
        1.. => Ok(Device::Cuda(0)),
        count => Err(format!("libtorch has its CUDA part and finds {count} CUDA devices")),
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
fn load_cuda() -> Result<(), libloading::Error> {
    // SAFETY: the library is a part of the libtorch this program is linked to; its initialisers
    // register the CUDA backend and have no other requirement.
    let library = unsafe { libloading::Library::new("libtorch_cuda.so") }?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_refused_with_the_cause() {
        match choose(DeviceChoice::Cuda) {
            Ok(device) => assert_eq!(device, Device::Cuda(0)),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(".so") || error.contains("finds 0"), "{error}");
                assert_eq!(choose(DeviceChoice::Auto).unwrap(), Device::Cpu);
            }
        }
        assert_eq!(choose(DeviceChoice::Cpu).unwrap(), Device::Cpu);
        assert_eq!(Backend::for_device(Device::Cpu), Backend::Host);
    }
}
