// The worker that owns the networks. It gets `{ id, photo }`, where a photo is a file or a sample `{ address }`, and answers
// `{ id, caption }` or `{ id, problem }`. While it loads the model it reports `{ loaded, total }` in bytes, or `{ failure }`:
// then the page ends it, because ONNX Runtime that could not start never starts in the same worker.

import * as ort from "./onnxruntime/ort.wasm.bundle.min.js";
import { Captioner, json, parsed, reason } from "./captioner.js";
import { Fetches } from "./files.js";
import { pixelsOf } from "./pixels.js";

const MODEL = "models/showtell/";
const RUNTIME = "onnxruntime/ort-wasm-simd-threaded.wasm";
// How ONNX Runtime, which starts with the first network, says that it could not.
const NOT_STARTED = /^.*no available backend found. ERR: \[wasm\] /s;
// In ms. Threads that the server's headers block never start, without an error.
const START_TIMEOUT = 30_000;
// A page does not take all cores of a large machine.
const MAX_THREADS = 4;
// A module with one function that returns a vector.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

const opening = open();
let queue = opening.catch((error) => postMessage({ failure: reason(error) }));

onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};

async function answer({ id, photo }) {
  try {
    const captioner = await opening;
    const file = photo.address ? new Blob([await new Fetches().bytes(photo.address)]) : photo;
    const start = performance.now();
    const caption = await captioner.caption(await pixelsOf(file));
    postMessage({ id, caption: { ...caption, seconds: (performance.now() - start) / 1000 } });
  } catch (error) {
    postMessage({ id, problem: reason(error) });
  }
}

async function open() {
  if (!self.WebAssembly?.validate(SIMD)) throw new Error("this browser has no WebAssembly with SIMD: use a current browser");
  const fetches = new Fetches((loaded, total) => postMessage({ loaded, total }));
  const manifest = await parsed("manifest.json", await fetches.bytes(`${MODEL}manifest.json`), json);
  const address = (part) => (part === "encoder" ? `models/${manifest.encoder.file}` : MODEL + manifest[part].file);
  const parts = ["vocabulary", "decoder_init", "decoder_step", "neighbours", "encoder"].filter((part) => manifest[part]);
  const loading = parts.map(async (part) => [part, await fetches.bytes(address(part))]);
  const [runtime, ...files] = await Promise.all([fetches.bytes(RUNTIME), ...loading]);
  // Without these headers of the server, memory cannot be shared between threads.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MAX_THREADS) : 1;
  ort.env.wasm.initTimeout = START_TIMEOUT;
  ort.env.wasm.wasmBinary = runtime;
  const bytes = new Map(files);
  return Captioner.open(ort, manifest, async (part) => bytes.get(part)).catch(explain);
}

function explain(error) {
  if (!NOT_STARTED.test(error.message)) throw error;
  const message = error.message.replace(NOT_STARTED, "ONNX Runtime did not start: ");
  throw new Error(`${message}, and send the headers Cross-Origin-… with all files or with none`);
}
