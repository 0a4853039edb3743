//! `AdamW` (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101) over plain
//! tensors, so that its state can be saved.

use tch::{COptimizer, Kind, TchError, Tensor, no_grad};

use crate::device::Backend;
use crate::fused::{AdamFactors, adam_step, sum_gradients};
use crate::tensor::groups;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The moments of a weight.
#[derive(Debug)]
struct Moments {
    name: String,
    /// EMA of the gradient.
    first: Tensor,
    /// EMA of the squared gradient.
    second: Tensor,
}

/// A weight with its moments, or those of many weights ([`groups`]).
#[derive(Debug)]
struct Group {
    weight: Tensor,
    /// The gradient, if it is not the weight's own.
    gradient: Option<Tensor>,
    /// The same weight in other replicas, which have gradients of their own.
    replicas: Vec<Tensor>,
    first: Tensor,
    second: Tensor,
    backend: Backend,
}

/// The hyperparameters of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepSize {
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    /// Maximum norm of the gradient.
    pub(crate) clip: f64,
}

/// The factors of a step.
#[derive(Debug, Clone, Copy)]
struct StepFactors {
    /// Of the gradient.
    scale: f64,
    /// Of the values of matrices, for their decay.
    kept: f64,
    /// The learning rate over the bias of the first moment.
    rate: f64,
    /// The root of the bias of the second moment.
    divided: f64,
}

/// `AdamW` with gradient clipping by global norm.
#[derive(Debug)]
pub(crate) struct AdamW {
    moments: Vec<Moments>,
    groups: Vec<Group>,
    /// On a processor: of libtorch, which clears gradients without writing zeros. So a backward pass need not add to them.
    clearing: Option<COptimizer>,
    steps: i32,
}

impl AdamW {
    /// Fresh state for the given weights. Replicas have the same weights in the same order, with gradients of their own.
    pub(crate) fn new(
        weights: impl IntoIterator<Item = (String, Tensor)>,
        replicas: &[Vec<Tensor>],
        backend: Backend,
    ) -> Result<Self, TchError> {
        let (names, weights) = weights.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let zeros = || weights.iter().map(Tensor::zeros_like).collect::<Vec<_>>();
        let (first, second) = (zeros(), zeros());
        let mut groups = groups_of(&weights, [&first, &second], backend);
        for replica in replicas {
            let weights = replica.iter().map(Tensor::shallow_clone);
            groups.iter_mut().zip(weights).for_each(|(group, weight)| group.replicas.push(weight));
        }
        let moments = names.into_iter().zip(first).zip(second);
        let moments = moments.map(|((name, first), second)| Moments { name, first, second });
        let clearing = match backend {
            Backend::Host => Some(clearing(weights.iter().chain(replicas.iter().flatten()))?),
            Backend::Accelerator => None,
        };
        Ok(Self { moments: moments.collect(), groups, clearing, steps: 0 })
    }

    /// The norm of the gradients of the last backward pass: a scalar on the device. Those of replicas are added to the first ones
    /// before, which [`step`](Self::step) takes.
    pub(crate) fn norm(&self) -> Tensor {
        let norms = no_grad(|| self.groups.iter().map(Group::norm).collect::<Vec<_>>());
        Tensor::stack(&norms, 0).norm()
    }

    /// Takes a step along the gradients of the last backward pass, scaled so that their norm, which is given, is at most the
    /// limit, and clears them. Weight decay applies to matrices alone.
    ///
    /// # Errors
    /// If libtorch cannot clear them.
    pub(crate) fn step(&mut self, size: StepSize, norm: f64) -> Result<(), TchError> {
        self.steps += 1;
        let StepSize { learning_rate, weight_decay, clip } = size;
        let by = StepFactors {
            scale: (clip / (norm + 1e-6)).min(1.0),
            kept: 1.0 - learning_rate * weight_decay,
            rate: learning_rate / (1.0 - BETA_1.powi(self.steps)),
            divided: (1.0 - BETA_2.powi(self.steps)).sqrt(),
        };
        no_grad(|| self.groups.iter().for_each(|group| group.step(by)));
        self.clearing.as_ref().map_or(Ok(()), COptimizer::zero_grad)
    }

    /// The weights, [grouped](groups).
    pub(crate) fn weights(&self) -> impl Iterator<Item = &Tensor> {
        self.groups.iter().map(|group| &group.weight)
    }

    /// The number of steps taken.
    pub(crate) fn steps(&self) -> i32 {
        self.steps
    }

    /// The moments by name in a checkpoint.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.moments.iter().flat_map(|Moments { name, first, second }| {
            [
                (format!("adam.first.{name}"), first.shallow_clone()),
                (format!("adam.second.{name}"), second.shallow_clone()),
            ]
        })
    }

    /// Restores the number of steps and saved moments: `find` reads one by its name in a checkpoint.
    pub(crate) fn restore<E>(
        &mut self,
        steps: i32,
        mut find: impl FnMut(&str, &mut Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        self.steps = steps;
        for Moments { name, first, second } in &mut self.moments {
            find(&format!("adam.first.{name}"), first)?;
            find(&format!("adam.second.{name}"), second)?;
        }
        Ok(())
    }
}

/// An optimizer of libtorch that clears the gradients of weights.
fn clearing<'a>(weights: impl IntoIterator<Item = &'a Tensor>) -> Result<COptimizer, TchError> {
    let mut clearing = COptimizer::sgd(0.0, 0.0, 0.0, 0.0, false)?;
    weights.into_iter().try_for_each(|weight| clearing.add_parameters(weight, 0))?;
    Ok(clearing)
}

/// The groups of weights with their moments.
fn groups_of(weights: &[Tensor], moments: [&[Tensor]; 2], backend: Backend) -> Vec<Group> {
    let gradients = match backend {
        Backend::Host => None,
        Backend::Accelerator => Some(groups(&zero_gradients(weights), backend)),
    };
    let gradient = |at: usize| gradients.as_ref().map(|groups| groups[at].shallow_clone());
    let [first, second] = moments.map(|moments| groups(moments, backend));
    let all = groups(weights, backend).into_iter().zip(first).zip(second).enumerate();
    let group = |(at, ((weight, first), second))| Group {
        weight,
        gradient: gradient(at),
        replicas: Vec::new(),
        first,
        second,
        backend,
    };
    all.map(group).collect()
}

/// The gradients of weights, zero: backward passes add to them.
fn zero_gradients(weights: &[Tensor]) -> Vec<Tensor> {
    let gradient = |weight: &Tensor| {
        (weight * 0.0).sum(Kind::Float).backward();
        weight.grad()
    };
    weights.iter().map(gradient).collect()
}

impl Group {
    fn gradient(&self) -> Tensor {
        self.gradient.as_ref().map_or_else(|| self.weight.grad(), Tensor::shallow_clone)
    }

    /// The norm of the gradient. On a processor the gradients of replicas are added to it before.
    fn norm(&self) -> Tensor {
        match self.backend {
            Backend::Accelerator => self.gradient().norm(),
            Backend::Host => {
                let gradients = self.replicas.iter().map(Tensor::grad).filter(Tensor::defined);
                let squares = sum_gradients(&mut self.gradient(), &gradients.collect::<Vec<_>>());
                Tensor::from(squares.sqrt() as f32)
            }
        }
    }

    /// Takes a step. On a GPU it sets the gradient to zero.
    fn step(&self, by: StepFactors) {
        let [mut weight, mut first, mut second] =
            [&self.weight, &self.first, &self.second].map(Tensor::detach);
        let mut gradient = self.gradient();
        let by = StepFactors { kept: if weight.dim() > 1 { by.kept } else { 1.0 }, ..by };
        if self.backend == Backend::Host {
            return adam_step(&mut weight, &gradient, [&mut first, &mut second], by.into());
        }
        if by.scale < 1.0 {
            let _ = gradient.g_mul_scalar_(by.scale);
        }
        let _ = first.lerp_(&gradient, 1.0 - BETA_1);
        let _ = gradient.square_();
        let _ = second.lerp_(&gradient, 1.0 - BETA_2);
        // The divisor over the negative rate: one operation then takes the step.
        let mut divisor = second.sqrt();
        let _ = divisor.g_mul_scalar_(-1.0 / by.rate / by.divided);
        let _ = divisor.g_add_scalar_(-EPSILON / by.rate);
        if by.kept < 1.0 {
            let _ = weight.g_mul_scalar_(by.kept);
        }
        let _ = weight.addcdiv_(&first, &divisor);
        let _ = gradient.zero_();
    }
}

impl From<StepFactors> for AdamFactors {
    fn from(by: StepFactors) -> Self {
        Self {
            gradient: by.scale as f32,
            shares: [BETA_1, BETA_2].map(|beta| (1.0 - beta) as f32),
            weight: by.kept as f32,
            root: (1.0 / by.divided) as f32,
            epsilon: EPSILON as f32,
            rate: by.rate as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::tensor::flat;

    fn size(weight_decay: f64) -> StepSize {
        StepSize { learning_rate: 0.1, weight_decay, clip: 1.0 }
    }

    const BACKENDS: [Backend; 2] = [Backend::Host, Backend::Accelerator];

    fn values(tensor: &Tensor) -> Vec<f32> {
        flat(tensor).unwrap()
    }

    /// The first step of Adam is the learning rate against the sign of the gradient.
    #[test]
    fn first_step_is_the_learning_rate_and_clipping_scales() {
        for backend in BACKENDS {
            let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
            let mut adam =
                AdamW::new([("w".to_owned(), weight.shallow_clone())], &[], backend).unwrap();
            (weight.square().sum(Kind::Float) * 0.5).backward();
            let norm = adam.norm().double_value(&[]);
            assert!((norm - 5.0).abs() < 1e-6);
            adam.step(size(0.0), norm).unwrap();
            let moved = values(&weight);
            assert!((moved[0] - 2.9).abs() < 1e-5 && (moved[1] + 3.9).abs() < 1e-5, "{moved:?}");
            let first = values(&adam.state().next().unwrap().1);
            assert!((first[0] - 0.1 * 3.0 / 5.0).abs() < 1e-5, "{first:?}");
            let gradient = weight.grad();
            assert!(!gradient.defined() || values(&gradient) == [0.0, 0.0]);
        }
    }

    /// Steps of weights of several shapes, one of them larger than a block: weights, moments and steps.
    fn trained(backend: Backend) -> (Vec<Tensor>, AdamW) {
        let normal = |size: &[i64]| {
            let values = size.iter().product::<i64>();
            let values = Tensor::arange(values, (Kind::Float, Device::Cpu)).sin();
            values.view(size).set_requires_grad(true)
        };
        let weights = [normal(&[5]), normal(&[300, 301]), normal(&[70]), normal(&[4, 3])];
        let named = weights.iter().enumerate();
        let named = named.map(|(at, weight)| (format!("w{at}"), weight.shallow_clone()));
        let mut adam = AdamW::new(named.collect::<Vec<_>>(), &[], backend).unwrap();
        for step in 1..4 {
            let loss =
                weights.iter().map(|weight| (weight.sin() * f64::from(step)).sum(Kind::Float));
            loss.fold(Tensor::from(0.0f32), |sum, loss| sum + loss).backward();
            let norm = adam.norm().double_value(&[]);
            adam.step(size(0.2), norm).unwrap();
        }
        (weights.into(), adam)
    }

    #[test]
    fn joined_weights_take_the_same_steps() {
        let [(host, one), (joined, other)] = BACKENDS.map(trained);
        assert_eq!(one.weights().count(), 4);
        assert_eq!(other.weights().count(), 2);
        let is_close = |one: &Tensor, other: &Tensor| {
            (one - other).abs().max().double_value(&[]) < 1e-5 && one.size() == other.size()
        };
        for (one, other) in host.iter().zip(&joined) {
            assert!(is_close(one, other));
        }
        for ((name, one), (other_name, other)) in one.state().zip(other.state()) {
            assert_eq!(name, other_name);
            assert!(is_close(&one, &other), "{name}");
        }
    }

    #[test]
    fn gradients_of_replicas_are_summed() {
        let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
        let mut replicas = [weight.detach(), weight.detach()];
        for replica in &mut replicas {
            *replica = replica.set_requires_grad(true);
        }
        // The second one has no part of the batch, and so no gradient.
        (replicas[0].square().sum(Kind::Float) * 0.25).backward();
        (weight.square().sum(Kind::Float) * 0.25).backward();
        let named = [("w".to_owned(), weight.shallow_clone())];
        let others = replicas.each_ref().map(|replica| vec![replica.shallow_clone()]);
        let mut adam = AdamW::new(named, &others, Backend::Host).unwrap();
        let norm = adam.norm().double_value(&[]);
        assert!((norm - 5.0).abs() < 1e-6);
        adam.step(size(0.0), norm).unwrap();
        let first = values(&adam.state().next().unwrap().1);
        assert!((first[0] - 0.1 * 3.0 / 5.0).abs() < 1e-5, "{first:?}");
        assert_eq!(values(&replicas[0]), values(&weight));
        assert!(!replicas[0].grad().defined() && !weight.grad().defined());
    }

    #[test]
    fn a_gradient_that_is_not_finite_has_no_finite_norm() {
        for (backend, factor) in BACKENDS.into_iter().zip([f64::NAN, f64::INFINITY]) {
            let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
            let adam =
                AdamW::new([("w".to_owned(), weight.shallow_clone())], &[], backend).unwrap();
            (weight.square().sum(Kind::Float) * factor).backward();
            assert!(!adam.norm().double_value(&[]).is_finite());
        }
    }
}
