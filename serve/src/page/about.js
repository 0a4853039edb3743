// The panel about the model and the API: the address of this server in its examples, and the buttons that copy them.

import { copy } from "./downloads.js";
import { announce, text } from "./texts.js";

const encode = (character) => `%${character.charCodeAt(0).toString(16)}`;

// The address of the server as this browser reaches it, also below a path of a proxy, without the last slash. It is in
// double quotes, in which a shell replaces some characters.
function serverAddress({ origin, pathname }) {
  const folder = new URL(".", origin + pathname).href;
  return folder.slice(0, -1).replace(/[$!`]/g, encode);
}

async function copyExample(button) {
  await copy(button.parentElement.querySelector("code").textContent);
  announce(text("copied"));
  button.textContent = text("copied");
}

export function completeAbout() {
  const panel = document.querySelector(".about");
  for (const element of panel.querySelectorAll(".address")) element.textContent = serverAddress(location);
  panel.querySelector(".address-hint").hidden = true;
  for (const button of panel.querySelectorAll(".copy-example")) {
    // The clipboard is available only to encrypted pages and those of this machine.
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", () => copyExample(button));
  }
}
