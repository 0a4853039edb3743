// A photo on the page, with its caption.

// The confidence below which most captions are wrong, as the server's page has it.
const UNSURE = 0.25;

export class Card {
  constructor(file) {
    this.name = file.name;
    this.element = document.querySelector("#result").content.cloneNode(true).firstElementChild;
    this.image = this.part("img");
    this.image.src = URL.createObjectURL(file);
    // A photo that the browser cannot show has no frame.
    this.image.onerror = () => this.part(".photo").remove();
    this.part(".file").textContent = file.name;
    this.isWaiting = true;
    this.message = "";
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  // Shows the caption, its confidence and the time.
  show({ text, confidence, seconds }) {
    this.settle(text);
    this.image.alt = text;
    const caption = this.part(".caption");
    caption.textContent = text;
    caption.hidden = false;
    this.part(".unsure").hidden = confidence === null || confidence >= UNSURE;
    const sureness = confidence === null ? "" : `Confidence ${Math.round(confidence * 100)} %, `;
    this.part(".state").textContent = `${sureness}${seconds.toFixed(1)} seconds`;
    Object.assign(this.element.dataset, { confidence, seconds });
  }

  fail(problem) {
    this.settle(`${this.name}: ${problem}`);
    this.part(".state").textContent = problem;
    this.part(".state").classList.add("problem");
  }

  settle(message) {
    this.isWaiting = false;
    this.message = message;
    this.element.ariaBusy = "false";
  }
}
