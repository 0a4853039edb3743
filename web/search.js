// Beam search of the captions of one photo, as models/src/search/ does it, with numbers of 32 bits.
//
// The captions of a beam are in slots, in a fixed order. At each word a slot takes the best continuation of its own caption
// and those of the slots before it that none of these took. A slot whose caption ends keeps it and is closed.

const { fround } = Math;

const START = 1;
export const END = 2;
// The padding, the start and the unknown word.
const UNSAID = [0, 1, 3];

export const DEFAULTS = { beam: 4, minLength: 1, maxLength: 24, lengthExponent: 0.7 };

// The captions of the photo with which `decoder` has started, finished ones first, the best first; at most one for each slot.
export async function search(decoder, options) {
  const slots = new Slots(options);
  for (let length = 0; length < options.maxLength && !slots.isDone(); length += 1) {
    const beams = slots.beams();
    const parents = beams.map((beam) => beam.parent);
    const words = beams.map((beam) => beam.words.at(-1) ?? START);
    slots.advance(await decoder.step(parents, words));
  }
  return slots.captions();
}

class Slots {
  constructor(options) {
    this.options = options;
    this.finished = [];
    // The caption in each open slot; null where no continuation was left to take.
    this.open = new Array(options.beam).fill(null);
    this.open[0] = { parent: 0, words: [], wordLogProbabilities: [], logProbability: 0 };
  }

  beams() {
    return this.open.filter((beam) => beam !== null);
  }

  // Whether no caption continues, or none can be among the best.
  isDone() {
    const beams = this.beams();
    if (beams.length === 0) return true;
    const bound = Math.max(...beams.map((beam) => this.bestScore(beam)));
    return this.finished.filter((caption) => caption.score >= bound).length >= this.options.beam;
  }

  // Takes the next words from the log-probabilities of each caption that continues.
  advance(rows) {
    const [slots, beams] = [this.open, this.beams()];
    const pool = [];
    this.open = [];
    let row = 0;
    for (const slot of slots) {
      if (slot !== null) {
        pool.push(...this.continuations(row, slot, rows[row], slots.length));
        pool.sort(byProbability);
        row += 1;
      }
      this.take(beams, pool.shift());
    }
  }

  // Gives the next slot a continuation.
  take(beams, candidate) {
    if (candidate && candidate.word === END) {
      this.finished.push(this.end(beams[candidate.row], candidate));
    } else {
      this.open.push(candidate ? extend(beams[candidate.row], candidate) : null);
    }
  }

  // The best `count` continuations of a caption, the best first; in a tie the earlier word.
  continuations(row, beam, logProbabilities, count) {
    const isEarly = beam.words.length < this.options.minLength;
    const excluded = isEarly ? [...UNSAID, END] : UNSAID;
    const best = [];
    for (let word = 0; word < logProbabilities.length; word += 1) {
      const logProbability = fround(beam.logProbability + logProbabilities[word]);
      const isAmongBest = best.length < count || logProbability > best.at(-1).logProbability;
      if (isAmongBest && !excluded.includes(word)) {
        let at = best.length;
        while (at > 0 && best[at - 1].logProbability < logProbability) at -= 1;
        best.splice(at, 0, { row, word, wordLogProbability: logProbabilities[word], logProbability });
        best.length = Math.min(best.length, count);
      }
    }
    return best;
  }

  // The caption with its end.
  end({ words, wordLogProbabilities }, { logProbability }) {
    const score = this.score(logProbability, words.length + 1);
    return { words, wordLogProbabilities, logProbability, score, isFinished: true };
  }

  // The caption at the maximum length, without an end.
  truncate({ words, wordLogProbabilities, logProbability }) {
    const score = this.score(logProbability, Math.max(words.length, 1));
    return { words, wordLogProbabilities, logProbability, score, isFinished: false };
  }

  // An upper bound for the scores of captions that begin like this one: the log-probability only falls, and the length is
  // between the next word and the longest.
  bestScore({ logProbability, words }) {
    const lengths = [words.length + 1, this.options.maxLength];
    return Math.max(...lengths.map((length) => this.score(logProbability, length)));
  }

  score(logProbability, length) {
    return fround(logProbability / fround(length ** fround(this.options.lengthExponent)));
  }

  captions() {
    const found = [...this.finished, ...this.beams().map((beam) => this.truncate(beam))];
    return found.sort(byScore).slice(0, this.options.beam);
  }
}

function extend(beam, { row, word, wordLogProbability, logProbability }) {
  return {
    parent: row,
    words: [...beam.words, word],
    wordLogProbabilities: [...beam.wordLogProbabilities, wordLogProbability],
    logProbability,
  };
}

// The order of continuations: in a tie that of the earlier caption and word comes first.
function byProbability(one, other) {
  return other.logProbability - one.logProbability || one.row - other.row || one.word - other.word;
}

// The order of captions: those that the network ended first, then by score.
export function byScore(one, other) {
  return other.isFinished - one.isFinished || other.score - one.score;
}
