//! The commands.

pub(crate) mod calibrate;
mod data_paths;
pub(crate) mod evaluate;
pub(crate) mod export;
mod lessons;
pub(crate) mod neighbours;
mod prepare;
pub(crate) mod report;
mod results;
mod resume;
mod scoring;
pub(crate) mod training;

use common::program::warn;
use tch::Device;

use crate::options::DeviceArgs;

/// Sets the number of threads, and chooses and reports the device.
fn choose_device(options: &DeviceArgs) -> anyhow::Result<Device> {
    if let Some(threads) = options.threads {
        tch::set_num_threads(i32::from(threads));
    }
    let device = train::device::choose(options.device)?;
    let name = match device {
        Device::Cuda(number) => format!("CUDA device {number}"),
        _ => "the CPU".to_owned(),
    };
    warn(format_args!("libtorch runs on {name} (--device {})", options.device));
    Ok(device)
}
