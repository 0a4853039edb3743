//! The recurrence as operations of libtorch, for a GPU. Captions are grouped by image, so that an image's cells serve all of
//! them without a copy.

use tch::Tensor;

use super::recurrence::Outputs;
use super::{Cells, ShowAttendTell};
use crate::recipes::ForwardPass;
use crate::recipes::grouped::{GroupedCaptions, StepExtent};
use crate::recipes::step_product::StepProduct;

impl ShowAttendTell {
    /// Runs the recurrence over all steps of grouped captions, from the words' part of the gates `[W, 4 H]`. Returns the outputs
    /// for the predicted words, `[R, …]`, and the backward pass.
    pub(super) fn unroll(
        &self,
        captions: &GroupedCaptions,
        cells: &Cells,
        words: Tensor,
        pass: &ForwardPass,
    ) -> (Outputs, impl FnOnce() + use<'_>) {
        let rows = captions.steps.iter().map(|step| step.rows()).collect::<Vec<_>>();
        let mut lstm = StepProduct::new(&self.lstm_state.ws, words, &rows, pass.precision());
        let mut query = StepProduct::from_layer(&self.query, &rows, pass.precision());
        let mut state = self.initial_state(cells);
        state.hidden = state.hidden.repeat([1, captions.columns, 1]);
        state.memory = state.memory.repeat([1, captions.columns, 1]);
        let (mut hiddens, mut contexts, mut attentions) = (vec![], vec![], vec![]);
        for &StepExtent { images, columns } in &captions.steps {
            let first = |tensor: &Tensor| tensor.narrow(0, 0, images);
            let cells = Cells { values: first(&cells.values), keys: first(&cells.keys) };
            let active = |state: &Tensor| first(state).narrow(1, 0, columns);
            let (hidden, memory) = (active(&state.hidden), active(&state.memory));
            let projected = query.step(&hidden.flatten(0, 1)).view([images, columns, -1]);
            let (context, attention) = self.attend(&cells, &projected);
            let input = Tensor::cat(&[&context, &hidden], -1).flatten(0, 1);
            let gates = lstm.step(&input).view([images, columns, -1]);
            state = self.recur(&gates, &memory);
            hiddens.push(state.hidden.shallow_clone());
            contexts.push(context);
            attentions.push(attention);
        }
        let outputs = Outputs {
            hidden: captions.select_predicted(&hiddens),
            context: captions.select_predicted(&contexts),
            attention: captions.select_predicted(&attentions),
        };
        let backward = move || {
            query.backward();
            lstm.backward();
        };
        (outputs, backward)
    }
}
