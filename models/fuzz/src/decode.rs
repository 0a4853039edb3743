//! Decodes bytes as an upload is decoded. Finds are panics, overflows, more memory than the limits allow, and images with
//! more pixels than the limit.
#![no_main]
#![expect(clippy::disallowed_methods, reason = "the fuzzer writes its finds itself")]

mod seeds;

use libfuzzer_sys::fuzz_target;
use models::preprocess::apply;
use models::{Limits, Preprocess};

fuzz_target!(
    init: seeds::write().expect("the seeds can be written"),
    |bytes: &[u8]| {
        let limits = Limits::default();
        let Ok(image) = models::decode(bytes, &limits) else { return };
        let pixels = u64::from(image.width()) * u64::from(image.height());
        assert!(pixels <= limits.max_pixels, "{pixels} pixels were let in");
        assert!(models::decode::memory(bytes, &limits, &[]).is_ok(), "its need is unknown");
        let preprocess = Preprocess::imagenet([64, 64]);
        if let Ok(tensor) = apply(&preprocess, &image) {
            assert!(tensor.iter().all(|value| value.is_finite()));
        }
    }
);
