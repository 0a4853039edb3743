//! Training, by teacher forcing or by rewards, with early stopping by the CIDEr of generated captions.

mod batches;
mod checkpointer;
mod early_stopping;
mod learner;
mod parts;
mod record;
mod replicas;
mod schedule;
mod training_data;
mod validation;
mod windows;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;
use std::{mem, thread};

use indicatif::ProgressBar;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use self::checkpointer::Checkpointer;
use self::early_stopping::{EarlyStopping, Verdict};
use self::learner::Learner;
use self::record::{EpochRecord, progress_bar};
pub use self::training_data::{DevImages, TrainingData};
use self::validation::Validator;
use self::windows::{Looks, WindowSize, Windows};
use crate::Result;
use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, Progress};
use crate::dataset::{TrainingImage, Views};
use crate::device::Compute;
use crate::run::{RunConfig, RunFolder};
use crate::settings::Training;
use crate::threads::Threads;

/// The reason why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are finished.
    Epochs,
    /// Early stopping: patience is exhausted.
    Patience,
    /// Interrupted by a signal. The checkpoint is that of the last step.
    Interrupted,
}

/// The end of a pass over the training images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EpochEnd {
    Finished,
    Interrupted,
}

/// The training of a run.
#[derive(Debug)]
pub struct Fit<'a> {
    training: &'a Training,
    data: &'a TrainingData,
    views: Views,
    learner: Learner<'a>,
    validator: Validator<'a>,
    early_stopping: EarlyStopping,
    checkpointer: Checkpointer<'a>,
    progress: Progress,
    /// Set once the training is to stop.
    interrupted: Option<&'a AtomicBool>,
}

impl<'a> Fit<'a> {
    /// A training from fresh weights, which follow from the seed.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if the store lacks a view, [`Error::Torch`](crate::Error::Torch).
    pub fn new(
        folder: &'a RunFolder,
        config: &'a RunConfig,
        data: &'a TrainingData,
        device: impl Into<Compute>,
    ) -> Result<Self> {
        let compute = device.into();
        let training = &config.training;
        let views =
            Views::new(&training.views, &training.side_words, &data.grids, &data.vocabulary)?;
        Ok(Self {
            training,
            data,
            learner: Learner::new(config, data, &views, compute)?,
            views,
            validator: Validator::new(config, data, compute),
            early_stopping: EarlyStopping::new(config, data),
            checkpointer: Checkpointer::new(folder),
            progress: Progress {
                vocabulary_sha256: config.vocabulary_sha256.clone(),
                encoder_sha256: config.encoder.sha256.clone(),
                ..Progress::default()
            },
            interrupted: None,
        })
    }

    /// Interrupts the training after the next step, with a checkpoint, once the flag is set.
    pub fn interrupt_by(&mut self, flag: &'a AtomicBool) {
        self.interrupted = Some(flag);
    }

    /// Begins with the weights of another run's best checkpoint at `path`. They are the best ones until an epoch is better.
    ///
    /// # Errors
    /// Those of [`Checkpoint::load`], and of writing a checkpoint.
    pub fn begin_with(&mut self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::load(path)?;
        self.learner.begin_with(&checkpoint)?;
        self.progress.best_cider = checkpoint.progress.best_cider;
        self.progress.best_loss = checkpoint.progress.best_loss;
        self.checkpointer.save_best(&self.learner, &self.progress)
    }

    /// Resumes from the last checkpoint of the folder, if it has one, and returns its progress.
    ///
    /// # Errors
    /// Those of [`Checkpoint::load`], and [`Error::Run`](crate::Error::Run) if it is of another run.
    pub fn resume(&mut self) -> Result<Option<&Progress>> {
        let Some(checkpoint) = self.checkpointer.load_last(&self.progress)? else {
            return Ok(None);
        };
        self.learner.restore(&checkpoint)?;
        self.progress = checkpoint.progress;
        Ok(Some(&self.progress))
    }

    /// Trains until the epochs are finished, patience is exhausted or a signal interrupts; with a checkpoint after each
    /// epoch, and every few minutes within.
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::Error::Diverged) if a loss or gradient is not finite,
    /// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::File`](crate::Error::File) if a
    /// checkpoint cannot be written.
    pub fn run(&mut self) -> Result<Stop> {
        while self.progress.epoch < self.training.epochs {
            if self.early_stopping.is_due(&self.progress) {
                return Ok(Stop::Patience);
            }
            if self.train_epoch()? == EpochEnd::Interrupted {
                return Ok(Stop::Interrupted);
            }
            self.finish_epoch()?;
        }
        Ok(Stop::Epochs)
    }

    /// The progress of the run.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Trains on the remaining images of the epoch, while another thread reads the next window of grids.
    fn train_epoch(&mut self) -> Result<EpochEnd> {
        let Training { seed, window, batch, .. } = *self.training;
        let grids = &self.data.grids;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::MAX - self.progress.epoch as u64);
        let views = self.views.clone();
        let images = self.data.draw_epoch(&mut random);
        let looks = Looks { views: &views, consensus: self.data.consensus.as_ref() };
        let windows = Windows::new(images, looks, WindowSize { images: window, batch }, random);
        let done = self.progress.partial_epoch.batches * batch;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _threads = Threads::new(self.learner.threads());
            // One window is held by this thread, and one by the other.
            let (sender, receiver) = sync_channel(0);
            let stop_reading = &stop;
            scope.spawn(move || windows.read_ahead(grids, done, &sender, stop_reading));
            let end = self.train_on_windows(receiver);
            stop.store(true, Ordering::Relaxed);
            end
        })
    }

    fn train_on_windows(
        &mut self,
        windows: impl IntoIterator<Item = Vec<TrainingImage>>,
    ) -> Result<EpochEnd> {
        let bar = progress_bar(&self.progress, self.data);
        let mut to_skip = self.progress.partial_epoch.batches;
        for window in windows {
            let batches = window.chunks(self.training.batch);
            let skipped = to_skip.min(batches.len());
            to_skip -= skipped;
            let (batches, reader) = (batches.skip(skipped), self.learner.reader());
            let end = thread::scope(|scope| {
                self.train_on_batches(reader.read_all(batches, scope), &bar)
            })?;
            if end == EpochEnd::Interrupted {
                return Ok(end);
            }
        }
        bar.finish_and_clear();
        Ok(EpochEnd::Finished)
    }

    fn train_on_batches<'b>(
        &mut self,
        mut batches: impl Iterator<Item = Result<Batch<'b>>>,
        bar: &ProgressBar,
    ) -> Result<EpochEnd> {
        loop {
            let start = Instant::now();
            let Some(batch) = batches.next() else { return Ok(EpochEnd::Finished) };
            let captions = self.train_on_batch(&batch?, start)?;
            bar.inc(captions as u64);
            bar.set_message(format!("loss {:.3}", self.progress.partial_epoch.mean_loss()));
            let interrupted = self.interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed));
            if interrupted || self.checkpointer.is_due() {
                self.checkpointer.save_last(&self.learner, &self.progress)?;
            }
            if interrupted {
                return Ok(EpochEnd::Interrupted);
            }
        }
    }

    /// Takes a step, which began with the reading of its batch at `start`, and counts it. Returns the number of captions.
    fn train_on_batch(&mut self, batch: &Batch, start: Instant) -> Result<usize> {
        let step = self.learner.step(batch)?;
        self.progress.steps = self.learner.steps();
        let partial = &mut self.progress.partial_epoch;
        partial.batches += 1;
        partial.captions += step.captions;
        partial.cross_entropy += step.cross_entropy;
        partial.text_cross_entropy += step.text_cross_entropy.unwrap_or(0.0);
        partial.reward += step.reward;
        partial.seconds += start.elapsed().as_secs_f64();
        Ok(step.captions)
    }

    /// Scores the network, and records the epoch and its checkpoints.
    fn finish_epoch(&mut self) -> Result<()> {
        let epoch = self.progress.epoch + 1;
        let validation = self.validator.validate(self.learner.generator(), epoch)?;
        let verdict = self.early_stopping.judge(&self.progress, &validation);
        let trained = mem::take(&mut self.progress.partial_epoch);
        self.progress.epoch = epoch;
        if verdict == Verdict::Best {
            self.progress.best_epoch = epoch;
            self.progress.best_cider = validation.cider();
            self.progress.best_loss = Some(validation.cross_entropy());
        }
        let record = EpochRecord::new(&self.progress, &trained, &validation, self.learner.kind());
        self.checkpointer.record(&record)?;
        if verdict == Verdict::Best {
            self.checkpointer.save_best(&self.learner, &self.progress)?;
        }
        self.checkpointer.save_last(&self.learner, &self.progress)?;
        record.report(verdict, self.training.epochs - epoch);
        Ok(())
    }
}
