//! The number format of matrix products while training.

use serde::{Deserialize, Serialize};

/// The number format of matrix products while training. Weights, sums and everything else are 32-bit floats with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 factors; faster where the processor has instructions for them.
    Bf16,
}

impl Precision {
    /// The faster format on this processor: bfloat16 with AMX, and with AMD's AVX-512-BF16, where it was measured to be
    /// 1.4 times as fast; else 32-bit floats: on Intel's with AVX-512 alone bfloat16 took 1.7 times as long.
    pub(crate) fn for_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let cpu = raw_cpuid::CpuId::new();
            let is_amd =
                cpu.get_vendor_info().is_some_and(|vendor| vendor.as_str() == "AuthenticAMD");
            let features = cpu.get_extended_feature_info();
            if features.is_some_and(|has| has.has_amx_bf16() || (is_amd && has.has_avx512_bf16())) {
                return Self::Bf16;
            }
        }
        Self::F32
    }
}
