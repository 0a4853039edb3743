// Pixels to tensors of the encoder, as models/src/preprocess.rs and models/src/view.rs compute them. The convolution is that
// of the crate fast_image_resize: vertical first, then horizontal, with 16-bit weights, each result rounded to 8 bits.

const { fround } = Math;

// Sides of a corner view, as a share of the sides of the image.
const CORNER = 0.8;
// The shorter side before the centre is cropped, as a multiple of the input size.
const CROP_MARGIN = 256 / 224;
// Bits of a weight, and the largest precision that the crate tries.
const WEIGHT_BITS = 15;
const MAX_PRECISION = 21;

// The tensors `[views, 3, H, W]` of an image with RGBA pixels: `{ data, width, height }`.
export function prepare(image, views, preprocess) {
  const [height, width] = preprocess.size;
  const length = 3 * height * width;
  const tensors = new Float32Array(views.length * length);
  const resizedParts = new Map();
  views.forEach((view, at) => {
    const part = partOf(view, image);
    const key = `${part.left} ${part.top} ${part.width} ${part.height}`;
    // The flipped view has the pixels of the original.
    if (!resizedParts.has(key)) resizedParts.set(key, resized(image, part, preprocess));
    const tensor = tensors.subarray(at * length, (at + 1) * length);
    normalise(resizedParts.get(key), preprocess, view === "flip", tensor);
  });
  return tensors;
}

// The part of the image that a view shows, in whole pixels.
function partOf(view, image) {
  if (view === "original" || view === "flip") return { left: 0, top: 0, width: image.width, height: image.height };
  const cropped = (side) => Math.max(1, Math.round(side * CORNER));
  const [width, height] = [cropped(image.width), cropped(image.height)];
  const left = view.endsWith("right") ? image.width - width : 0;
  const top = view.startsWith("bottom") ? image.height - height : 0;
  return { left, top, width, height };
}

// The RGB pixels of a part of the image at the input size.
export function resized(image, part, preprocess) {
  const [height, width] = preprocess.size;
  const [across, down] = visibleSpans(part, preprocess);
  const columns = weightsOf(part.width, across, width);
  const rows = weightsOf(part.height, down, height);
  return resizeWidth(resizeHeight(image, part, rows), part.width, columns);
}

// The pixels of the part that the encoder sees: `{ from, length }` across and down, in pixels of the part.
function visibleSpans(part, preprocess) {
  if (preprocess.resize === "squash") {
    return [{ from: 0, length: part.width }, { from: 0, length: part.height }];
  }
  const [height, width] = preprocess.size;
  const factor = Math.max((height * CROP_MARGIN) / part.height, (width * CROP_MARGIN) / part.width);
  const span = (target, side) => {
    const inner = Math.floor(side * factor + 1e-6);
    const before = Math.floor((inner - target) / 2);
    return { from: (before / inner) * side, length: (target / inner) * side };
  };
  return [span(width, part.width), span(height, part.height)];
}

// For each of `count` results the first pixel and the integer weights of pixels on a side of `side` pixels.
function weightsOf(side, span, count) {
  const scale = span.length / count;
  const radius = Math.max(scale, 1);
  const results = Array.from({ length: count }, (_, at) => {
    const centre = span.from + (at + 0.5) * scale;
    return triangle(centre, radius, Math.max(Math.floor(centre - radius), 0), Math.min(Math.ceil(centre + radius), side));
  });
  const largest = results.reduce((most, { weights }) => Math.max(most, ...weights), 0);
  const precision = precisionOf(largest);
  for (const result of results) {
    result.weights = Int32Array.from(result.weights, (weight) => Math.round(weight * 2 ** precision));
  }
  return { results, precision };
}

// The weights of the pixels from `first` to `end`, which sum to one, without zeros at both ends.
function triangle(centre, radius, first, end) {
  const weights = [];
  let start = first;
  for (let pixel = first; pixel < end; pixel += 1) {
    const weight = Math.max(1 - Math.abs((pixel - (centre - 0.5)) * (1 / radius)), 0);
    if (pixel === start && weight === 0) start += 1;
    else weights.push(weight);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  while (weights.at(-1) === 0) weights.pop();
  return { start, weights: sum === 0 ? weights : weights.map((weight) => weight / sum) };
}

// The most bits after the point with which the largest weight fits.
function precisionOf(largest) {
  let precision = 0;
  const fits = (bits) => Math.round(largest * 2 ** bits) < 2 ** WEIGHT_BITS;
  while (precision < MAX_PRECISION && fits(precision + 1)) precision += 1;
  return precision;
}

// RGB rows of a part of RGBA pixels, one for each result of `rows`.
function resizeHeight(image, part, { results, precision }) {
  const values = 3 * part.width;
  const resized = new Uint8Array(values * results.length);
  const sums = new Int32Array(values);
  results.forEach(({ start, weights }, row) => {
    sums.fill(1 << (precision - 1));
    weights.forEach((weight, offset) => {
      let from = 4 * ((part.top + start + offset) * image.width + part.left);
      for (let to = 0; to < values; to += 3, from += 4) {
        sums[to] += weight * image.data[from];
        sums[to + 1] += weight * image.data[from + 1];
        sums[to + 2] += weight * image.data[from + 2];
      }
    });
    for (let at = 0; at < values; at += 1) resized[row * values + at] = Math.min(sums[at] >> precision, 255);
  });
  return resized;
}

// RGB pixels whose rows have one pixel for each result of `columns`.
function resizeWidth(pixels, width, { results, precision }) {
  const height = pixels.length / (3 * width);
  const resized = new Uint8Array(3 * results.length * height);
  results.forEach(({ start, weights }, column) => {
    for (let row = 0; row < height; row += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        const from = 3 * (row * width + start) + channel;
        let sum = 1 << (precision - 1);
        for (let at = 0; at < weights.length; at += 1) sum += weights[at] * pixels[from + 3 * at];
        resized[3 * (row * results.length + column) + channel] = Math.min(sum >> precision, 255);
      }
    }
  });
  return resized;
}

// Writes the normalised values of RGB pixels at the input size into `tensor`, `[3, H, W]`.
function normalise(pixels, preprocess, isFlipped, tensor) {
  const [height, width] = preprocess.size;
  for (let channel = 0; channel < 3; channel += 1) {
    const [mean, std] = [fround(preprocess.mean[channel]), fround(preprocess.std[channel])];
    const table = Float32Array.from({ length: 256 }, (_, byte) => fround(fround(byte / 255) - mean) / std);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const from = isFlipped ? width - 1 - column : column;
        tensor[(channel * height + row) * width + column] = table[pixels[3 * (row * width + from) + channel]];
      }
    }
  }
}
