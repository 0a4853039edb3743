//! Loops over floats that the compiler makes vector instructions of, for the processor that they run on.
#![expect(
    clippy::inline_always,
    reason = "a loop has the instructions of the function that it is inlined into"
)]

/// Number of sums that are kept apart, so that they fill the registers of a processor.
pub(super) const LANES: usize = 16;

/// A loop without calls of functions that are not inlined.
pub(super) trait Kernel {
    /// Runs it. It must be inlined.
    fn run(self);
}

/// Runs a loop with the widest vectors of the processor. The values are the same with all of them.
pub(super) fn run<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "functions with instructions that not all processors have")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            return unsafe { with_avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { with_avx2(kernel) };
        }
    }
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512<K: Kernel>(kernel: K) {
    kernel.run();
}

/// 1.5 · 2²³: a float of this size has no fraction, so adding it rounds to a whole number.
const ROUND: f32 = 12_582_912.0;
/// Beyond this the hyperbolic tangent is ±1 in 32 bits.
const SATURATED: f32 = 10.0;

/// The coefficients of 2^x = Σ (ln 2)^k / k! · x^k.
const POWERS: [f32; 7] = {
    let mut powers = [1.0; 7];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * std::f32::consts::LN_2 / at as f32;
        at += 1;
    }
    powers
};

/// The exponential function, within 1e-5 of its value; below −87 and above 88 it is that of the bound. Loops over it become
/// vector instructions. Products and sums are not joined, so that all processors compute the same.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    unbounded_exp(x.clamp(-87.0, 88.0))
}

/// [`exp`] within its bounds.
#[inline(always)]
fn unbounded_exp(x: f32) -> f32 {
    let exponent = std::f32::consts::LOG2_E * x;
    let rounded = exponent + ROUND;
    let rest = exponent - (rounded - ROUND);
    let whole = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let scale = f32::from_bits(whole.wrapping_add(127) << 23);
    POWERS.iter().rev().fold(0.0, |sum, power| sum * rest + power) * scale
}

/// The hyperbolic tangent, `1 − 2 / (e^2x + 1)`, within 3e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (unbounded_exp(2.0 * x.clamp(-SATURATED, SATURATED)) + 1.0)
}

/// The logistic function.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    0.5 * tanh(0.5 * x) + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_exact_enough() {
        for step in -400_000..400_000 {
            let x = step as f32 * 5e-5;
            let (exact, logistic) = (f64::from(x).tanh(), 1.0 / (1.0 + f64::from(-x).exp()));
            assert!((f64::from(tanh(x)) - exact).abs() < 3e-7, "{x}");
            assert!((f64::from(sigmoid(x)) - logistic).abs() < 3e-7, "{x}");
            let power = f64::from(4.0 * x).exp();
            assert!((f64::from(exp(4.0 * x)) / power - 1.0).abs() < 1e-5, "{x}");
        }
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan(), "divergence must be seen");
        assert!(exp(f32::NAN).is_nan() && exp(f32::NEG_INFINITY) < 1e-37);
        assert!(tanh(f32::INFINITY) > 0.999_999 && tanh(f32::NEG_INFINITY) < -0.999_999);
    }
}
