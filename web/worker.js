// The worker that owns the networks. It gets `{ id, file }` and answers `{ id, caption }` or `{ id, problem }`, and
// `{ loaded, total }` in bytes while it loads the model.

import * as ort from "./onnxruntime/ort.wasm.bundle.min.js";
import { Captioner } from "./captioner.js";
import { Fetches } from "./files.js";
import { pixelsOf } from "./pixels.js";

const MODEL = "models/showtell/";
const RUNTIME = "onnxruntime/ort-wasm-simd-threaded.wasm";
// A page does not take all cores of a large machine.
const MAX_THREADS = 4;

let opening = null;
let queue = Promise.resolve();

onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};

async function answer({ id, file }) {
  try {
    // A model that could not be loaded is loaded again with the next photo.
    opening ??= open().catch((error) => {
      opening = null;
      throw error;
    });
    const captioner = await opening;
    const start = performance.now();
    const caption = await captioner.caption(await pixelsOf(file));
    postMessage({ id, caption: { ...caption, seconds: (performance.now() - start) / 1000 } });
  } catch (error) {
    postMessage({ id, problem: error.message });
  }
}

async function open() {
  const fetches = new Fetches((loaded, total) => postMessage({ loaded, total }));
  const manifest = JSON.parse(new TextDecoder().decode(await fetches.bytes(`${MODEL}manifest.json`)));
  const address = (part) => (part === "encoder" ? `models/${manifest.encoder.file}` : MODEL + manifest[part].file);
  const parts = ["vocabulary", "decoder_init", "decoder_step", "neighbours", "encoder"].filter((part) => manifest[part]);
  const loading = parts.map(async (part) => [part, await fetches.bytes(address(part))]);
  const [runtime, ...files] = await Promise.all([fetches.bytes(RUNTIME), ...loading]);
  // Without these headers of the server, memory cannot be shared between threads.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MAX_THREADS) : 1;
  ort.env.wasm.wasmBinary = runtime;
  const bytes = new Map(files);
  return Captioner.open(ort, manifest, async (part) => bytes.get(part));
}
