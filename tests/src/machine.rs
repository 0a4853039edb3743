//! The machine of benches.

use std::fmt::{self, Display, Formatter};
use std::thread;

use serde::{Deserialize, Serialize};

/// The machine, as Linux describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, with its family and model: names of virtual processors have no generation.
    pub processor: String,
    /// The number of cores that this process may use.
    pub cores: usize,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Instructions for floats of 512 bits, and for products of bfloat16 values.
    pub instructions: Vec<String>,
    /// The release of Linux.
    pub kernel: String,
}

/// Flags in `/proc/cpuinfo` and what they mean.
const INSTRUCTIONS: [(&str, &str); 3] = [
    ("avx512f", "AVX-512"),
    ("avx512_bf16", "bfloat16 products of AVX-512"),
    ("amx_bf16", "bfloat16 products of AMX"),
];

impl Machine {
    /// Describes this machine; what Linux does not tell is `unknown`.
    #[must_use]
    pub fn read() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let kernel = file("/proc/sys/kernel/osrelease");
        let kernel = if kernel.is_empty() { "unknown" } else { kernel.trim() };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::parse(&file("/proc/cpuinfo"), &file("/proc/meminfo"), kernel, cores)
    }

    /// The machine with these contents of `/proc/cpuinfo` and `/proc/meminfo`.
    #[must_use]
    pub fn parse(processor: &str, memory: &str, kernel: &str, cores: usize) -> Self {
        let [name, family, model] =
            ["model name", "cpu family", "model"].map(|name| field(processor, name));
        let flags = field(processor, "flags").split(' ').collect::<Vec<_>>();
        let known = INSTRUCTIONS.iter().filter(|(flag, _)| flags.contains(flag));
        let kib = field(memory, "MemTotal").trim_end_matches(" kB").parse::<f64>();
        Self {
            processor: format!("{name} (family {family}, model {model})"),
            cores,
            memory_gib: (kib.unwrap_or_default() / 1024.0 / 102.4).round() / 10.0,
            instructions: known.map(|(_, name)| (*name).to_owned()).collect(),
            kernel: kernel.to_owned(),
        }
    }

    /// Whether times on the other machine may be compared: processor, instructions and number of cores are the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.processor, self.cores, &self.instructions)
            == (&other.processor, other.cores, &other.instructions)
    }
}

impl Display for Machine {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let instructions = match self.instructions.as_slice() {
            [] => "without AVX-512 and bfloat16 products".to_owned(),
            known => known.join(", "),
        };
        let Self { processor, cores, memory_gib, kernel, .. } = self;
        write!(out, "{processor}, {instructions}; {cores} cores, {memory_gib} GiB, Linux {kernel}")
    }
}

/// The first value of a field in lines `name : value`; `unknown` without one.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.trim() == name).map_or("unknown", |(_, value)| value.trim())
}
