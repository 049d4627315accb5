// The open chat: bubbles, days, ticks, reactions, and the pages shown when there is nothing to show.
import { byId, clock, day, h, icon } from "./dom.js";
import { chatId, keyOf, session, state } from "./state.js";

const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const box = byId("messages");
let actions = {};
let isFollowing = true;
let lastTop = 0;

export function bind(given) {
  actions = given;
  // Whoever reads the newest message keeps reading it, whatever grows or shrinks around it.
  box.addEventListener("scroll", followOrStay, { passive: true });
  new ResizeObserver(() => isFollowing && toEnd()).observe(box);
  document.addEventListener("keydown", (event) => event.key === "Escape" && closePicker());
  document.addEventListener("click", (event) => event.target.closest(".picker, .tools") || closePicker());
}

export function drawAll() {
  isFollowing = true;
  lastTop = 0;
  box.replaceChildren();
  const notice = noticeFor(session());
  if (notice) return box.append(notice);
  let before = null;
  for (const message of state.messages.values()) {
    if (!before || day(before.at) !== day(message.at)) box.append(h("div", { class: "day" }, day(message.at)));
    box.append(row(message, before));
    before = message;
  }
  if (!before) box.append(empty());
  drawTyping();
  toEnd();
}

export function draw(message, { isNew }) {
  const existing = box.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
  if (existing) {
    const fresh = row(message, null);
    fresh.classList.toggle("follows", existing.classList.contains("follows"));
    existing.replaceWith(fresh);
    if (isFollowing) toEnd();
    return;
  }
  if (!isNew || state.messages.size === 1) return drawAll();
  const all = [...state.messages.values()];
  const before = all.at(-2);
  if (day(before.at) !== day(message.at)) box.append(h("div", { class: "day" }, day(message.at)));
  const fresh = row(message, before);
  fresh.classList.add("is-new");
  box.append(fresh);
  drawTyping();
  if (isFollowing || message.mine) toEnd();
}

export function drawTyping() {
  box.querySelector(".row.is-typing")?.remove();
  if (!state.typing.has(keyOf(state.session, chatId()))) return;
  const dots = h("div", { class: "bubble typing" }, h("i"), h("i"), h("i"));
  box.append(h("div", { class: "row theirs is-typing", "aria-hidden": "true" }, dots));
  if (isFollowing) toEnd();
}

/** Only scrolling up stops the following: a picture that loads or a panel that opens moves nobody. */
function followOrStay() {
  if (isAtEnd()) isFollowing = true;
  else if (box.scrollTop < lastTop - 1) isFollowing = false;
  lastTop = box.scrollTop;
}

const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
const toEnd = () => (box.scrollTop = box.scrollHeight);

function row(message, before) {
  const reactions = [message.reactions.business, message.reactions.customer].filter(Boolean).join(" ");
  const classes = ["row", message.mine ? "mine" : "theirs"];
  if (before && before.mine === message.mine && day(before.at) === day(message.at)) classes.push("follows");
  if (reactions) classes.push("has-reaction");
  const bubble = h("div", { class: "bubble" }, quoted(message), attachment(message), said(message), meta(message));
  if (reactions) bubble.append(h("span", { class: "reactions", "aria-label": `Reaction ${reactions}` }, reactions));
  return h("div", { class: classes.join(" "), "data-id": message.id }, bubble, tools(message, bubble));
}

function said(message) {
  if (!message.text) return null;
  const isBig = /^(\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f){1,6}$/u.test(message.text);
  return h("p", { class: isBig ? "said is-big" : "said", dir: "auto" }, message.text);
}

function meta(message) {
  return h("div", { class: "meta" }, h("time", { datetime: new Date(message.at).toISOString() }, clock(message.at)), message.mine ? tick(message) : null);
}

function tick(message) {
  if (message.handover.state === "failed") return icon("alert", `Not taken by the business: ${cause(message.handover)}`, "tick is-bad");
  if (message.ack >= 3) return icon("ticks", "Read", "tick is-read");
  if (message.ack === 2) return icon("ticks", "Delivered", "tick");
  if (message.ack === 1) return icon("tick", message.handover.state === "pending" ? "Sent, not delivered yet" : "Sent", "tick");
  return icon("clock", "Sending", "tick");
}

export const cause = (handover) => (handover.status ? `webhook answered ${handover.status}` : "webhook unreachable");

function quoted(message) {
  if (!message.reply_to) return null;
  const bare = message.reply_to.split("_")[2] ?? message.reply_to;
  const target = [...state.messages.values()].find((known) => known.id.includes(bare));
  return h("div", { class: "quoted" }, target ? target.text || "Picture" : "An earlier message");
}

function attachment({ media }) {
  if (!media) return null;
  if (media.is_image) return h("img", { class: "shot", src: media.src, alt: media.filename ?? "Picture", loading: "lazy", onload: () => isFollowing && toEnd() });
  if (media.is_voice) return h("audio", { class: "voice", src: media.src, controls: true, preload: "none", "aria-label": "Voice note" });
  const name = media.filename ?? media.address ?? media.mimetype;
  const inside = [icon("document"), h("span", {}, name)];
  // An address from a message is shown, never opened for the reader.
  return media.src ? h("a", { class: "attachment", href: media.src, download: name }, ...inside) : h("div", { class: "attachment" }, ...inside);
}

function tools(message, bubble) {
  const open = (event) => openPicker(message, bubble, event.currentTarget);
  return h("div", { class: "tools" },
    h("button", { class: "plain", type: "button", "aria-label": "React", title: "React", "aria-haspopup": "true", onclick: open }, icon("smile")),
    h("button", { class: "plain", type: "button", "aria-label": "Reply to this message", title: "Reply", onclick: () => actions.onQuote(message) }, icon("reply")));
}

let opener = null;

function openPicker(message, bubble, button) {
  const wasHere = bubble.querySelector(".picker");
  closePicker();
  if (wasHere) return;
  opener = button;
  const current = message.reactions.customer;
  const choices = QUICK.map((emoji) => h("button", {
    type: "button", "aria-label": emoji, "aria-pressed": String(emoji === current),
    onclick: () => { closePicker(); actions.onReact(message, emoji === current ? "" : emoji); },
  }, emoji));
  bubble.append(h("div", { class: "picker", role: "group", "aria-label": "Reactions" }, ...choices));
  choices[0].focus();
}

function closePicker() {
  const open = box.querySelector(".picker");
  if (!open) return;
  const hadFocus = open.contains(document.activeElement);
  open.remove();
  if (hadFocus) opener?.focus();
}

function noticeFor(business) {
  if (!business) {
    return notice("No business yet", "Businesses appear here as soon as they have a WhatsApp number.",
      h("code", {}, "mychatflow demo"), h("code", {}, "mychatflow instance create --tenant ID --session shop"));
  }
  if (business.status === "SCAN_QR_CODE") {
    return notice("Waiting to be paired", `${business.business} waits for its code to be scanned: here, a button does that.`,
      h("img", { src: "/static/pairing.png", alt: "Pairing code" }),
      h("button", { class: "primary", type: "button", onclick: actions.onPair }, "Pair"));
  }
  return null;
}

function empty() {
  const name = session().business;
  return notice(`Write to ${name}`, session().status === "WORKING" ? "Say hello, or pick a suggestion below." : "This number is not up. What was written before would stand here.");
}

const notice = (title, words, ...more) => h("div", { class: "notice" }, h("h2", {}, title), h("p", {}, words), ...more);
