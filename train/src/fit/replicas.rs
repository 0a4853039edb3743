//! The gradients of a batch, on all cores of a processor: each replica of the network computes parts of the batch on a core of
//! its own. So cores do not wait for each other after each operation, as they do within libtorch.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::parts::{Part, TextPart};
use crate::checkpoint::sorted_weights;
use crate::recipes::{Loss, Network};
use crate::threads::Threads;

/// A network in training, and others with the same weights and gradients of their own.
#[derive(Debug)]
pub(super) struct Replicas {
    first: Replica,
    others: Vec<Replica>,
    /// The number of threads of all of them.
    threads: usize,
}

#[derive(Debug)]
struct Replica {
    weights: VarStore,
    network: Box<dyn Network>,
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
        let build = || {
            let (weights, network) = build();
            Replica { weights, network }
        };
        let first = build();
        let replica = || {
            let replica = build();
            for (mut weight, shared) in
                replica.sorted_weights().into_iter().zip(first.sorted_weights())
            {
                weight.set_data(&shared.detach());
            }
            replica
        };
        let others = (1..count).map(|_| replica()).collect();
        Self { others, first, threads: Threads::count() }
    }

    /// The weights that all share.
    pub(super) fn weights(&self) -> &VarStore {
        &self.first.weights
    }

    /// The network of the first one.
    pub(super) fn network(&self) -> &dyn Network {
        &*self.first.network
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
        self.others.iter().map(Replica::sorted_weights).collect()
    }

    /// Adds the gradients of parts to those of the replicas; those of captions without photos times `text_weight`.
    pub(super) fn add_gradients(&mut self, parts: Vec<Part>, text_weight: f64) -> Losses {
        let replicas = 1 + self.others.len();
        let mut shares = (0..replicas).map(|_| Vec::new()).collect::<Vec<_>>();
        for (at, part) in parts.into_iter().enumerate() {
            shares[at % replicas].push(part);
        }
        let threads = self.threads();
        let mut losses = (0..replicas).map(|_| Vec::new()).collect::<Vec<_>>();
        let all_replicas = [&mut self.first].into_iter().chain(&mut self.others);
        let mut work =
            all_replicas.zip(shares).zip(&mut losses).map(|((replica, parts), losses)| {
                move || {
                    let _threads = Threads::set(threads);
                    let parts = parts.into_iter();
                    *losses = parts.map(|part| replica.add_gradients(part, text_weight)).collect();
                }
            });
        let own = work.next();
        rayon::in_place_scope(|scope| {
            work.for_each(|work| scope.spawn(|_| work()));
            if let Some(work) = own {
                work();
            }
        });
        let none = Losses {
            images: Tensor::zeros([], (Kind::Float, self.weights().device())),
            text: None,
        };
        losses.into_iter().flatten().fold(none, Losses::plus)
    }
}

impl Replica {
    fn sorted_weights(&self) -> Vec<Tensor> {
        sorted_weights(&self.weights).into_iter().map(|(_, weight)| weight).collect()
    }

    fn add_gradients(&self, part: Part, text_weight: f64) -> Losses {
        let Part { images, mut pass, text } = part;
        let images = learn(self.network.loss(&images, &mut pass));
        let text = text.and_then(|TextPart { captions, mut pass }| {
            let loss = self.network.text_loss(&captions, &mut pass)?;
            Some(learn(loss.times(text_weight)))
        });
        Losses { images, text }
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
    use crate::batch::Batch;
    use crate::dataset::{Caption, TrainingImage};
    use crate::recipes::{ForwardPass, build};
    use crate::settings::{NetworkConfig, Precision, Recipe, Regularization};

    fn image(lengths: &[u32]) -> TrainingImage {
        let caption = |length: &u32| Caption::written((5..5 + length).collect());
        let captions = lengths.iter().map(caption).collect();
        TrainingImage { set: 0, row: 0, view: View::Original, captions }
    }

    /// Losses, and the sums of gradients over replicas, of a batch in that many parts.
    fn learned(recipe: Recipe, replicas: usize, parts: usize) -> Vec<Tensor> {
        let sizes = NetworkConfig::new(recipe, 4, 12);
        let sizes = NetworkConfig { annotation: 6, attention: 8, embedding: 5, hidden: 7, ..sizes };
        let mut replicas = Replicas::new(|| build(recipe, sizes, 1, Device::Cpu), replicas);
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
        all.push(replicas.first.sorted_weights());
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
        let replicas = Replicas::new(|| build(Recipe::Adaptive, sizes, 1, Device::Cpu), 2);
        for (mut weight, other) in
            replicas.first.sorted_weights().into_iter().zip(&replicas.others()[0])
        {
            let _ = tch::no_grad(|| weight.fill_(3.0));
            assert!(other.eq_tensor(&weight).all().int64_value(&[]) == 1);
        }
    }
}
