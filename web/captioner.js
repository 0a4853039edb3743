// An encoder, a decoder, a vocabulary and a neighbour index that belong together, as models/src/captioner.rs. It knows nothing
// of pages: it gets ONNX Runtime and a function that reads files.

import { confidenceOf } from "./confidence.js";
import { Decoder } from "./decoder.js";
import { NeighbourIndex } from "./neighbours.js";
import { prepare } from "./preprocess.js";
import { DEFAULTS, search } from "./search.js";

const FORMAT = "showtell model 1";

export class Captioner {
  // Opens a model. `read(part)` returns the bytes of a part that the manifest names, such as "encoder".
  static async open(ort, manifest, read) {
    if (manifest.format !== FORMAT) throw new Error(`manifest.json: not "${FORMAT}": lay out the demo again`);
    const part = async (name, parse) => parsed(manifest[name].file, await read(name), parse);
    const session = (bytes) => ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    const captioner = new Captioner();
    captioner.ort = ort;
    captioner.manifest = manifest;
    captioner.words = (await part("vocabulary", json)).words;
    captioner.neighbours = manifest.neighbours ? await part("neighbours", (bytes) => new NeighbourIndex(bytes)) : null;
    captioner.decoder = new Decoder(ort, await part("decoder_init", session), await part("decoder_step", session));
    captioner.encoder = await part("encoder", session);
    return captioner;
  }

  // The best caption of an image with opaque RGBA pixels, `{ data, width, height }`.
  async caption(image) {
    const { grids, shape } = await this.encode(prepare(image, this.manifest.views, this.manifest.preprocess));
    const options = this.neighbours ? this.neighbours.widen(DEFAULTS) : DEFAULTS;
    await this.decoder.start(grids, shape);
    const captions = await search(this.decoder, options);
    this.neighbours?.rerank(grids, captions);
    const [{ words, logProbability, score }] = captions;
    const confidence = confidenceOf(captions, this.manifest, options);
    return { text: words.map((word) => this.words[word]).join(" "), logProbability, score, confidence };
  }

  // The grids `[views, cells, channels]` of tensors `[views, 3, H, W]`.
  async encode(tensors) {
    const shape = [this.manifest.views.length, 3, ...this.manifest.preprocess.size];
    const input = new this.ort.Tensor("float32", tensors, shape);
    const outputs = await this.encoder.run({ [this.encoder.inputNames[0]]: input });
    const { data, dims: [views, channels, height, width] } = outputs[this.encoder.outputNames[0]];
    const cells = height * width;
    return { grids: cellsLast(data, views, channels, cells), shape: [views, cells, channels] };
  }
}

// What `parse` makes of the bytes of a file of the model. Its errors name the file.
export async function parsed(file, bytes, parse) {
  try {
    return await parse(bytes);
  } catch (error) {
    throw new Error(`${file}: ${reason(error).replace(/\.$/, "")}: lay out the demo again`);
  }
}

export function json(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

// What an error says; WebAssembly throws numbers as well.
export function reason(error) {
  return String(error?.message || error);
}

// Brings grids `[views, channels, cells]` into the order `[views, cells, channels]`.
function cellsLast(planes, views, channels, cells) {
  const grids = new Float32Array(planes.length);
  for (let view = 0; view < views; view += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      for (let cell = 0; cell < cells; cell += 1) {
        grids[(view * cells + cell) * channels + channel] = planes[(view * channels + channel) * cells + cell];
      }
    }
  }
  return grids;
}
