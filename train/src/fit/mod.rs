//! Training, by teacher forcing or on rewards, with early stopping on the CIDEr of generated captions.

mod best;
mod epoch;
mod memory;
mod record;
mod score;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use data::Vocabulary;
use features::FeatureStore;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::nn::VarStore;
use tch::{Device, Tensor};

use self::best::Ends;
use self::epoch::Windows;
use self::record::progress_bar;
use crate::average::Average;
use crate::batch::Batch;
use crate::checkpoint::{self, Checkpoint, Progress, sorted_weights};
use crate::dataset::{ScoredImage, TrainingImage, Views};
use crate::optimizer::Adam;
use crate::recipes::{self, Network, Pass};
use crate::run::{RunConfig, RunFolder, Training};
use crate::self_critical::{Drawn, SelfCritical};
use crate::{Error, Result};

/// The longest time of training that a kill may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(5);

/// What a network is trained on and scored on.
#[derive(Debug)]
pub struct Material {
    /// The grids.
    pub store: FeatureStore,
    /// The words.
    pub vocabulary: Vocabulary,
    /// What is trained on.
    pub training: Vec<TrainingImage>,
    /// What chooses the best checkpoint.
    pub dev: Vec<ScoredImage>,
    /// The captions of the dev images, to see whether the network learns by heart.
    pub dev_captions: Vec<TrainingImage>,
}

/// Why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    Epochs,
    /// No epoch was better for as many epochs as patience allows.
    Patience,
    /// Somebody asked for it. The checkpoint is of the last step.
    Interrupted,
}

/// A run in the making.
#[derive(Debug)]
pub struct Fit<'a> {
    folder: &'a RunFolder,
    config: &'a RunConfig,
    material: &'a Material,
    device: Device,
    weights: VarStore,
    network: Box<dyn Network>,
    average: Option<Average>,
    views: Views,
    self_critical: Option<SelfCritical>,
    ends: Ends,
    optimizer: Adam,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
}

impl<'a> Fit<'a> {
    /// Fresh weights, which follow from the seed.
    pub fn new(
        folder: &'a RunFolder,
        config: &'a RunConfig,
        material: &'a Material,
        device: Device,
    ) -> Result<Self> {
        let training = &config.training;
        let weights = VarStore::new(device);
        let network = recipes::build(config.recipe, &weights.root(), config.network, training.seed);
        let average = (training.averaging > 0.0)
            .then(|| Average::new(training.averaging, config, &weights))
            .transpose()?;
        let Material { store, vocabulary, .. } = material;
        let views = Views::of(&training.views, &training.side_words, store, vocabulary)?;
        let self_critical = config
            .refinement
            .as_ref()
            .map(|refinement| SelfCritical::new(&material.training, &views, refinement.samples));
        let optimizer = Adam::new(sorted_weights(&weights));
        let progress = Progress {
            vocabulary_sha256: config.vocabulary_sha256.clone(),
            encoder_sha256: config.encoder.sha256.clone(),
            ..Progress::default()
        };
        Ok(Self {
            folder,
            config,
            material,
            device,
            weights,
            network,
            average,
            views,
            self_critical,
            ends: Ends::new(material),
            optimizer,
            progress,
            interrupted: Arc::default(),
        })
    }

    /// About how many bytes training takes beside the store, which is read as it is needed.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let weights = self.weights.variables().values().map(Tensor::numel).sum::<usize>();
        let captions = self.material.training.iter().flat_map(|image| &image.captions);
        let words = captions.map(|caption| caption.words.len()).sum::<usize>();
        memory::needed(self.config, weights, words / self.material.training.len().max(1))
    }

    /// Stops after the next step, with a checkpoint, once the flag is set.
    pub fn interrupt_by(&mut self, flag: &Arc<AtomicBool>) {
        self.interrupted = Arc::clone(flag);
    }

    /// Begins with the weights of another run's best checkpoint. They are the best ones until an epoch
    /// is better.
    pub fn begin_with(&mut self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::load(path)?;
        checkpoint.copy_weights(&self.weights)?;
        if let Some(average) = &mut self.average {
            average.copy(&self.weights)?;
        }
        self.progress.best_cider = checkpoint.progress.best_cider;
        self.progress.best_loss = checkpoint.progress.best_loss;
        checkpoint::save(&self.folder.best(), sorted_weights(&self.weights), &self.progress)
    }

    /// Goes on from the last checkpoint of the folder, if it has one. Says whether it has.
    pub fn resume(&mut self) -> Result<bool> {
        if !self.folder.last().exists() {
            return Ok(false);
        }
        let checkpoint = Checkpoint::load(&self.folder.last())?;
        let saved = &checkpoint.progress;
        if saved.vocabulary_sha256 != self.progress.vocabulary_sha256 {
            let problem = "not the vocabulary this run was trained with so far";
            return Err(Error::run(&self.folder.vocabulary(), problem));
        }
        if saved.encoder_sha256 != self.progress.encoder_sha256 {
            let problem = "trained on grids of another encoder than config.toml names";
            return Err(Error::run(&self.folder.last(), problem));
        }
        checkpoint.copy_weights(&self.weights)?;
        if let Some(average) = &mut self.average {
            average.restore(|name, tensor| checkpoint.copy_into(name, tensor))?;
        }
        self.optimizer.restore(saved.steps, |name, tensor| checkpoint.copy_into(name, tensor))?;
        self.progress = checkpoint.progress;
        Ok(true)
    }

    /// Trains until the epochs are done, patience is at its end or somebody interrupts; with a
    /// checkpoint after each epoch, and now and then within.
    pub fn run(&mut self) -> Result<Stop> {
        let training = &self.config.training;
        while self.progress.epoch < training.epochs {
            if self.progress.epoch >= self.progress.best_epoch + training.patience {
                return Ok(Stop::Patience);
            }
            if self.pass()? {
                return Ok(Stop::Interrupted);
            }
            self.finish_epoch()?;
        }
        Ok(Stop::Epochs)
    }

    /// How far the run has come.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What is left of a pass over the training images. Says whether it was interrupted.
    fn pass(&mut self) -> Result<bool> {
        let Training { seed, window, batch, .. } = self.config.training;
        let Material { store, training, .. } = self.material;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::MAX - self.progress.epoch as u64);
        let views = self.views.clone();
        let windows = Windows::new(training, &views, [window, batch], random);
        let done = self.progress.underway.batches * batch;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // One window is held by this thread, and one by the other.
            let (sender, ready) = sync_channel(0);
            let asked_to_stop = &stop;
            scope.spawn(move || windows.read_ahead(store, done, &sender, asked_to_stop));
            let interrupted = self.pass_over(ready);
            stop.store(true, Ordering::Relaxed);
            interrupted
        })
    }

    fn pass_over(&mut self, windows: impl IntoIterator<Item = Vec<TrainingImage>>) -> Result<bool> {
        let training = &self.config.training;
        let images = &self.material.training;
        let batches_of_epoch = images.len().div_ceil(training.batch);
        let bar = progress_bar(self.progress.epoch + 1, images);
        bar.set_position(self.progress.underway.captions as u64);
        bar.reset_eta();
        let mut saved = Instant::now();
        let mut done = self.progress.underway.batches;
        for window in windows {
            let batches = window.chunks(training.batch);
            let skipped = done.min(batches.len());
            done -= skipped;
            for images in batches.skip(skipped) {
                let images = images.iter().collect::<Vec<_>>();
                let rate = training.rate_at(self.optimizer.steps(), batches_of_epoch);
                let captions = self.timed_step(&images, rate)?;
                bar.inc(captions as u64);
                let underway = &self.progress.underway;
                bar.set_message(format!("loss {:.3}", underway.mean(underway.cross_entropy)));
                let interrupted = self.interrupted.load(Ordering::Relaxed);
                if interrupted || saved.elapsed() > CHECKPOINT_EVERY {
                    self.save()?;
                    saved = Instant::now();
                }
                if interrupted {
                    return Ok(true);
                }
            }
        }
        bar.finish_and_clear();
        Ok(false)
    }

    /// One step, counted. Gives the number of captions.
    fn timed_step(&mut self, images: &[&TrainingImage], rate: f64) -> Result<usize> {
        let start = Instant::now();
        let captions = self.step(images, rate)?;
        let underway = &mut self.progress.underway;
        underway.batches += 1;
        underway.captions += captions;
        underway.seconds += start.elapsed().as_secs_f64();
        Ok(captions)
    }

    /// One step on a batch. Gives the number of its captions.
    fn step(&mut self, images: &[&TrainingImage], rate: f64) -> Result<usize> {
        let Training { regularization, precision, seed, weight_decay, clip, .. } =
            self.config.training;
        let store = &self.material.store;
        let step = self.optimizer.steps().unsigned_abs().into();
        let drawn = self.draw(images, step)?;
        let batch = match &drawn {
            Some(drawn) => Batch::new(&drawn.images.iter().collect::<Vec<_>>(), store, self.device),
            None => Batch::new(images, store, self.device),
        }?;
        let pass = Pass::new(regularization, precision, seed, step);
        let mut pass = if drawn.is_some() { pass.of_drawn() } else { pass };
        let loss = self.network.loss(&batch, &mut pass);
        let cross_entropy = loss.cross_entropy;
        self.refuse_unless_finite("loss", cross_entropy)?;
        loss.backward();
        let norm = self.optimizer.step(rate, weight_decay, clip);
        self.refuse_unless_finite("gradient", norm.unwrap_or(f64::NAN))?;
        self.progress.steps = self.optimizer.steps();
        if let Some(average) = &mut self.average {
            average.update(&self.weights, self.optimizer.steps());
        }
        self.progress.underway.cross_entropy += cross_entropy;
        self.progress.underway.reward += drawn.as_ref().map_or(0.0, |drawn| drawn.reward);
        Ok(batch.captions())
    }

    /// Stops training where a value is not a finite number, before anything is written.
    fn refuse_unless_finite(&self, name: &str, value: f64) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::Training(format!(
            "the {name} is no longer a finite number in epoch {}; the last checkpoint stays as it was\n  \
             Begin again with a lower --learning-rate (--run DIR).",
            self.progress.epoch + 1
        )))
    }

    /// Captions drawn for images, if the run is a refinement.
    fn draw(&self, images: &[&TrainingImage], step: u64) -> Result<Option<Drawn>> {
        let Some(self_critical) = &self.self_critical else { return Ok(None) };
        // Another stream than dropout and order have.
        let mut random = ChaCha8Rng::seed_from_u64(self.config.training.seed ^ u64::MAX);
        random.set_stream(step);
        let drawn = self_critical.draw(
            &*self.network,
            images,
            &self.material.store,
            self.config.search.max_length,
            self.device,
            &mut random,
        )?;
        Ok(Some(drawn))
    }

    /// Writes the last checkpoint.
    fn save(&self) -> Result<()> {
        let average = self.average.iter().flat_map(Average::state);
        let all = sorted_weights(&self.weights).into_iter().chain(self.optimizer.state());
        checkpoint::save(&self.folder.last(), all.chain(average), &self.progress)
    }
}
