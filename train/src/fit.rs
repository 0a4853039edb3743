//! Training by teacher forcing, with early stopping on the CIDEr of generated captions.

use std::time::Instant;

use data::Vocabulary;
use data::metrics::Scores;
use features::FeatureStore;
use indicatif::{ProgressBar, ProgressStyle};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tch::Device;
use tch::nn::VarStore;

use crate::average::Average;
use crate::batch::Batch;
use crate::checkpoint::{self, Checkpoint, Progress};
use crate::dataset::{Mirror, ScoredImage, TrainingImage};
use crate::evaluate::{Evaluation, evaluate};
use crate::optimizer::Adam;
use crate::recipes::{self, Network, Pass};
use crate::run::{RunConfig, RunFolder, Training};
use crate::{Error, Result};

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
}

/// Why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    Epochs,
    /// The dev CIDEr did not rise for as many epochs as patience allows.
    Patience,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
struct EpochRecord {
    epoch: usize,
    steps: i32,
    cross_entropy: f64,
    captions_per_second: f64,
    train_seconds: f64,
    evaluate_seconds: f64,
    unfinished: usize,
    dev: Scores,
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
    mirror: Option<Mirror>,
    optimizer: Adam,
    progress: Progress,
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
        tch::manual_seed(training.seed as i64);
        let weights = VarStore::new(device);
        let network = recipes::build(config.recipe, &weights.root(), config.network);
        let average = (training.averaging > 0.0)
            .then(|| Average::new(training.averaging, config, &weights))
            .transpose()?;
        let mirror = training.mirror.then(|| Mirror::of(&material.store, &material.vocabulary));
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
            mirror: mirror.transpose()?,
            optimizer,
            progress,
        })
    }

    /// Goes on from the last checkpoint of the folder, if it has one. Gives the epochs already done.
    pub fn resume(&mut self) -> Result<usize> {
        if !self.folder.last().exists() {
            return Ok(0);
        }
        let checkpoint = Checkpoint::load(&self.folder.last())?;
        let saved = &checkpoint.progress;
        if saved.vocabulary_sha256 != self.progress.vocabulary_sha256 {
            let problem = "not the vocabulary this run was trained with so far";
            return Err(Error::run(&self.folder.vocabulary(), problem));
        }
        for (name, mut weight) in self.weights.variables() {
            checkpoint.copy_into(&name, &mut weight)?;
        }
        if let Some(average) = &mut self.average {
            average.restore(|name, tensor| checkpoint.copy_into(name, tensor))?;
        }
        self.optimizer.restore(saved.steps, |name, tensor| checkpoint.copy_into(name, tensor))?;
        self.progress = checkpoint.progress;
        Ok(self.progress.epoch)
    }

    /// Trains until the epochs are done or patience is at its end, with a checkpoint after each.
    pub fn run(&mut self) -> Result<Stop> {
        let training = &self.config.training;
        while self.progress.epoch < training.epochs {
            if self.progress.epoch >= self.progress.best_epoch + training.patience {
                return Ok(Stop::Patience);
            }
            self.epoch()?;
        }
        Ok(Stop::Epochs)
    }

    /// How far the run has come.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    fn epoch(&mut self) -> Result<()> {
        let epoch = self.progress.epoch + 1;
        let start = Instant::now();
        let (cross_entropy, captions) = self.pass(epoch)?;
        let train_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let Evaluation { scores, unfinished, .. } = self.evaluate()?;
        self.progress.epoch = epoch;
        self.progress.steps = self.optimizer.steps();
        let improved = epoch == 1 || scores.cider() > self.progress.best_cider;
        if improved {
            self.progress.best_epoch = epoch;
            self.progress.best_cider = scores.cider();
        }
        let record = EpochRecord {
            epoch,
            steps: self.progress.steps,
            cross_entropy,
            captions_per_second: captions as f64 / train_seconds,
            train_seconds,
            evaluate_seconds: start.elapsed().as_secs_f64(),
            unfinished,
            dev: scores,
        };
        self.folder.record(epoch, &record)?;
        if improved {
            let generating = self.average.as_ref().map_or(&self.weights, Average::weights);
            checkpoint::save(&self.folder.best(), sorted_weights(generating), &self.progress)?;
        }
        let average = self.average.iter().flat_map(Average::state);
        let all = sorted_weights(&self.weights).into_iter().chain(self.optimizer.state());
        checkpoint::save(&self.folder.last(), all.chain(average), &self.progress)?;
        report(&record, improved);
        Ok(())
    }

    /// One pass over the training images. Gives the mean cross-entropy of a word and the number of
    /// captions.
    fn pass(&mut self, epoch: usize) -> Result<(f64, usize)> {
        let training = &self.config.training;
        let images = self.shown(epoch);
        let order = images.iter().collect::<Vec<_>>();
        let batches_of_epoch = order.len().div_ceil(training.batch);
        let bar = progress_bar(epoch, &order);
        let (mut total, mut batches, mut captions) = (0.0, 0, 0);
        for images in order.chunks(training.batch) {
            let batch = Batch::new(images, &self.material.store, self.device)?;
            let step = self.optimizer.steps().unsigned_abs().into();
            let Training { regularization, precision, seed, .. } = *training;
            let mut pass = Pass::new(regularization, precision, seed, step);
            let loss = self.network.loss(&batch, &mut pass);
            let cross_entropy = loss.cross_entropy;
            if !cross_entropy.is_finite() {
                return Err(Error::Training(format!(
                    "the loss became {cross_entropy} in epoch {epoch}; resume with a lower --learning-rate",
                )));
            }
            loss.backward();
            let rate = training.rate_at(self.optimizer.steps(), batches_of_epoch);
            self.optimizer.step(rate, training.weight_decay, training.clip);
            if let Some(average) = &mut self.average {
                average.update(&self.weights, self.optimizer.steps());
            }
            total += cross_entropy;
            batches += 1;
            captions += batch.captions();
            bar.inc(batch.captions() as u64);
            bar.set_message(format!("loss {:.3}", total / f64::from(batches)));
        }
        bar.finish_and_clear();
        Ok((total / f64::from(batches.max(1)), captions))
    }

    /// The images of an epoch in their order; what is mirrored is so.
    fn shown(&self, epoch: usize) -> Vec<TrainingImage> {
        let mut random = ChaCha8Rng::seed_from_u64(self.config.training.seed);
        random.set_stream(epoch as u64);
        let mut images = self.material.training.clone();
        images.shuffle(&mut random);
        if let Some(mirror) = &self.mirror {
            for image in &mut images {
                if let Some(mirrored) =
                    random.random_bool(0.5).then(|| mirror.image(image)).flatten()
                {
                    *image = mirrored;
                }
            }
        }
        images
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let Material { store, vocabulary, dev, .. } = self.material;
        let network = self.average.as_ref().map_or(&*self.network, Average::network);
        evaluate(network, vocabulary, dev, store, &self.config.search, self.device)
    }
}

/// Weights by name, in the order of the names.
pub(crate) fn sorted_weights(weights: &VarStore) -> Vec<(String, tch::Tensor)> {
    let mut sorted = weights.variables().into_iter().collect::<Vec<_>>();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    sorted
}

fn progress_bar(epoch: usize, images: &[&TrainingImage]) -> ProgressBar {
    let captions = images.iter().map(|image| image.captions.len() as u64).sum();
    let style = ProgressStyle::with_template(
        "{prefix} {bar:30} {pos}/{len} captions  {per_sec}  {eta} left  {msg}",
    );
    let bar = ProgressBar::new(captions).with_prefix(format!("epoch {epoch}"));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

fn report(record: &EpochRecord, improved: bool) {
    eprintln!(
        "epoch {}: loss {:.3}, dev CIDEr {:.1}, BLEU-4 {:.1}{}  ({:.0} captions/s, {:.0} s + {:.0} s)",
        record.epoch,
        record.cross_entropy,
        100.0 * record.dev.cider(),
        100.0 * record.dev.bleu_4(),
        if improved { ", best so far" } else { "" },
        record.captions_per_second,
        record.train_seconds,
        record.evaluate_seconds,
    );
}
