//! The encoder: image tensors to grids. `N` is the number of images, `[H, W]` the size of the input, `[h, w]` that of a
//! grid and `C` the number of its channels.

use std::path::{Path, PathBuf};

use common::GridShape;
use ndarray::{Array3, Array4, ArrayView4, Axis, s};
use ort::memory::AllocationDevice;
use ort::session::Session;
use ort::value::TensorRef;

use crate::axes::{self, Strip};
use crate::bound::Bound;
use crate::interface::Interface;
use crate::network::NetworkFile;
use crate::preprocess::Resize;
use crate::{Device, DeviceChoice, Error, Preprocess, Result, runtime};

/// Options of an encoder.
#[derive(Debug, Clone, Copy, Default)]
pub struct EncoderOptions {
    /// The device.
    pub device: DeviceChoice,
    /// Threads of its own; `None` for the threads that all networks share, one for each core.
    pub threads: Option<usize>,
    /// Replaces the encoder's own way of resizing.
    pub resize: Option<Resize>,
}

/// An open grid encoder: any ONNX file with one `[N, 3, H, W]` input and one `[N, C, h, w]` output.
#[derive(Debug)]
pub struct Encoder {
    session: Session,
    path: PathBuf,
    sha256: String,
    preprocess: Preprocess,
    states_preprocess: bool,
    is_quantized: bool,
    device: Device,
    /// N, where the file fixes it.
    fixed_batch: Option<usize>,
    grid: GridShape,
    threads: usize,
    /// Its tensors in memory that a GPU reaches directly, after its first run there.
    bound: Option<Bound>,
}

impl Encoder {
    /// Opens the ONNX file at `path` and runs it once, which determines the shape of its grids and warms it up.
    ///
    /// # Errors
    /// If the file or its external data cannot be read, if ONNX Runtime is missing or refuses the file, if the device is
    /// not available, or if the network is not a grid encoder.
    pub fn open(path: &Path, options: &EncoderOptions) -> Result<Self> {
        Self::from_file(NetworkFile::read(path)?, options)
    }

    /// Opens an ONNX file that was read already.
    pub(crate) fn from_file(file: NetworkFile, options: &EncoderOptions) -> Result<Self> {
        let path = file.path().to_path_buf();
        let (session, device) = runtime::open(&file, options.device, options.threads)?;
        let Interface { batch, height, width } = Interface::read(&path, &session)?;
        let stated = file.outline().metadata(Preprocess::METADATA_KEY);
        let mut preprocess = match stated {
            Some(json) => serde_json::from_str(json)
                .map_err(|source| Error::Metadata { path: path.clone(), source })?,
            None => Preprocess::imagenet([height.unwrap_or(224), width.unwrap_or(224)]),
        };
        preprocess.check().map_err(Error::preprocess(&path))?;
        preprocess.resize = options.resize.unwrap_or(preprocess.resize);
        let mut encoder = Self {
            session,
            path,
            sha256: file.sha256().to_owned(),
            states_preprocess: stated.is_some(),
            is_quantized: file.outline().is_quantized(),
            preprocess,
            device,
            fixed_batch: batch.map(|batch| batch as usize),
            grid: GridShape::from([0; 3]),
            threads: options.threads.unwrap_or_else(runtime::default_threads),
            bound: None,
        };
        // The session has its own copy.
        drop(file);
        encoder.grid = encoder.probe()?;
        encoder.check_axes()?;
        Ok(encoder)
    }

    /// Runs on black images for the shape of their grids.
    fn probe(&mut self) -> Result<GridShape> {
        let images = self.fixed_batch.unwrap_or(1);
        let [channels, height, width] = self.preprocess.shape();
        let planes = self.run(Array4::zeros([images, channels, height, width]).view())?;
        let (found, channels, height, width) = planes.dim();
        if found == images && height * width > 1 {
            return Ok(GridShape { height, width, channels });
        }
        let found = format!("an output of shape {:?} for {images} image(s)", planes.shape());
        Err(Error::NotAnEncoder { path: self.path.clone(), found })
    }

    /// Refuses a network whose grids have their channels last. Where the shape is ambiguous, runs on images that differ
    /// at one of their edges decide.
    fn check_axes(&mut self) -> Result<()> {
        let [_, height, width] = self.preprocess.shape();
        let shape = [self.grid.channels, self.grid.height, self.grid.width];
        if axes::shape_tells(shape, [height, width]) {
            return Ok(());
        }
        let images = self.fixed_batch.unwrap_or(1);
        let mut grid = |strip: Option<Strip>| {
            let image = axes::image([height, width], strip);
            let tensors = image.broadcast([images, 3, height, width]).map(|all| all.to_owned());
            let planes = self.run(tensors.unwrap_or_default().view())?;
            Ok::<_, Error>(planes.index_axis_move(Axis(0), 0))
        };
        let plain = grid(None)?;
        let [top, bottom, left, right] = Strip::ALL.map(|strip| grid(Some(strip)));
        if axes::channels_are_last(&plain, &[top?, bottom?, left?, right?]) {
            return Err(Error::ChannelsLast { path: self.path.clone(), grid: shape });
        }
        Ok(())
    }

    /// Encodes image tensors `[N, 3, H, W]` into grids `[N, C, h, w]`. [`cells_last`] brings these into the order of a
    /// store and a decoder, which another thread may do.
    ///
    /// # Errors
    /// [`Error::Images`] if the size of the images is not that of [`preprocess`](Self::preprocess), [`Error::Run`] if the
    /// network fails.
    pub fn encode(&mut self, images: ArrayView4<f32>) -> Result<Array4<f32>> {
        let (count, channels, height, width) = images.dim();
        let (found, expected) = ([channels, height, width], self.preprocess.shape());
        if found != expected {
            return Err(Error::Images { found, expected });
        }
        let batch = self.fixed_batch.unwrap_or(count);
        if batch == count && count > 0 {
            return self.run(images);
        }
        let GridShape { height: rows, width: columns, channels: values } = self.grid;
        let mut planes = Array4::zeros([count, values, rows, columns]);
        let mut padded = Array4::zeros([batch, channels, height, width]);
        let parts = planes.axis_chunks_iter_mut(Axis(0), batch.max(1));
        for (mut planes, part) in parts.zip(images.axis_chunks_iter(Axis(0), batch.max(1))) {
            padded.slice_mut(s![..part.len_of(Axis(0)), .., .., ..]).assign(&part);
            let found = self.run(padded.view())?;
            planes.assign(&found.slice(s![..part.len_of(Axis(0)), .., .., ..]));
        }
        Ok(planes)
    }

    /// Runs the network on `[N, 3, H, W]`; the output is copied once, out of the runtime.
    fn run(&mut self, images: ArrayView4<f32>) -> Result<Array4<f32>> {
        let failed = Error::run(format!("the encoder {}", self.path.display()));
        let images = images.as_standard_layout();
        let (count, channels, height, width) = images.dim();
        let shape = [count, channels, height, width];
        let values = images.as_slice().unwrap_or_default();
        if self.device == Device::Cuda {
            if self.bound.as_ref().is_none_or(|bound| bound.shape() != shape) {
                let bound = Bound::new(&self.session, &AllocationDevice::CUDA_PINNED, shape);
                self.bound = Some(bound.map_err(&failed)?);
            }
            if let Some(bound) = &mut self.bound {
                let (shape, planes) = bound.run(&mut self.session, values).map_err(&failed)?;
                return self.planes(&shape, planes);
            }
        }
        let input = TensorRef::from_array_view((shape, values)).map_err(&failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(&failed)?;
        let (shape, planes) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        let (shape, planes) = (shape.to_vec(), planes.to_vec());
        drop(outputs);
        self.planes(&shape, planes)
    }

    /// An output of the network as an array.
    fn planes(&self, shape: &[i64], values: Vec<f32>) -> Result<Array4<f32>> {
        let sides = shape.iter().map(|&side| side as usize).collect::<Vec<_>>();
        let sides = <[usize; 4]>::try_from(sides).ok();
        let planes = sides.and_then(|sides| Array4::from_shape_vec(sides, values).ok());
        planes.ok_or_else(|| Error::NotAnEncoder {
            path: self.path.clone(),
            found: format!("an output of shape {shape:?}"),
        })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The network's [identity](crate::identity::identify): the SHA-256 of its file, if that holds all weights.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How images become its input.
    #[must_use]
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Whether the file itself states its preprocessing; else that of ImageNet is assumed.
    #[must_use]
    pub fn states_preprocess(&self) -> bool {
        self.states_preprocess
    }

    /// Whether its convolutions multiply integers.
    #[must_use]
    pub fn is_quantized(&self) -> bool {
        self.is_quantized
    }

    /// The device that it runs on.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// The device and threads in words: `cpu, 2 threads`.
    #[must_use]
    pub fn describe_device(&self) -> String {
        match self.device {
            Device::Cpu => format!("cpu, {} threads", self.threads),
            Device::Cuda => "cuda, first GPU".to_owned(),
        }
    }

    /// The shape of a grid.
    #[must_use]
    pub fn grid(&self) -> GridShape {
        self.grid
    }
}

/// Brings grids `[N, C, h, w]` into the order `[N, h·w, C]`, cell by cell from the top left.
#[must_use]
pub fn cells_last(planes: ArrayView4<f32>) -> Array3<f32> {
    let (images, channels, height, width) = planes.dim();
    let cells = height * width;
    let mut grids = Array3::zeros([images, cells, channels]);
    let planes = planes.as_standard_layout();
    for (planes, mut grid) in planes.outer_iter().zip(grids.outer_iter_mut()) {
        if let (Some(planes), Some(grid)) = (planes.as_slice(), grid.as_slice_mut()) {
            transpose::transpose(planes, grid, cells, channels);
        }
    }
    grids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_last() {
        let planes = Array4::from_shape_fn([2, 3, 2, 4], |(n, c, y, x)| {
            (n * 100 + c * 10 + y * 4 + x) as f32
        });
        let grids = cells_last(planes.view());
        assert_eq!(grids.dim(), (2, 8, 3));
        for ((n, cell, c), value) in grids.indexed_iter() {
            assert!((value - planes[[n, c, cell / 4, cell % 4]]).abs() < f32::EPSILON);
        }
        // Of another memory order too.
        let mut turned = planes.clone();
        turned.swap_axes(2, 3);
        assert_eq!(cells_last(turned.view()).slice(s![1, 2, ..]), planes.slice(s![1, .., 0, 1]));
    }
}
