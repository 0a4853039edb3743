//! The encoder: a batch of image tensors to grids.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ort::memory::AllocationDevice;
use ort::session::Session;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::axes::{self, Strip};
use crate::bound::Bound;
use crate::preprocess::{METADATA_KEY, Resize, check_sides};
use crate::{Device, DeviceChoice, Error, Preprocess, Result, identity, runtime};

/// What a user may choose about an encoder.
#[derive(Debug, Clone, Copy, Default)]
pub struct EncoderOptions {
    /// Where it runs.
    pub device: DeviceChoice,
    /// Threads of one run, its own; one for each core, shared with others, where it is `None`.
    pub threads: Option<usize>,
    /// Another way to the input size than the encoder's own.
    pub resize: Option<Resize>,
}

/// An open grid encoder: any ONNX file with one `[N,3,H,W]` input and one `[N,C,h,w]` output.
#[derive(Debug)]
pub struct Encoder {
    session: Session,
    path: PathBuf,
    sha256: String,
    preprocess: Preprocess,
    stated_preprocess: bool,
    device: Device,
    /// Some(n) where the file fixes N.
    fixed_batch: Option<usize>,
    /// Height, width and channels of a grid.
    grid: [usize; 3],
    threads: usize,
    /// Its tensors in memory that the device reaches directly, once it has run on one.
    bound: Option<Bound>,
}

/// The grids of some images as the network gives them: image by image, channel by channel.
#[derive(Debug, Clone)]
pub struct Planes {
    values: Vec<f32>,
    /// Height, width and channels of a grid.
    grid: [usize; 3],
}

impl Planes {
    /// The same as grids: images × cells × channels.
    #[must_use]
    pub fn to_grids(&self) -> Vec<f32> {
        let [height, width, channels] = self.grid;
        let cells = height * width;
        let mut grids = vec![0.0; self.values.len()];
        let images = self.values.chunks_exact(cells * channels);
        for (planes, grid) in images.zip(grids.chunks_exact_mut(cells * channels)) {
            transpose::transpose(planes, grid, cells, channels);
        }
        grids
    }
}

impl Encoder {
    /// Opens the ONNX file at `path` and runs it once, which tells the grid and warms it up.
    pub fn open(path: &Path, options: &EncoderOptions) -> Result<Self> {
        Self::open_hashed(path, identity::of_network(path)?, options)
    }

    /// The same for a network whose identity is known.
    pub(crate) fn open_hashed(
        path: &Path,
        sha256: String,
        options: &EncoderOptions,
    ) -> Result<Self> {
        let (session, device) = runtime::open(path, options.device, options.threads)?;
        let [batch, height, width] = check_interface(path, &session)?;
        let stated = session.metadata().ok().and_then(|metadata| metadata.custom(METADATA_KEY));
        let mut preprocess = match &stated {
            Some(json) => serde_json::from_str(json).map_err(|error| {
                Error::onnx(path)(format!(
                    "its metadata `{METADATA_KEY}` is not understood: {error}"
                ))
            })?,
            None => Preprocess::imagenet([height.unwrap_or(224), width.unwrap_or(224)]),
        };
        preprocess.check().map_err(Error::onnx(path))?;
        if let Some(resize) = options.resize {
            preprocess.resize = resize;
        }
        let mut encoder = Self {
            session,
            path: path.to_path_buf(),
            sha256,
            stated_preprocess: stated.is_some(),
            device,
            fixed_batch: batch.map(|batch| batch as usize),
            grid: [0; 3],
            threads: options.threads.unwrap_or_else(runtime::default_threads),
            bound: None,
            preprocess,
        };
        encoder.grid = encoder.probe()?;
        encoder.check_axes()?;
        Ok(encoder)
    }

    /// One run on black images, for the shape of their grids.
    fn probe(&mut self) -> Result<[usize; 3]> {
        let images = self.fixed_batch.unwrap_or(1);
        let zeros = vec![0.0; images * self.preprocess.values()];
        let (shape, _) = self.run(&zeros, images)?;
        match shape[..] {
            [found, channels, height, width] if found == images && height * width > 1 => {
                Ok([height, width, channels])
            }
            _ => Err(Error::NotAnEncoder {
                path: self.path.clone(),
                found: format!("an output of shape {shape:?} for {images} image(s)"),
            }),
        }
    }

    /// Refuses a network whose grids have the channels last. Where their shape leaves it open, some runs on
    /// images that differ at one of their sides tell.
    fn check_axes(&mut self) -> Result<()> {
        let size = self.preprocess.size.map(|side| side as usize);
        let [height, width, channels] = self.grid;
        let shape = [channels, height, width];
        if axes::shape_tells(shape, size) {
            return Ok(());
        }
        let images = self.fixed_batch.unwrap_or(1);
        let mut grid_of = |strip: Option<Strip>| {
            let (_, mut grids) = self.run(&axes::image(size, strip).repeat(images), images)?;
            grids.truncate(shape.iter().product());
            Ok::<_, Error>(grids)
        };
        let plain = grid_of(None)?;
        let [top, bottom, left, right] = Strip::ALL.map(|strip| grid_of(Some(strip)));
        if axes::channels_are_last(shape, &plain, &[top?, bottom?, left?, right?]) {
            return Err(Error::ChannelsLast { path: self.path.clone(), grid: shape });
        }
        Ok(())
    }

    /// The grids of `images` tensors, `images × cells × channels`.
    ///
    /// # Panics
    /// If `tensors` does not hold `images` tensors of this encoder's size.
    pub fn encode(&mut self, tensors: &[f32], images: usize) -> Result<Vec<f32>> {
        Ok(self.encode_planes(tensors, images)?.to_grids())
    }

    /// Like [`encode`](Self::encode), in the order in which the network gives the values, so that
    /// another thread may bring them to the order of grids.
    ///
    /// # Panics
    /// If `tensors` does not hold `images` tensors of this encoder's size.
    pub fn encode_planes(&mut self, tensors: &[f32], images: usize) -> Result<Planes> {
        let values = self.preprocess.values();
        assert_eq!(tensors.len(), images * values, "tensors of another size");
        let batch = self.fixed_batch.unwrap_or(images).max(1);
        let grid_values = self.grid.iter().product::<usize>();
        let mut planes = Vec::with_capacity(images.next_multiple_of(batch) * grid_values);
        for part in tensors.chunks(batch * values) {
            let mut part = Cow::Borrowed(part);
            if part.len() < batch * values {
                part.to_mut().resize(batch * values, 0.0);
            }
            planes.extend(self.run(&part, batch)?.1);
        }
        planes.truncate(images * grid_values);
        Ok(Planes { values: planes, grid: self.grid })
    }

    /// One run: the output's shape and its values, channel by channel.
    fn run(&mut self, tensors: &[f32], images: usize) -> Result<(Vec<usize>, Vec<f32>)> {
        let failed = Error::run(&format!("the encoder {}", self.path.display()));
        let [height, width] = self.preprocess.size;
        let shape = [images, 3, height as usize, width as usize];
        if self.device == Device::Cuda {
            if self.bound.as_ref().is_none_or(|bound| bound.shape() != shape) {
                let bound = Bound::new(&self.session, &AllocationDevice::CUDA_PINNED, shape);
                self.bound = Some(bound.map_err(&failed)?);
            }
            if let Some(bound) = &mut self.bound {
                return bound.run(&mut self.session, tensors).map_err(&failed);
            }
        }
        let input = TensorRef::from_array_view((shape, tensors)).map_err(&failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(&failed)?;
        let (shape, planes) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        Ok((shape.iter().map(|&side| side as usize).collect(), planes.to_vec()))
    }

    /// The file it was opened from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The network's [identity](identity::of_network): the SHA-256 of its file, if all weights lie in it.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How images become its input.
    #[must_use]
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Whether the file itself says how images become its input; else the usual way is assumed.
    #[must_use]
    pub fn states_preprocess(&self) -> bool {
        self.stated_preprocess
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// Where it runs, for people and records: `cpu, 2 threads`.
    #[must_use]
    pub fn describe_device(&self) -> String {
        match self.device {
            Device::Cpu => format!("cpu, {} threads", self.threads),
            Device::Cuda => "cuda, first GPU".to_owned(),
        }
    }

    /// Height, width and channels of a grid.
    #[must_use]
    pub fn grid(&self) -> [usize; 3] {
        self.grid
    }
}

/// Checks for one `[N,3,H,W]` input and one `[N,C,h,w]` output; gives N, H and W where the file
/// fixes them.
fn check_interface(path: &Path, session: &Session) -> Result<[Option<u32>; 3]> {
    let refuse = || Error::NotAnEncoder {
        path: path.to_path_buf(),
        found: format!("{} -> {}", describe(session.inputs()), describe(session.outputs())),
    };
    let ([input], [output]) = (session.inputs(), session.outputs()) else {
        return Err(refuse());
    };
    let usable = |sides: [i64; 2]| {
        // What is free has no length yet, or a negative one.
        let sides = sides.map(|side| if side < 0 { 1 } else { side });
        check_sides(sides).map_err(Error::onnx(path))
    };
    let fixed = |side: i64| u32::try_from(side).ok().filter(|&side| side > 0);
    match (float_shape(input), float_shape(output)) {
        (Some(&[batch, 3, height, width]), Some(&[_, _, _, _])) => {
            usable([height, width])?;
            Ok([fixed(batch), fixed(height), fixed(width)])
        }
        _ => Err(refuse()),
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
