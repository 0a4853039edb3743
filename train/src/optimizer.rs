//! `AdamW` (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101) over plain
//! tensors, so that its state can be saved.

use tch::{Tensor, no_grad};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Number of values that are updated at once, so that intermediate results stay in the processor's cache.
const BLOCK: i64 = 1 << 16;

/// A weight with its moments.
#[derive(Debug)]
struct Parameter {
    name: String,
    weight: Tensor,
    /// EMA of the gradient.
    first: Tensor,
    /// EMA of the squared gradient.
    second: Tensor,
}

/// The hyperparameters of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepSize {
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    /// Maximum norm of the gradient.
    pub(crate) clip: f64,
}

/// `AdamW` with gradient clipping by global norm.
#[derive(Debug)]
pub(crate) struct AdamW {
    parameters: Vec<Parameter>,
    steps: i32,
}

impl AdamW {
    /// Fresh state for the given weights.
    pub(crate) fn new(weights: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        let parameter = |(name, weight): (String, Tensor)| Parameter {
            first: weight.zeros_like(),
            second: weight.zeros_like(),
            name,
            weight,
        };
        Self { parameters: weights.into_iter().map(parameter).collect(), steps: 0 }
    }

    /// Takes a step along the gradients of the last backward pass, scaled so that their norm is at most the limit, and
    /// clears them. Weight decay applies to matrices alone. Returns the norm before scaling, or nothing if it is not
    /// finite: then neither weights nor moments change.
    pub(crate) fn step(&mut self, size: StepSize) -> Option<f64> {
        no_grad(|| {
            let norms = self.parameters.iter().map(|parameter| parameter.weight.grad().norm());
            let norm = Tensor::stack(&norms.collect::<Vec<_>>(), 0).norm().double_value(&[]);
            if !norm.is_finite() {
                return None;
            }
            self.steps += 1;
            let scale = (size.clip / (norm + 1e-6)).min(1.0);
            for parameter in &self.parameters {
                parameter.step(size, scale, self.steps);
            }
            Some(norm)
        })
    }

    /// The number of steps taken.
    pub(crate) fn steps(&self) -> i32 {
        self.steps
    }

    /// The moments by name in a checkpoint.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.parameters.iter().flat_map(|Parameter { name, first, second, .. }| {
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
        for Parameter { name, first, second, .. } in &mut self.parameters {
            find(&format!("adam.first.{name}"), first)?;
            find(&format!("adam.second.{name}"), second)?;
        }
        Ok(())
    }
}

impl Parameter {
    /// The weight, its gradient and its moments, block by block.
    fn blocks(&self) -> impl Iterator<Item = [Tensor; 4]> {
        let flat = |tensor: &Tensor| tensor.detach().view(-1);
        let all = [&self.weight, &self.weight.grad(), &self.first, &self.second].map(flat);
        let values = all[0].size()[0];
        let block = move |from: i64| {
            all.each_ref().map(|tensor| tensor.narrow(0, from, BLOCK.min(values - from)))
        };
        (0..values).step_by(BLOCK as usize).map(block)
    }

    /// Takes the step of that number, with the gradient times `scale`.
    fn step(&self, size: StepSize, scale: f64, steps: i32) {
        let StepSize { learning_rate, weight_decay, .. } = size;
        let kept = match self.weight.dim() {
            0 | 1 => 1.0,
            _ => 1.0 - learning_rate * weight_decay,
        };
        let rate = learning_rate / (1.0 - BETA_1.powi(steps));
        let divided = (1.0 - BETA_2.powi(steps)).sqrt();
        for [mut weight, mut gradient, mut first, mut second] in self.blocks() {
            if scale < 1.0 {
                let _ = gradient.g_mul_scalar_(scale);
            }
            let _ = first.lerp_(&gradient, 1.0 - BETA_1);
            let _ = gradient.square_();
            let _ = second.lerp_(&gradient, 1.0 - BETA_2);
            // The divisor over the negative rate: one operation then takes the step.
            let mut divisor = second.sqrt();
            let _ = divisor.g_mul_scalar_(-1.0 / rate / divided);
            let _ = divisor.g_add_scalar_(-EPSILON / rate);
            if kept < 1.0 {
                let _ = weight.g_mul_scalar_(kept);
            }
            let _ = weight.addcdiv_(&first, &divisor);
            let _ = gradient.zero_();
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn size(weight_decay: f64) -> StepSize {
        StepSize { learning_rate: 0.1, weight_decay, clip: 1.0 }
    }

    /// The first step of Adam is the learning rate against the sign of the gradient.
    #[test]
    fn first_step_is_the_learning_rate_and_clipping_scales() {
        let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
        let mut adam = AdamW::new([("w".to_owned(), weight.shallow_clone())]);
        (weight.square().sum(Kind::Float) * 0.5).backward();
        let norm = adam.step(size(0.0)).unwrap();
        assert!((norm - 5.0).abs() < 1e-6);
        let moved = Vec::<f32>::try_from(&weight).unwrap();
        assert!((moved[0] - 2.9).abs() < 1e-5 && (moved[1] + 3.9).abs() < 1e-5, "{moved:?}");
        let first = adam.state().next().unwrap().1;
        let first = Vec::<f32>::try_from(first).unwrap();
        assert!((first[0] - 0.1 * 3.0 / 5.0).abs() < 1e-5, "{first:?}");
    }

    /// Neither NaN nor infinity reaches a weight or a moment.
    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
        let mut adam = AdamW::new([("w".to_owned(), weight.shallow_clone())]);
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor).unwrap();
        for factor in [f64::NAN, f64::INFINITY] {
            (weight.square().sum(Kind::Float) * factor).backward();
            assert_eq!(adam.step(size(0.1)), None);
            assert_eq!((values(&weight), adam.steps()), (vec![3.0, -4.0], 0));
            assert!(adam.state().all(|(_, mean)| values(&mean) == [0.0, 0.0]));
            let _ = weight.grad().zero_();
        }
    }
}
