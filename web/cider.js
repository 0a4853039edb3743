// CIDEr-D (Vedantam et al., arXiv 1411.5726) of a caption against the captions of training images, as
// data/src/metrics/cider.rs computes it. Words are numbers; the end of a caption counts as a word.

const LONGEST = 4;
// Width of the penalty on a difference in length.
const SIGMA = 6;
const SCALE = 10;

export class CaptionReward {
  // `images` are the captions of each training image, each with its end. The images are the documents.
  constructor(images) {
    this.images = images;
    this.documents = countDocuments(images);
  }

  // The weighted sum of the scores of a caption as one of each image: `neighbours` have an `image` and a `share`.
  weightedScore(neighbours, caption) {
    const weighted = this.weigh(caption);
    const score = ({ image, share }) => share * this.ciderD(weighted, this.images[image]);
    return neighbours.reduce((sum, neighbour) => sum + score(neighbour), 0);
  }

  // The mean similarity to the captions of an image, scaled.
  ciderD(caption, references) {
    const similarities = references.map((reference) => similarity(caption, this.weigh(reference)));
    return (SCALE * sum(similarities)) / Math.max(references.length, 1);
  }

  // A caption as tf-idf vectors, one for each n: the weight of an n-gram is its count times its rareness.
  weigh(words) {
    const vectors = Array.from({ length: LONGEST }, (_, at) => {
      const counts = new Map();
      for (const ngram of ngramsOf(words, at + 1)) counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
      return new Map([...counts].map(([ngram, count]) => [ngram, count * this.rareness(ngram)]));
    });
    const norms = vectors.map((vector) => Math.sqrt(sum([...vector.values()].map((weight) => weight * weight))));
    return { length: words.length, vectors, norms };
  }

  rareness(ngram) {
    return Math.log(this.images.length) - Math.log(this.documents.get(ngram) ?? 1);
  }
}

// The number of images whose captions have each n-gram.
function countDocuments(images) {
  const documents = new Map();
  for (const captions of images) {
    const unique = new Set();
    for (const words of captions) {
      for (let n = 1; n <= LONGEST; n += 1) ngramsOf(words, n).forEach((ngram) => unique.add(ngram));
    }
    for (const ngram of unique) documents.set(ngram, (documents.get(ngram) ?? 0) + 1);
  }
  return documents;
}

function ngramsOf(words, n) {
  const count = Math.max(words.length - n + 1, 0);
  return Array.from({ length: count }, (_, at) => words.slice(at, at + n).join(" "));
}

// The mean over n of the clipped cosine, damped by the difference in length.
function similarity(caption, reference) {
  const difference = caption.length - reference.length;
  const cosines = caption.vectors.map((vector, at) => {
    const norms = caption.norms[at] * reference.norms[at];
    const dot = clippedDot(vector, reference.vectors[at]);
    return norms === 0 ? dot : dot / norms;
  });
  return (sum(cosines) / LONGEST) * Math.exp((-difference * difference) / (2 * SIGMA * SIGMA));
}

function clippedDot(vector, other) {
  const product = ([ngram, weight]) => Math.min(weight, other.get(ngram) ?? 0) * (other.get(ngram) ?? 0);
  return sum([...vector].map(product));
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
