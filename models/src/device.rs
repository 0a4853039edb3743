//! Devices that networks run on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, cuda};

/// The requested device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// CUDA if it is available, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA; an error if it is not available.
    Cuda,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// The device that a network runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// The warning that an encoder is on the CPU because of this [problem](crate::Encoder::cuda_problem) of CUDA.
#[must_use]
pub fn cuda_warning(problem: &str) -> String {
    format!("--device auto: {problem}: the encoder runs on the CPU, which takes longer")
}

/// What was opened on a device.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    pub(crate) value: T,
    /// Why it is on the CPU, although the runtime has a CUDA provider.
    pub(crate) cuda_problem: Option<String>,
}

/// Opens a network on the chosen device; with `auto` on CUDA, or else on the CPU. `has_cuda` says whether the runtime has a
/// CUDA provider, which may fail all the same: without a GPU, a driver, a library or enough memory.
pub(crate) fn open_on<T>(
    choice: DeviceChoice,
    has_cuda: bool,
    mut open: impl FnMut(Device) -> Result<T>,
) -> Result<Opened<T>> {
    let no_cuda = |problem: &str| Error::NoCuda { problem: problem.to_owned() };
    match choice {
        DeviceChoice::Cuda if !has_cuda => {
            return Err(no_cuda("this build of ONNX Runtime has no CUDA provider"));
        }
        DeviceChoice::Auto | DeviceChoice::Cuda if has_cuda => {}
        _ => return Ok(Opened { value: open(Device::Cpu)?, cuda_problem: None }),
    }
    let problem = match open(Device::Cuda) {
        Ok(value) => return Ok(Opened { value, cuda_problem: None }),
        Err(Error::NoCuda { problem }) => problem,
        Err(Error::Onnx { source, .. }) => {
            format!("CUDA cannot be used: {}", cuda::cause(&source.to_string()))
        }
        Err(Error::Run { network, source }) => format!(
            "CUDA cannot run {network}: {} (a smaller batch needs less memory)",
            cuda::cause(&source.to_string())
        ),
        Err(error) => return Err(error),
    };
    // What the CPU refuses as well is a flaw of the file.
    let value = open(Device::Cpu)?;
    match choice {
        DeviceChoice::Cuda => Err(no_cuda(&problem)),
        _ => Ok(Opened { value, cuda_problem: Some(problem) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime;

    const MESSAGE: &str = "cuda_call.cc:129 CUDA failure 100: no CUDA-capable device is detected ; GPU=0 ; hostname=node";

    fn onnx(message: &str) -> Error {
        Error::onnx("encoder.onnx".as_ref())(ort::Error::new(message))
    }

    /// Opens where CUDA gives `cuda` and the CPU `cpu`; returns the device or the error, and the problem of CUDA.
    fn opened(
        choice: DeviceChoice,
        has_cuda: bool,
        cuda: impl Fn() -> Result<Device>,
        cpu: impl Fn() -> Result<Device>,
    ) -> (Result<Device, String>, String) {
        // An error of `ort` is one of the library.
        runtime::environment().unwrap();
        let open = |device| if device == Device::Cuda { cuda() } else { cpu() };
        match open_on(choice, has_cuda, open) {
            Ok(opened) => (Ok(opened.value), opened.cuda_problem.unwrap_or_default()),
            Err(error) => (Err(error.to_string()), String::new()),
        }
    }

    #[test]
    fn a_device_is_chosen() {
        let [cuda, cpu] = [Device::Cuda, Device::Cpu].map(|device| move || Ok(device));
        let fails = || Err(onnx(MESSAGE));
        let none = String::new;
        assert_eq!(opened(DeviceChoice::Cpu, true, cuda, cpu), (Ok(Device::Cpu), none()));
        assert_eq!(opened(DeviceChoice::Auto, false, cuda, cpu), (Ok(Device::Cpu), none()));
        for choice in [DeviceChoice::Auto, DeviceChoice::Cuda] {
            assert_eq!(opened(choice, true, cuda, fails), (Ok(Device::Cuda), none()));
        }
        let (refused, _) = opened(DeviceChoice::Cuda, false, cuda, cpu);
        assert!(refused.unwrap_err().contains("--device cuda: this build of ONNX Runtime has no"));
    }

    #[test]
    fn what_cuda_refuses_runs_on_the_cpu() {
        let cpu = || Ok(Device::Cpu);
        let run = || Err(Error::run("models/encoder.onnx".to_owned())(ort::Error::new(MESSAGE)));
        let failure = "CUDA failure 100: no CUDA-capable device is detected";
        let cannot_run = format!("CUDA cannot run models/encoder.onnx: {failure} (a smaller");
        let cannot_be_used = format!("CUDA cannot be used: {failure}");
        let cases: [(&dyn Fn() -> Result<Device>, &str); 3] = [
            (&|| Err(onnx(MESSAGE)), &cannot_be_used),
            (&run, &cannot_run),
            (&|| Err(Error::NoCuda { problem: "no library".to_owned() }), "no library"),
        ];
        for (cuda, expected) in cases {
            let (device, problem) = opened(DeviceChoice::Auto, true, cuda, cpu);
            assert_eq!(device, Ok(Device::Cpu));
            assert!(problem.starts_with(expected), "{problem}");
            assert!(cuda_warning(&problem).starts_with(&format!("--device auto: {expected}")));
            let error = opened(DeviceChoice::Cuda, true, cuda, cpu).0.unwrap_err();
            assert!(error.starts_with(&format!("--device cuda: {expected}")), "{error}");
            assert!(error.contains("\n  Use --device cpu"), "{error}");
        }
    }

    #[test]
    fn flaws_of_a_file_are_not_those_of_cuda() {
        let damaged = || Err(onnx("protobuf parsing failed"));
        let other = || {
            let found = "no output".to_owned();
            Err(Error::NotAnEncoder { path: "encoder.onnx".into(), found })
        };
        for choice in [DeviceChoice::Auto, DeviceChoice::Cuda] {
            let (refused, _) = opened(choice, true, damaged, damaged);
            assert!(refused.unwrap_err().starts_with("encoder.onnx: ONNX Runtime cannot open it"));
            let (refused, _) = opened(choice, true, other, || Ok(Device::Cpu));
            assert!(refused.unwrap_err().starts_with("encoder.onnx: not a grid encoder"));
        }
    }
}
