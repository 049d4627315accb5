// Puts the phone together: news come in, actions go out, views are redrawn.
import * as activity from "./activity.js";
import * as api from "./api.js";
import * as composer from "./composer.js";
import { byId } from "./dom.js";
import * as messages from "./messages.js";
import * as people from "./people.js";
import { chatId, choose, customer, isOpen, keyOf, markChatRead, state, takeMessage, takeState } from "./state.js";

// A typing notice that nobody takes back fades by itself, as on a real phone.
const TYPING_FADES_MS = 25_000;
const fades = new Map();

async function reload() {
  takeState(await api.readState());
  await openChat();
}

async function openChat() {
  const [name, id] = [state.session, chatId()];
  const chat = name && id ? await api.readChat(name, id) : { messages: [] };
  if (!isOpen(name, id) && name && id) return;
  state.messages = new Map(chat.messages.map((message) => [message.id, message]));
  drawEverything();
  readIfSeen();
}

function drawEverything() {
  people.draw();
  messages.drawAll();
  composer.draw();
  activity.draw();
}

function readIfSeen() {
  if (document.hidden || !state.session || !chatId()) return;
  const isUnread = [...state.messages.values()].some((message) => !message.mine && message.ack < 3);
  markChatRead(state.session, chatId());
  people.draw();
  if (isUnread) api.markRead(state.session, chatId()).catch(() => {});
}

function setTyping(name, id, isTyping) {
  const key = keyOf(name, id);
  clearTimeout(fades.get(key));
  if (isTyping) {
    state.typing.add(key);
    fades.set(key, setTimeout(() => setTyping(name, id, false), TYPING_FADES_MS));
  } else {
    state.typing.delete(key);
  }
  people.drawHead();
  messages.drawTyping();
}

function takeOneMessage(message) {
  const isNew = !state.messages.has(message.id);
  takeMessage(message);
  if (!message.mine && isNew) setTyping(message.session, message.chat_id, false);
  if (!isOpen(message.session, message.chat_id)) return people.draw();
  messages.draw(message, { isNew });
  activity.draw();
  people.draw();
  if (!message.mine && isNew) readIfSeen();
}

function onNews(news) {
  switch (news.kind) {
    case "message": return takeOneMessage(news.message);
    case "typing": return setTyping(news.session, news.chat_id, news.is_typing);
    case "customer": state.customers.set(news.customer.phone, news.customer); return people.draw();
    case "chat_gone": return isOpen(news.session, news.chat_id) ? openChat() : undefined;
    // A changed session may open or close the message box: everything is read anew.
    case "session": case "session_gone": return reload();
  }
}

async function send(draft) {
  const { phone, name } = customer();
  const { message } = await api.write({ session: state.session, phone, name, ...draft });
  // The live news may have come first, and may know more by now.
  if (!state.messages.has(message.id)) takeOneMessage(message);
}

async function addCustomer(event) {
  event.preventDefault();
  const error = byId("customer-error");
  error.hidden = true;
  try {
    const added = await api.addCustomer({ name: byId("customer-name").value, phone: byId("customer-phone").value });
    state.customers.set(added.phone, added);
    event.target.reset();
    byId("new-customer").open = false;
    onChoose({ phone: added.phone });
  } catch (refused) {
    error.textContent = refused.message;
    error.hidden = false;
  }
}

function onChoose(choice) {
  choose(choice);
  state.messages.clear();
  composer.reset();
  openChat();
  if (choice.session !== undefined) people.closePanel();
}

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

async function clearChat() {
  if (confirm("Clear this chat on the phone? The business keeps its own copy.")) await api.clearChat(state.session, chatId());
}

people.bind(onChoose);
composer.bind(send);
messages.bind({
  onQuote: composer.setQuote,
  onReact: (message, emoji) => api.react(message.session, message.id, emoji).catch(() => {}),
  onPair: () => api.pair(state.session).catch(() => {}),
});
byId("customer-form").addEventListener("submit", addCustomer);
byId("theme").addEventListener("click", switchTheme);
byId("clear").addEventListener("click", clearChat);
document.addEventListener("visibilitychange", readIfSeen);
api.listen({
  onNews,
  onOpen: () => { byId("offline").hidden = true; reload(); },
  onLost: () => { byId("offline").hidden = false; },
});
