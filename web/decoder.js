// The decoder as two networks, init (grids → cells and first state) and step (state, word, cells → log-probabilities and
// next state), as models/src/decoder.rs describes them, and the mean of the probabilities over views.

const { fround } = Math;

// The natural logarithm of the share of the most probable word's probability below which a word's mean is not computed.
const NEGLIGIBLE = -10;

export class Decoder {
  constructor(ort, init, step) {
    this.ort = ort;
    this.init = init;
    this.network = step;
  }

  // Begins with the grids `[views, cells, channels]` of a photo: one row for each view.
  async start(grids, shape) {
    const outputs = Object.entries(await this.init.run({ grid: new this.ort.Tensor("float32", grids, shape) }));
    this.views = shape[0];
    this.cells = Object.fromEntries(outputs.filter(([name]) => name.startsWith("cells.")));
    this.states = Object.fromEntries(outputs.filter(([name]) => name.startsWith("state.")));
  }

  // The log-probabilities of the next word after each caption: `parents` are its rows in the step before.
  async step(parents, words) {
    const [views, width] = [this.views, words.length];
    const states = Object.entries(this.states).map(([name, state]) => [name, this.select(state, parents)]);
    const ofViews = BigInt64Array.from({ length: views * width }, (_, row) => BigInt(words[row % width]));
    const word = new this.ort.Tensor("int64", ofViews, [views, width]);
    const outputs = await this.network.run({ word, ...this.cells, ...Object.fromEntries(states) });
    for (const [name] of states) this.states[name] = outputs[`next.${name}`];
    return this.means(outputs.log_probabilities, width);
  }

  // The rows of a state `[views, beam, any]` that continue, of each view.
  select(state, parents) {
    const [views, beam, ...inner] = state.dims;
    const size = inner.reduce((product, side) => product * side, 1);
    const selected = new Float32Array(views * parents.length * size);
    for (let view = 0; view < views; view += 1) {
      parents.forEach((parent, at) => {
        const from = (view * beam + parent) * size;
        selected.set(state.data.subarray(from, from + size), (view * parents.length + at) * size);
      });
    }
    return new this.ort.Tensor("float32", selected, [views, parents.length, ...inner]);
  }

  // For each caption the mean over the views, from log-probabilities `[views, width, vocabulary]`.
  means({ data, dims }, width) {
    const vocabulary = dims[2];
    const row = (view, at) => data.subarray((view * width + at) * vocabulary, (view * width + at + 1) * vocabulary);
    const ofCaption = (at) => meanRow(Array.from({ length: this.views }, (_, view) => row(view, at)));
    return Array.from({ length: width }, (_, at) => ofCaption(at));
  }
}

// The logarithm of the mean of probabilities, from their logarithms in each view. A word that is negligible beside the most
// probable one keeps its highest probability.
function meanRow(views) {
  const mean = Float32Array.from(views[0]);
  if (views.length === 1) return mean;
  for (const view of views) {
    for (let word = 0; word < mean.length; word += 1) mean[word] = Math.max(mean[word], view[word]);
  }
  const least = fround(mean.reduce((most, value) => Math.max(most, value), -Infinity) + NEGLIGIBLE);
  for (let word = 0; word < mean.length; word += 1) {
    const most = mean[word];
    if (most <= least) continue;
    const sum = views.reduce((total, view) => fround(total + fround(Math.exp(fround(view[word] - most)))), 0);
    mean[word] = most + fround(Math.log(fround(sum / views.length)));
  }
  return mean;
}
