// The attention over a photo: cells with less attention are darker. The weights of the grid's cells are the pixels of a
// small canvas, which the browser scales smoothly.

const DARKEST = 0.85;
const MILLISECONDS = 200;

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Attention {
  #canvas;
  #shown;
  #frame = 0;

  // `seen` is the part of the photo that the network sees: left, top, width and height, as shares.
  constructor(canvas, seen) {
    this.#canvas = canvas;
    const [left, top, width, height] = seen.map((share) => `${100 * share}%`);
    Object.assign(canvas.style, { left, top, width, height });
  }

  // Fades to `weights`, a number for each cell, row by row.
  show(weights) {
    const [rows, columns] = [weights.length, weights[0].length];
    const most = Math.max(...weights.flat());
    const aim = weights.flat().map((weight) => DARKEST * (1 - weight / most));
    const from = this.#shown ?? aim;
    if (!this.#shown) {
      [this.#canvas.width, this.#canvas.height] = [columns, rows];
      this.#canvas.hidden = false;
    }
    this.#animate((share) => aim.map((darkness, cell) => from[cell] + share * (darkness - from[cell])));
  }

  hide() {
    cancelAnimationFrame(this.#frame);
    this.#canvas.hidden = true;
    this.#shown = undefined;
  }

  #animate(between) {
    cancelAnimationFrame(this.#frame);
    const start = performance.now();
    const step = (now) => {
      const share = still.matches ? 1 : Math.min(1, Math.max(0, (now - start) / MILLISECONDS));
      this.#draw(between(share));
      if (share < 1) this.#frame = requestAnimationFrame(step);
    };
    step(start);
  }

  #draw(darkness) {
    this.#shown = darkness;
    const context = this.#canvas.getContext("2d");
    const pixels = context.createImageData(this.#canvas.width, this.#canvas.height);
    darkness.forEach((dark, cell) => (pixels.data[4 * cell + 3] = 255 * dark));
    context.putImageData(pixels, 0, 0);
  }
}
