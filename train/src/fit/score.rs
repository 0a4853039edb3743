//! What comes of an epoch: the network's score, and whether it is the best one so far.

use std::time::Instant;

use tch::no_grad;

use super::best::is_better;
use super::record::EpochRecord;
use super::{Fit, Material};
use crate::Result;
use crate::average::Average;
use crate::batch::Batch;
use crate::checkpoint::{self, sorted_weights};
use crate::evaluate::{Evaluation, evaluate};
use crate::recipes::{Network, Pass, Regularization};

impl Fit<'_> {
    /// Scores the network as it is and writes down what came of the epoch.
    pub(super) fn finish_epoch(&mut self) -> Result<()> {
        let start = Instant::now();
        let dev_cross_entropy = self.dev_cross_entropy()?;
        self.refuse_unless_finite("dev loss", dev_cross_entropy)?;
        let refining = self.self_critical.is_some();
        let Evaluation { scores, unfinished, health, captioned } = self.evaluate()?;
        let first = self.progress.epoch == 0 && !refining;
        let better = is_better(scores.cider(), dev_cross_entropy, &self.progress);
        let cut_off = unfinished as f64 / captioned.len().max(1) as f64;
        let end = !refining || self.ends.are_kept(cut_off, health.unfinished);
        let improved = first || (better && end);
        let underway = std::mem::take(&mut self.progress.underway);
        let progress = &mut self.progress;
        progress.epoch += 1;
        if improved {
            progress.best_epoch = progress.epoch;
            progress.best_cider = scores.cider();
            progress.best_loss = Some(dev_cross_entropy);
        }
        let record = EpochRecord {
            epoch: progress.epoch,
            steps: progress.steps,
            cross_entropy: underway.mean(underway.cross_entropy),
            reward: refining.then_some(underway.mean(underway.reward)),
            captions_per_second: underway.captions as f64 / underway.seconds,
            train_seconds: underway.seconds,
            evaluate_seconds: start.elapsed().as_secs_f64(),
            dev_cross_entropy,
            unfinished,
            health,
            dev: scores,
        };
        self.folder.record(progress.epoch, &record)?;
        if improved {
            let generating = self.average.as_ref().map_or(&self.weights, Average::weights);
            checkpoint::save(&self.folder.best(), sorted_weights(generating), &self.progress)?;
        }
        self.save()?;
        record.report(improved, self.config.training.epochs - self.progress.epoch);
        Ok(())
    }

    /// The network that captions are generated with.
    fn generating(&self) -> &dyn Network {
        self.average.as_ref().map_or(&*self.network, Average::network)
    }

    /// The mean negative log-likelihood of a word of the dev captions.
    fn dev_cross_entropy(&self) -> Result<f64> {
        let (mut total, mut words) = (0.0, 0);
        let mut order = self.material.dev_captions.iter().collect::<Vec<_>>();
        order.sort_by_key(|image| image.longest());
        for images in order.chunks(self.config.training.batch) {
            let batch = Batch::new(images, &self.material.store, self.device)?;
            let mut pass = Pass::new(Regularization::NONE, self.config.training.precision, 0, 0);
            let said = batch.words();
            let loss = no_grad(|| self.generating().loss(&batch, &mut pass).cross_entropy);
            total += loss * said as f64;
            words += said;
        }
        Ok(total / words.max(1) as f64)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let Material { store, vocabulary, dev, .. } = self.material;
        evaluate(&[self.generating()], vocabulary, dev, store, &self.config.search, self.device)
    }
}
