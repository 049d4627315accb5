// Who writes to whom: the customers, the businesses, and their links to other pages.
import { byId, clock, h, initials, tone } from "./dom.js";
import { chatId, customer, keyOf, session, state } from "./state.js";

const STATUSES = {
  WORKING: ["is-up", "Online"], STARTING: ["is-waiting", "Starting"], SCAN_QR_CODE: ["is-waiting", "Waiting to be paired"],
  STOPPED: ["is-down", "Stopped"], FAILED: ["is-down", "Failed"],
};
let onChoose = () => {};

export function bind(given) {
  onChoose = given;
  const panel = byId("people");
  const close = () => { panel.classList.remove("is-open"); byId("open-people").focus(); };
  byId("open-people").addEventListener("click", () => { panel.classList.add("is-open"); byId("close-people").focus(); });
  byId("close-people").addEventListener("click", close);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
}

export const closePanel = () => byId("people").classList.remove("is-open");

export function draw() {
  drawList("customers", [...state.customers.values()].map((known) => choice("customer", known.phone, known.phone === state.phone,
    known.name, [known.number], unreadOf(state.session, known.chat_id), () => onChoose({ phone: known.phone }))));
  const businesses = [...state.sessions.values()].map(businessChoice);
  if (!businesses.length) businesses.push(h("p", { class: "muted note" }, "None yet."));
  drawList("businesses", businesses);
  drawHead();
  byId("links").replaceChildren(...state.links.map((link) => h("a", { href: link.url, target: "_blank", rel: "noreferrer" }, link.title)));
}

function businessChoice(known) {
  const [kind, words] = statusOf(known);
  const last = state.chats.get(keyOf(known.name, chatId()))?.last;
  const said = last && known.status === "WORKING" ? `${clock(last.at)}  ${last.text || "Picture"}` : null;
  const sub = said ? [said] : [h("span", { class: `state ${kind}` }, words)];
  return choice("session", known.name, known.name === state.session, known.business, sub, unreadOf(known.name, chatId()), () => onChoose({ session: known.name }));
}

function choice(group, value, isChosen, name, sub, unread, onchange) {
  const badge = unread ? h("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread)) : null;
  return h("label", { class: "choice" },
    h("input", { type: "radio", name: group, value, checked: isChosen, "aria-label": name, onchange }),
    h("span", { class: `avatar ${tone(value)}`, "aria-hidden": "true" }, initials(name)),
    h("span", {}, h("b", {}, name), h("span", { class: "sub" }, ...sub)), badge);
}

/** Redraw without losing the place of somebody who steps through with the keyboard. */
function drawList(id, choices) {
  const box = byId(id);
  const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
  box.replaceChildren(...choices);
  if (focused) [...box.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
}

export function drawHead() {
  const business = session();
  const isTyping = state.typing.has(keyOf(state.session, chatId()));
  const [kind, words] = business ? statusOf(business) : ["is-down", "No number yet"];
  byId("business-name").textContent = business?.business ?? "Sandbox phone";
  byId("avatar").textContent = initials(business?.business ?? "?");
  byId("avatar").className = `avatar ${tone(business?.name ?? "")}`;
  const presence = byId("presence");
  presence.className = isTyping ? "is-typing" : "muted";
  presence.replaceChildren(isTyping ? "typing…" : h("span", { class: `state ${kind}` }, words));
  byId("clear").hidden = !business || !customer() || !state.messages.size;
}

const statusOf = (known) => STATUSES[known.status] ?? ["is-waiting", "Waiting for a passkey"];
const unreadOf = (name, id) => state.chats.get(keyOf(name, id))?.unread ?? 0;
