//! The encoder: image tensors to grids. `N` is the number of images, `[H, W]` the size of the input, `[h, w]` that of a
//! grid and `C` the number of its channels.

use std::path::{Path, PathBuf};

use common::GridShape;
use ndarray::{Array, Array2, Array3, Array4, ArrayD, ArrayView4, Axis, Dimension, Ix2, Ix4, s};
use ort::memory::AllocationDevice;

use crate::axes::{self, Strip};
use crate::bound::{BoundSession, Output};
use crate::device::{self, Opened};
use crate::head::Head;
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
    /// Whether it computes the probabilities of classes as well, if it has a head ([`common::head`]).
    pub classify: bool,
    /// The number of images of each run on CUDA, unless the file fixes one: fewer images are padded, because each other
    /// number costs another choice of algorithms and other memory. `None` runs on as many as there are.
    pub cuda_batch: Option<usize>,
}

/// What an encoder computes of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The grids, `[N, C, h, w]`.
    pub grids: Array4<f32>,
    /// The probabilities of classes, `[N, classes]`, of an encoder that classifies.
    pub classes: Option<Array2<f32>>,
}

/// An open grid encoder: any ONNX file with one `[N, 3, H, W]` input and one `[N, C, h, w]` output.
#[derive(Debug)]
pub struct Encoder {
    session: BoundSession,
    path: PathBuf,
    sha256: String,
    preprocess: Preprocess,
    states_preprocess: bool,
    is_quantized: bool,
    device: Device,
    /// Why it is on the CPU, although the runtime has a CUDA provider.
    cuda_problem: Option<String>,
    /// N, where the file or [`EncoderOptions::cuda_batch`] fixes it.
    fixed_batch: Option<usize>,
    grid: GridShape,
    /// The names of the classes, if it classifies.
    classes: Option<Vec<String>>,
    threads: usize,
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
    pub(crate) fn from_file(mut file: NetworkFile, options: &EncoderOptions) -> Result<Self> {
        // A network of several files is opened from its path, where no head can be appended.
        let can_classify = options.classify && file.whole().is_some();
        let head = if can_classify { Head::beside(&file)? } else { None };
        if let Some(head) = &head {
            file.append(head.bytes());
        }
        let open = |device| {
            let encoder = Self::on(device, &file, head.as_ref(), options)?;
            // A GPU that cannot run the network, such as one of another architecture, is known only then.
            if device == Device::Cuda { encoder.probed(head.as_ref()) } else { Ok(encoder) }
        };
        let Opened { value: mut encoder, cuda_problem } =
            device::open_on(options.device, runtime::has_cuda()?, open)?;
        // The session has its own copy.
        drop(file);
        encoder.cuda_problem = cuda_problem;
        match encoder.device {
            Device::Cpu => encoder.probed(head.as_ref()),
            Device::Cuda => Ok(encoder),
        }
    }

    /// Opens a file on a device; the shape of its grids is not known yet.
    fn on(
        device: Device,
        file: &NetworkFile,
        head: Option<&Head>,
        options: &EncoderOptions,
    ) -> Result<Self> {
        let path = file.path().to_path_buf();
        let opened = runtime::open(file, device, options.threads);
        let session = opened.map_err(|error| match (head, error) {
            (Some(head), Error::Onnx { source, .. }) if device == Device::Cpu => {
                head.refused(source.to_string())
            }
            (_, error) => error,
        })?;
        let Interface { batch, height, width } = Interface::read(&path, &session, head.is_some())?;
        let stated = file.outline().metadata(Preprocess::METADATA_KEY);
        let mut preprocess = match stated {
            Some(json) => serde_json::from_str(json)
                .map_err(|source| Error::Metadata { path: path.clone(), source })?,
            None => Preprocess::imagenet([height.unwrap_or(224), width.unwrap_or(224)]),
        };
        preprocess.check().map_err(Error::preprocess(&path))?;
        preprocess.resize = options.resize.unwrap_or(preprocess.resize);
        let (memory, batch_of_device) = match device {
            Device::Cpu => (None, None),
            Device::Cuda => {
                (Some(AllocationDevice::CUDA_PINNED), options.cuda_batch.filter(|&batch| batch > 0))
            }
        };
        Ok(Self {
            session: BoundSession::new(session, memory),
            path,
            sha256: file.sha256().to_owned(),
            states_preprocess: stated.is_some(),
            is_quantized: file.outline().is_quantized(),
            preprocess,
            device,
            cuda_problem: None,
            fixed_batch: batch.map(|batch| batch as usize).or(batch_of_device),
            grid: GridShape::from([0; 3]),
            classes: None,
            threads: options.threads.unwrap_or_else(runtime::default_threads),
        })
    }

    /// Runs it once, for the shape of its grids and the names of its classes.
    fn probed(mut self, head: Option<&Head>) -> Result<Self> {
        let (grid, classes) = self.probe()?;
        self.grid = grid;
        self.classes = head.map(|head| head.names(&classes)).transpose()?;
        self.check_axes()?;
        Ok(self)
    }

    /// Runs on black images for the shape of their grids and the probabilities of the first one's classes.
    fn probe(&mut self) -> Result<(GridShape, Vec<f32>)> {
        let images = self.fixed_batch.unwrap_or(1);
        let [channels, height, width] = self.preprocess.shape();
        let encoded = self.run(Array4::zeros([images, channels, height, width]).view())?;
        let (found, channels, height, width) = encoded.grids.dim();
        if found == images && height * width > 1 {
            let classes = encoded.classes.map_or_else(Vec::new, |of| of.row(0).to_vec());
            return Ok((GridShape { height, width, channels }, classes));
        }
        let found = format!("an output of shape {:?} for {images} image(s)", encoded.grids.shape());
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
            let encoded = self.run(tensors.unwrap_or_default().view())?;
            Ok::<_, Error>(encoded.grids.index_axis_move(Axis(0), 0))
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
        self.encode_and_classify(images).map(|encoded| encoded.grids)
    }

    /// Encodes image tensors `[N, 3, H, W]`, and classifies them if the encoder [has classes](Self::classes).
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn encode_and_classify(&mut self, images: ArrayView4<f32>) -> Result<Encoded> {
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
        let mut all = Encoded {
            grids: Array4::zeros([count, values, rows, columns]),
            classes: self.classes.as_ref().map(|names| Array2::zeros([count, names.len()])),
        };
        let mut padded = Array4::zeros([batch, channels, height, width]);
        for first in (0..count).step_by(batch.max(1)) {
            let part = first..count.min(first + batch);
            let used = ..part.len();
            let images = images.slice(s![part.clone(), .., .., ..]);
            padded.slice_mut(s![used, .., .., ..]).assign(&images);
            let found = self.run(padded.view())?;
            let grids = found.grids.slice(s![used, .., .., ..]);
            all.grids.slice_mut(s![part.clone(), .., .., ..]).assign(&grids);
            if let (Some(all), Some(found)) = (&mut all.classes, found.classes) {
                all.slice_mut(s![part, ..]).assign(&found.slice(s![used, ..]));
            }
        }
        Ok(all)
    }

    /// Runs the network on `[N, 3, H, W]`; the outputs are copied once, out of the runtime.
    fn run(&mut self, images: ArrayView4<f32>) -> Result<Encoded> {
        let failed = Error::run(format!("the encoder {}", self.path.display()));
        let images = images.as_standard_layout();
        let (count, channels, height, width) = images.dim();
        let values = images.as_slice().unwrap_or_default();
        let outputs = self.session.run([count, channels, height, width], values);
        self.encoded(outputs.map_err(failed)?)
    }

    /// The outputs of the network as arrays.
    fn encoded(&self, outputs: Vec<Output>) -> Result<Encoded> {
        let mut outputs = outputs.into_iter();
        let grids = self.array::<Ix4>(outputs.next().unwrap_or_default(), None)?;
        let images = Some(grids.dim().0);
        let classes = outputs.next().map(|output| self.array::<Ix2>(output, images));
        Ok(Encoded { classes: classes.transpose()?, grids })
    }

    /// An output of the network, of so many images if that is known.
    fn array<D: Dimension>(
        &self,
        (shape, values): Output,
        images: Option<usize>,
    ) -> Result<Array<f32, D>> {
        let sides = shape.iter().map(|&side| side as usize).collect::<Vec<_>>();
        let array = ArrayD::from_shape_vec(sides, values).ok();
        let array = array.and_then(|array| array.into_dimensionality::<D>().ok());
        let of_images = |array: &Array<f32, D>| images.is_none_or(|of| array.shape()[0] == of);
        array.filter(of_images).ok_or_else(|| Error::NotAnEncoder {
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

    /// The names of its classes, if it classifies.
    #[must_use]
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// The device that it runs on.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// Why it is on the CPU, although [`DeviceChoice::Auto`] was chosen and ONNX Runtime has a CUDA provider: without a GPU,
    /// a driver or a library. Programs warn of it.
    #[must_use]
    pub fn cuda_problem(&self) -> Option<&str> {
        self.cuda_problem.as_deref()
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
    use ::tests::small_model::{self, ENCODER_FILE, SIZE};

    use super::*;

    /// The code path of CUDA, in pageable memory: bound tensors, and a last batch that is padded.
    #[test]
    fn padded_batches_of_bound_tensors_give_the_same() {
        let folder = tempfile::tempdir().unwrap();
        small_model::write(folder.path());
        let options = EncoderOptions { classify: true, ..EncoderOptions::default() };
        let open = || Encoder::open(&folder.path().join(ENCODER_FILE), &options).unwrap();
        let (mut plain, mut padding) = (open(), open());
        padding.session.bind_in(AllocationDevice::CPU);
        padding.fixed_batch = Some(4);
        let images = Array4::from_shape_fn([11, 3, SIZE, SIZE], |(image, channel, y, x)| {
            ((image * 7 + channel * 5 + y * 3 + x) % 23) as f32 / 8.0 - 1.0
        });
        for count in [4, 1, 11, 8, 0] {
            let images = images.slice(s![..count, .., .., ..]);
            let expected = plain.encode_and_classify(images).unwrap();
            assert_eq!(padding.encode_and_classify(images).unwrap(), expected, "{count} images");
            assert!(padding.session.is_bound());
        }
    }

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
