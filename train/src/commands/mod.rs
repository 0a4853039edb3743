//! What the commands do.

pub(crate) mod evaluation;
pub(crate) mod export;
mod places;
mod prepare;
pub(crate) mod report;
mod resume;
mod scoring;
pub(crate) mod training;

use data::program::warn;
use tch::Device;

use crate::options::Machine;

fn choose_device(machine: &Machine) -> anyhow::Result<Device> {
    if let Some(threads) = machine.threads {
        tch::set_num_threads(i32::from(threads));
    }
    let device = train::device::choose(machine.device)?;
    let name = match device {
        Device::Cuda(number) => format!("CUDA device {number}"),
        _ => "the CPU".to_owned(),
    };
    warn(format_args!("libtorch runs on {name} (--device {})", machine.device));
    Ok(device)
}
