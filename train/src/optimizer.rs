//! `AdamW` (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101) over plain
//! tensors, so that its state can be saved.

use tch::{Tensor, no_grad};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Values that are worked on at once: what one step takes of them stays in the processor's cache.
const PART: i64 = 1 << 16;

/// A weight with its running means.
#[derive(Debug)]
struct Slot {
    name: String,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
}

/// `AdamW` with gradient clipping by global norm.
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    steps: i32,
}

impl Adam {
    /// Fresh state for the given weights.
    pub fn new(weights: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        let slot = |(name, weight): (String, Tensor)| Slot {
            first: weight.zeros_like(),
            second: weight.zeros_like(),
            name,
            weight,
        };
        Self { slots: weights.into_iter().map(slot).collect(), steps: 0 }
    }

    /// One step down the gradients that the last backward pass left, scaled so that their norm is
    /// at most `clip`; then they are cleared. Matrices lose `weight_decay` of themselves, times the
    /// learning rate. Gives the norm before scaling, or nothing if it is not a finite number: no weight and no running
    /// mean changes then.
    pub fn step(&mut self, learning_rate: f64, weight_decay: f64, clip: f64) -> Option<f64> {
        no_grad(|| {
            let norms = self.slots.iter().map(|slot| slot.weight.grad().norm());
            let norm = Tensor::stack(&norms.collect::<Vec<_>>(), 0).norm().double_value(&[]);
            if !norm.is_finite() {
                return None;
            }
            self.steps += 1;
            let scale = (clip / (norm + 1e-6)).min(1.0);
            for slot in &mut self.slots {
                slot.step(learning_rate, weight_decay, scale, self.steps);
            }
            Some(norm)
        })
    }

    /// The number of steps taken.
    #[must_use]
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// The running means by name, to be saved.
    pub fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.slots.iter().flat_map(|Slot { name, first, second, .. }| {
            [
                (format!("adam.first.{name}"), first.shallow_clone()),
                (format!("adam.second.{name}"), second.shallow_clone()),
            ]
        })
    }

    /// Takes over saved means, which `find` gives by name, and the number of steps.
    pub fn restore<E>(
        &mut self,
        steps: i32,
        mut find: impl FnMut(&str, &mut Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        self.steps = steps;
        for slot in &mut self.slots {
            find(&format!("adam.first.{}", slot.name), &mut slot.first)?;
            find(&format!("adam.second.{}", slot.name), &mut slot.second)?;
        }
        Ok(())
    }
}

impl Slot {
    fn step(&mut self, learning_rate: f64, weight_decay: f64, scale: f64, steps: i32) {
        let kept = match self.weight.dim() {
            0 | 1 => 1.0,
            _ => 1.0 - learning_rate * weight_decay,
        };
        let rate = learning_rate / (1.0 - BETA_1.powi(steps));
        let divided = (1.0 - BETA_2.powi(steps)).sqrt();
        let flat = |tensor: &Tensor| tensor.detach().view(-1);
        let gradient = self.weight.grad();
        let all = [&self.weight, &gradient, &self.first, &self.second].map(flat);
        for from in (0..all[0].size()[0]).step_by(PART as usize) {
            let count = PART.min(all[0].size()[0] - from);
            let [mut weight, mut gradient, mut first, mut second] =
                all.each_ref().map(|tensor| tensor.narrow(0, from, count));
            if scale < 1.0 {
                let _ = gradient.g_mul_scalar_(scale);
            }
            let _ = first.lerp_(&gradient, 1.0 - BETA_1);
            let _ = gradient.square_();
            let _ = second.lerp_(&gradient, 1.0 - BETA_2);
            // The step's divisor, over its negative rate: so that one pass takes the step.
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

    /// The first step of Adam is the learning rate against the sign of the gradient.
    #[test]
    fn first_step_is_the_learning_rate_and_clipping_scales() {
        let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
        let mut adam = Adam::new([("w".to_owned(), weight.shallow_clone())]);
        (weight.square().sum(Kind::Float) * 0.5).backward();
        let norm = adam.step(0.1, 0.0, 1.0).unwrap();
        assert!((norm - 5.0).abs() < 1e-6);
        let moved = Vec::<f32>::try_from(&weight).unwrap();
        assert!((moved[0] - 2.9).abs() < 1e-5 && (moved[1] + 3.9).abs() < 1e-5, "{moved:?}");
        let first = adam.state().next().unwrap().1;
        let first = Vec::<f32>::try_from(first).unwrap();
        assert!((first[0] - 0.1 * 3.0 / 5.0).abs() < 1e-5, "{first:?}");
    }

    /// Neither NaN nor infinity reaches a weight or a running mean.
    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let weight = Tensor::from_slice(&[3.0f32, -4.0]).set_requires_grad(true);
        let mut adam = Adam::new([("w".to_owned(), weight.shallow_clone())]);
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor).unwrap();
        for factor in [f64::NAN, f64::INFINITY] {
            (weight.square().sum(Kind::Float) * factor).backward();
            assert_eq!(adam.step(0.1, 0.1, 1.0), None);
            assert_eq!((values(&weight), adam.steps()), (vec![3.0, -4.0], 0));
            assert!(adam.state().all(|(_, mean)| values(&mean) == [0.0, 0.0]));
            let _ = weight.grad().zero_();
        }
    }
}
