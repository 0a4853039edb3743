// The calibrated probability that a caption is right: logistic regression over the evidence for it, as
// models/src/confidence.rs computes it.

const FEATURES = {
  mean_word: ({ logProbability, words }) => logProbability / (words.length + 1),
  least_word: ({ wordLogProbabilities }) => Math.min(0, ...wordLogProbabilities),
  margin: ({ score }, next) => (next ? score - next.score : 0),
  consensus: ({ support }) => support.consensus,
  words: ({ support }) => support.words,
  similarity: ({ support }) => support.similarity,
  length: ({ words }) => words.length,
};

// The confidence in the first of several captions; null where the manifest has no calibration of this search.
export function confidenceOf(captions, manifest, options) {
  const { confidence: calibration, neighbours, views } = manifest;
  if (!calibration || !captions[0]?.support || !isOfSearch(calibration.search, { neighbours, views, options })) return null;
  const logOdds = calibration.weights.reduce((sum, { feature, mean, deviation, weight }) => {
    const value = FEATURES[feature](captions[0], captions[1]);
    return sum + (weight * (value - mean)) / deviation;
  }, calibration.bias);
  return 1 / (1 + Math.exp(-logOdds));
}

function isOfSearch(search, { neighbours, views, options }) {
  return search.neighbours_sha256 === neighbours.sha256 && search.views.join() === views.join() &&
    search.beam === options.beam && search.length_exponent === options.lengthExponent;
}
