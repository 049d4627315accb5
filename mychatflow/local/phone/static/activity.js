// What happened to each message of the open chat, newest first, and how long answers took.
import { byId, h } from "./dom.js";
import { cause } from "./messages.js";
import { state } from "./state.js";

const SHOWN = 40;

export function draw() {
  const events = [];
  const waits = [];
  let asked = null;
  for (const message of state.messages.values()) {
    if (message.mine) {
      asked ??= message.at;
      events.push(...ofMine(message));
    } else {
      const wait = asked === null ? null : message.at - asked;
      if (wait !== null && wait >= 0) waits.push(wait);
      asked = null;
      events.push({ at: message.at, words: wait === null ? "The business wrote" : `Answered after ${seconds(wait)}`, kind: "good" });
    }
  }
  byId("last-answer").textContent = waits.length ? seconds(waits.at(-1)) : "–";
  byId("median-answer").textContent = waits.length ? seconds(median(waits)) : "–";
  byId("activity").replaceChildren(...events.reverse().slice(0, SHOWN).map(entry));
}

function ofMine(message) {
  const { handover } = message;
  const events = [{ at: message.at, words: `You wrote ${message.media ? "a picture" : `${[...message.text].length} characters`}` }];
  if (handover.state === "delivered") {
    const tries = handover.attempts > 1 ? `, try ${handover.attempts}` : "";
    events.push({ at: message.at + handover.took_ms, words: `Webhook took it in ${handover.took_ms} ms (${handover.status}${tries})`, kind: "good" });
  }
  if (handover.state === "failed") events.push({ at: message.at + handover.took_ms, words: `Gave up: ${cause(handover)}`, kind: "bad" });
  if (handover.state === "pending" && handover.attempts) events.push({ at: message.at, words: `Trying again: ${cause(handover)}`, kind: "bad" });
  if (handover.state === "none") events.push({ at: message.at, words: "No webhook listens to this number", kind: "bad" });
  return events;
}

const entry = ({ at, words, kind = "" }) =>
  h("li", {}, h("time", { datetime: new Date(at).toISOString() }, new Date(at).toLocaleTimeString([], { hour12: false })), h("span", { class: kind }, words));
const seconds = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
