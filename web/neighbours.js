// The neighbour index: of the captions that a beam search found, the one that agrees best with the captions of similar
// training images and with the words that the photo makes probable, as models/src/neighbours/ chooses it.

import { decode } from "./cbor.js";
import { CaptionReward } from "./cider.js";
import { byScore, END } from "./search.js";

const { fround } = Math;

const FORMAT = "showtell neighbours 1";

export class NeighbourIndex {
  // `bytes` are those of the file.
  constructor(bytes) {
    const stored = decode(bytes);
    if (stored.format !== FORMAT) throw new Error(`not "${FORMAT}"`);
    this.settings = stored.settings;
    this.mean = stored.mean;
    this.deviation = stored.deviation;
    this.projection = stored.projection && new Rows(stored.projection);
    this.vectors = new Rows(stored.vectors);
    this.reward = new CaptionReward(stored.captions);
    this.profile = stored.profile && new WordProfile(stored.profile);
  }

  // The search whose captions are ranked: with a beam that leaves a choice.
  widen(options) {
    return { ...options, beam: Math.max(options.beam, this.settings.beam) };
  }

  // Adds the weighted agreement with neighbours and probable words to the score of each caption of a photo with grids
  // `[views, cells, channels]`, and sorts the captions by it.
  rerank(grids, captions) {
    const vector = this.pool(grids);
    const neighbours = this.nearest(vector);
    const similarity = fround(neighbours[0]?.similarity ?? -1);
    const ofImage = this.profile?.ofImage(vector);
    const { weight, word_weight: wordWeight = 0 } = this.settings;
    for (const caption of captions) {
      const words = fround(this.profile?.agreement(ofImage, caption.words) ?? 0);
      const consensus = fround(this.consensus(neighbours, caption));
      caption.score = fround(caption.score + fround(fround(weight * consensus) + fround(wordWeight * words)));
      caption.support = { consensus, words, similarity };
    }
    captions.sort(byScore);
  }

  // The vector of a photo: the mean over the cells of all views, standardised, scaled to length 1 and projected.
  pool(grids) {
    const channels = this.mean.length;
    const sums = new Float64Array(channels);
    for (let at = 0; at < grids.length; at += 1) sums[at % channels] += grids[at];
    const cells = grids.length / channels;
    const standard = sums.map((sum, at) => (sum / cells - this.mean[at]) / this.deviation[at]);
    const unit = scaledToOne(standard);
    return this.projection ? this.projection.dot(unit) : unit;
  }

  // The training images with the highest similarity to a vector; their shares sum to one.
  nearest(vector) {
    const similarities = this.vectors.dot(vector);
    const images = Array.from(similarities.keys()).sort((one, other) => similarities[other] - similarities[one]);
    const found = images.slice(0, this.settings.neighbours);
    const weights = found.map((image) =>
      Math.exp(this.settings.sharpness * (similarities[image] - similarities[found[0]])));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return found.map((image, at) => ({ image, similarity: similarities[image], share: weights[at] / total }));
  }

  // The mean CIDEr-D of a caption against the captions of neighbours, by their shares; 0 for one without its end.
  consensus(neighbours, caption) {
    return caption.isFinished ? this.reward.weightedScore(neighbours, [...caption.words, END]) : 0;
  }
}

// The words that a photo makes probable.
class WordProfile {
  constructor({ rareness, mean, weights }) {
    this.rareness = rareness;
    this.mean = mean;
    this.weights = new Rows(weights);
  }

  // The profile of a photo with that vector, of length 1.
  ofImage(vector) {
    return scaledToOne(this.weights.dot(vector).map((change, word) => change + this.mean[word]));
  }

  // The cosine of the profile of a photo and that of a caption, where a word counts by its number and its rareness.
  agreement(ofImage, words) {
    const unique = [...new Set(words)];
    const values = unique.map((word) => words.filter((other) => other === word).length * this.rareness[word]);
    return scaledToOne(values).reduce((sum, value, at) => sum + ofImage[unique[at]] * value, 0);
  }
}

// A matrix of 8-bit integers, row by row, and the value of 1 in each row.
class Rows {
  constructor({ scales, values }) {
    this.scales = scales;
    this.values = new Int8Array(values.buffer, values.byteOffset, values.length);
  }

  // The product of the matrix and a vector.
  dot(vector) {
    const columns = vector.length;
    return Float64Array.from(this.scales, (scale, row) => {
      let sum = 0;
      for (let at = 0; at < columns; at += 1) sum += this.values[row * columns + at] * vector[at];
      return scale * sum;
    });
  }
}

function scaledToOne(vector) {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? vector.map((value) => value / length) : vector;
}
