//! The gradients of a batch, on all cores of a processor: each replica of the network computes parts of the batch in a thread of
//! its own. So cores wait for each other once per step, and not after each operation, as they do within libtorch.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::parts::{Part, TextPart};
use crate::batch::Batch;
use crate::checkpoint::sorted_weights;
use crate::recipes::{Loss, Network};
use crate::threads::Threads;

/// A network in training, and others with the same weights and gradients of their own.
#[derive(Debug)]
pub(super) struct Replicas {
    weights: VarStore,
    network: Box<dyn Network>,
    others: Vec<Worker>,
    /// The number of threads of libtorch, of all of them.
    threads: usize,
}

/// A replica in a thread, which lives as long as this.
#[derive(Debug)]
struct Worker {
    /// By name, each with its own gradient.
    weights: Vec<Tensor>,
    work: Option<Sender<Work>>,
    losses: Receiver<Vec<Losses>>,
    thread: Option<JoinHandle<()>>,
}

/// The work of a replica in a step.
#[derive(Debug)]
struct Work {
    parts: Vec<Part>,
    text_weight: f64,
    /// The number of threads of libtorch.
    threads: usize,
}

/// The mean negative log-likelihoods of a word, scalars on the device, of which those of parts add up to that of a batch.
#[derive(Debug)]
pub(super) struct Losses {
    pub(super) images: Tensor,
    /// Of captions without photos.
    pub(super) text: Option<Tensor>,
}

impl Replicas {
    /// That many of a network, of which `build` makes one.
    pub(super) fn new(build: impl Fn() -> (VarStore, Box<dyn Network>), count: usize) -> Self {
        let (weights, network) = build();
        let shared = sorted_weights(&weights);
        let others = (1..count).map(|_| {
            let (weights, network) = build();
            let weights = sorted_weights(&weights).into_iter().zip(&shared);
            let weights = weights.map(|((_, mut weight), (_, shared))| {
                weight.set_data(&shared.detach());
                weight
            });
            Worker::start(network, weights.collect())
        });
        Self { others: others.collect(), weights, network, threads: Threads::count() }
    }

    /// The weights that all share.
    pub(super) fn weights(&self) -> &VarStore {
        &self.weights
    }

    /// The network of the first one.
    pub(super) fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// The number of threads of each.
    pub(super) fn threads(&self) -> usize {
        (self.threads / (1 + self.others.len())).max(1)
    }

    /// The number of threads of all of them.
    pub(super) fn all_threads(&self) -> usize {
        self.threads
    }

    /// The weights of the others, by name, each with its own gradient.
    pub(super) fn others(&self) -> Vec<Vec<Tensor>> {
        let weights = |of: &Worker| of.weights.iter().map(Tensor::shallow_clone).collect();
        self.others.iter().map(weights).collect()
    }

    /// Adds the gradients of parts to those of the replicas; those of captions without photos times `text_weight`.
    pub(super) fn add_gradients(&mut self, parts: Vec<Part>, text_weight: f64) -> Losses {
        let (replicas, threads) = (1 + self.others.len(), self.threads());
        let work = || Work { parts: Vec::new(), text_weight, threads };
        let mut shares = (0..replicas).map(|_| work()).collect::<Vec<_>>();
        for (number, part) in parts.into_iter().enumerate() {
            shares[number % replicas].parts.push(part);
        }
        let own = shares.swap_remove(0);
        for (worker, work) in self.others.iter_mut().zip(shares) {
            worker.begin(work);
        }
        let mut losses = own.run(&*self.network);
        losses.extend(self.others.iter_mut().flat_map(Worker::finish));
        let device = self.weights.device();
        let none = Losses { images: Tensor::zeros([], (Kind::Float, device)), text: None };
        losses.into_iter().fold(none, Losses::plus)
    }
}

impl Worker {
    /// Starts the thread of a replica with these weights.
    fn start(network: Box<dyn Network>, weights: Vec<Tensor>) -> Self {
        let (work, received) = channel::<Work>();
        let (sender, losses) = channel();
        let run = move || {
            for work in received {
                if sender.send(work.run(&*network)).is_err() {
                    return;
                }
            }
        };
        Self { weights, work: Some(work), losses, thread: Some(thread::spawn(run)) }
    }

    /// Begins its work of a step. A thread that has ended is noticed at the end of the step.
    fn begin(&self, work: Work) {
        let _ = self.work.as_ref().map(|sender| sender.send(work));
    }

    /// Waits for the end of its work of a step, and panics if its thread did.
    fn finish(&mut self) -> Vec<Losses> {
        self.losses.recv().unwrap_or_else(|_| {
            self.end();
            Vec::new()
        })
    }

    /// Ends its thread, and panics if that did.
    fn end(&mut self) {
        self.work = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Work {
    /// Adds the gradients of its parts to those of a network.
    fn run(self, network: &dyn Network) -> Vec<Losses> {
        let _threads = Threads::new(self.threads);
        let learned = |Part { images, grids, mut pass, text }: Part| {
            let batch = Batch { images: images.iter().collect(), grids };
            let of_images = learn(network.loss(&batch, &mut pass));
            let of_text = text.and_then(|TextPart { captions, mut pass }| {
                let loss = network.text_loss(&captions, &mut pass)?;
                Some(learn(loss.times(self.text_weight)))
            });
            Losses { images: of_images, text: of_text }
        };
        self.parts.into_iter().map(learned).collect()
    }
}

/// Adds the gradients of a loss, and returns its cross-entropy.
fn learn(loss: Loss) -> Tensor {
    let cross_entropy = loss.cross_entropy.shallow_clone();
    loss.backward();
    cross_entropy
}

impl Losses {
    fn plus(self, other: Self) -> Self {
        let text = self.text.into_iter().chain(other.text);
        Self { images: self.images + other.images, text: text.reduce(|one, other| one + other) }
    }
}

#[cfg(test)]
mod tests {
    use common::View;
    use tch::Device;

    use super::super::parts::divide;
    use super::*;
    use crate::dataset::{Caption, TrainingImage};
    use crate::recipes::{ForwardPass, build};
    use crate::settings::{NetworkConfig, Precision, Recipe, Regularization};

    /// An image with captions of these lengths, whose weights have both signs.
    fn image(lengths: &[u32]) -> TrainingImage {
        let caption = |&length: &u32| Caption {
            weight: Some(length as f32 - 2.5),
            ..Caption::written((5..5 + length).collect())
        };
        let captions = lengths.iter().map(caption).collect();
        TrainingImage { set: 0, row: 0, view: View::Original, captions }
    }

    /// Losses, and the sums of gradients over replicas, of a batch in that many parts.
    fn learned(recipe: Recipe, replicas: usize, parts: usize) -> Vec<Tensor> {
        let sizes = NetworkConfig::new(recipe, 4, 12);
        let sizes = NetworkConfig { annotation: 6, attention: 8, embedding: 5, hidden: 7, ..sizes };
        let build = || build(recipe, sizes, 1, Device::Cpu);
        let mut replicas = Replicas::new(build, replicas);
        let images = [image(&[6, 3]), image(&[4]), image(&[2, 2, 1]), image(&[1])];
        let grids = Tensor::arange(48, (Kind::Float, Device::Cpu)).sin().view([4, 3, 4]);
        let batch = Batch { images: images.iter().collect(), grids };
        let regularization = Regularization {
            doubly_stochastic: 0.5,
            label_smoothing: 0.1,
            ..Regularization::default()
        };
        let pass = |_| ForwardPass::new(regularization, Precision::F32, 1, 1);
        let text = image(&[5, 1, 2]).captions;
        let losses = replicas.add_gradients(divide(&batch, &text, parts, pass), 0.3);
        let mut found = vec![losses.images];
        found.extend(losses.text);
        let mut all = replicas.others();
        all.push(
            sorted_weights(replicas.weights()).into_iter().map(|(_, weight)| weight).collect(),
        );
        for weight in 0..all[0].len() {
            let gradients = all.iter().map(|weights| weights[weight].grad());
            found.extend(gradients.filter(Tensor::defined).reduce(|sum, gradient| sum + gradient));
        }
        found
    }

    #[test]
    fn parts_add_up_to_the_batch() {
        for recipe in [Recipe::Adaptive, Recipe::ShowAttendTell] {
            let whole = learned(recipe, 1, 1);
            assert!(whole.len() > 12);
            assert!(whole.iter().all(|of| of.abs().max().double_value(&[]) > 1e-4));
            for (replicas, parts) in [(1, 2), (2, 2), (2, 3), (3, 2)] {
                let found = learned(recipe, replicas, parts);
                assert_eq!(found.len(), whole.len());
                for (found, whole) in found.iter().zip(&whole) {
                    let off = (found - whole).abs().max().double_value(&[]);
                    assert!(off < 1e-5, "{recipe}: {replicas} replicas, {parts} parts: {off}");
                }
            }
        }
    }

    #[test]
    fn replicas_share_their_weights() {
        let sizes = NetworkConfig::new(Recipe::Adaptive, 4, 12);
        let build = || build(Recipe::Adaptive, sizes, 1, Device::Cpu);
        let replicas = Replicas::new(build, 2);
        for ((_, mut weight), other) in
            sorted_weights(replicas.weights()).into_iter().zip(&replicas.others()[0])
        {
            let _ = tch::no_grad(|| weight.fill_(3.0));
            assert!(other.eq_tensor(&weight).all().int64_value(&[]) == 1);
        }
    }
}
