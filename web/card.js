// A photo on the page, with its caption.

// The confidence below which most captions are wrong, as the server's page has it.
const UNSURE = 0.25;

export class Card {
  // `photo` is a file, or a sample `{ name, address }`.
  constructor(photo) {
    this.name = photo.name;
    this.element = document.querySelector("#result").content.cloneNode(true).firstElementChild;
    this.image = this.part("img");
    this.image.src = photo.address ?? URL.createObjectURL(photo);
    this.image.onload = () => URL.revokeObjectURL(this.image.src);
    this.image.onerror = () => {
      URL.revokeObjectURL(this.image.src);
      // A photo that the browser cannot show has no frame.
      this.part(".photo").remove();
    };
    this.part(".file").textContent = this.name;
    this.isWaiting = true;
    this.hasFailed = false;
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
    this.hasFailed = true;
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
