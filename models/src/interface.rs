//! The inputs and outputs of a network.

use std::fmt::Write as _;
use std::path::Path;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::{Error, Preprocess, Result};

/// The sides of an encoder's input `[N, 3, H, W]`, where the file fixes them.
pub(crate) struct Interface {
    pub(crate) batch: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) width: Option<u32>,
}

impl Interface {
    /// Checks for one `[N, 3, H, W]` input and one `[N, C, h, w]` output of floats; with a head there is another output.
    pub(crate) fn read(path: &Path, session: &Session, has_head: bool) -> Result<Self> {
        let refused = || Error::NotAnEncoder {
            path: path.to_path_buf(),
            found: format!("{} -> {}", describe(session.inputs()), describe(session.outputs())),
        };
        let ([input], [output, others @ ..]) = (session.inputs(), session.outputs()) else {
            return Err(refused());
        };
        if others.len() != usize::from(has_head) {
            return Err(refused());
        }
        let (Some(&[batch, 3, height, width]), Some(&[_, _, _, _])) =
            (float_shape(input), float_shape(output))
        else {
            return Err(refused());
        };
        // A free side has no length, or a negative one.
        let sides = [height, width].map(|side| if side < 0 { 1 } else { side });
        Preprocess::check_size(sides).map_err(Error::preprocess(path))?;
        let fixed = |side: i64| u32::try_from(side).ok().filter(|&side| side > 0);
        Ok(Self { batch: fixed(batch), height: fixed(height), width: fixed(width) })
    }
}

fn float_shape(outlet: &Outlet) -> Option<&[i64]> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Some(shape),
        _ => None,
    }
}

fn describe(outlets: &[Outlet]) -> String {
    let mut text = String::new();
    for outlet in outlets {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => {
                write!(text, "{separator}`{}` {ty} {shape}", outlet.name())
            }
            other => write!(text, "{separator}`{}` {other}", outlet.name()),
        };
    }
    text
}
