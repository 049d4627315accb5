// The message box: text, picture with caption, emoji, quotes and suggestions.
import { byId, h } from "./dom.js";
import { customer, session, state } from "./state.js";

const EMOJIS = [..."😀😂🙂😉😍🤔😅😢😡🙏👍👎👋👏💪🎉🔥✨❤💚☕🍕🎂🌞🌙📷📎📅⏰📍🚗🏠💰💳🦷✅❌❓❗"];
const LARGEST_PICTURE = 10 * 1024 * 1024;
const text = byId("text");
let picture = null;
let quote = null;
let send = async () => {};

export function bind(onSend) {
  send = onSend;
  byId("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(text.value); });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(text.value); }
    if (event.key === "Escape") { toggleEmojis(false); dropQuote(); }
  });
  text.addEventListener("input", fit);
  text.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  byId("pick").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
  byId("drop-picture").addEventListener("click", dropPicture);
  byId("drop-quote").addEventListener("click", dropQuote);
  byId("emoji").addEventListener("click", () => toggleEmojis(byId("emojis").hidden));
  byId("emojis").append(...EMOJIS.map((emoji) => h("button", { type: "button", "aria-label": emoji, onclick: () => insert(emoji) }, emoji)));
  byId("emojis").addEventListener("keydown", (event) => { if (event.key === "Escape") { toggleEmojis(false); byId("emoji").focus(); } });
  const phone = document.querySelector(".screen");
  phone.addEventListener("dragover", (event) => event.preventDefault());
  phone.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
}

export function draw() {
  const isUp = session()?.status === "WORKING" && Boolean(customer());
  for (const id of ["text", "send", "pick", "emoji"]) byId(id).disabled = !isUp;
  text.placeholder = isUp ? `Message as ${customer().name}` : "This number is not up";
  const chips = isUp ? state.suggestions.map((words) => h("button", { type: "button", onclick: () => submit(words) }, words)) : [];
  byId("suggestions").replaceChildren(...chips);
}

export function setQuote(message) {
  quote = message;
  byId("quote-text").textContent = message.text || "Picture";
  byId("quote").hidden = false;
  text.focus();
}

export function reset() {
  dropPicture();
  dropQuote();
  say("");
}

async function submit(words) {
  const isOwnText = words === text.value;
  if (!words.trim() && !picture) return;
  if (byId("text").disabled) return;
  const draft = { text: words, media: picture?.media, reply_to: quote?.id };
  // The box is free at once; what could not be sent comes back.
  const kept = { picture, quote };
  if (isOwnText) { text.value = ""; fit(); }
  toggleEmojis(false);
  reset();
  text.focus();
  try {
    await send(draft);
  } catch (error) {
    if (isOwnText && !text.value) { text.value = words; fit(); }
    if (kept.picture) show(kept.picture);
    if (kept.quote) setQuote(kept.quote);
    say(error.message);
  }
}

async function take(file) {
  if (!file) return;
  if (!/^image\/(jpeg|png|webp|gif)$/.test(file.type)) return say("Only JPEG, PNG, WebP and GIF pictures can be sent.");
  if (file.size > LARGEST_PICTURE) return say("The picture is larger than 10 MB.");
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  say("");
  show({ address, media: { mimetype: file.type, filename: file.name, data: address.slice(address.indexOf(",") + 1) } });
  text.focus();
}

function show(given) {
  picture = given;
  byId("preview-picture").src = given.address;
  byId("preview-name").textContent = given.media.filename;
  byId("preview").hidden = false;
}

function dropPicture() {
  picture = null;
  byId("preview").hidden = true;
  byId("preview-picture").removeAttribute("src");
}

function dropQuote() {
  quote = null;
  byId("quote").hidden = true;
}

function toggleEmojis(isShown) {
  byId("emojis").hidden = !isShown;
  byId("emoji").setAttribute("aria-expanded", String(isShown));
}

function insert(emoji) {
  text.setRangeText(emoji, text.selectionStart, text.selectionEnd, "end");
  fit();
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 120)}px`;
}

function say(words) {
  byId("send-error").textContent = words;
  byId("send-error").hidden = !words;
}
