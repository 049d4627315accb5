// What the page knows. Every change goes through here, so that the views agree.
const remembered = (name) => localStorage.getItem(name);

export const state = {
  sessions: new Map(),
  customers: new Map(),
  // Last message and unread count per "session chat".
  chats: new Map(),
  // Messages of the open chat, by id, in order of arrival.
  messages: new Map(),
  session: remembered("session"),
  phone: remembered("phone"),
  typing: new Set(),
  suggestions: [],
  links: [],
};

export const keyOf = (session, chatId) => `${session} ${chatId}`;
export const customer = () => state.customers.get(state.phone);
export const session = () => state.sessions.get(state.session);
export const chatId = () => customer()?.chat_id;
export const isOpen = (name, id) => name === state.session && id === chatId();

export function choose({ session: name, phone }) {
  if (name !== undefined) {
    state.session = name;
    localStorage.setItem("session", name);
  }
  if (phone !== undefined) {
    state.phone = phone;
    localStorage.setItem("phone", phone);
  }
}

export function takeState(fresh) {
  state.sessions = new Map(fresh.sessions.map((known) => [known.name, known]));
  state.customers = new Map(fresh.customers.map((known) => [known.phone, known]));
  state.chats.clear();
  for (const [name, chats] of Object.entries(fresh.chats)) {
    for (const chat of chats) state.chats.set(keyOf(name, chat.chat_id), { last: chat.last, unread: chat.unread });
  }
  state.suggestions = fresh.suggestions;
  state.links = fresh.links;
  // A business that works is more fun to write to than one that is stopped.
  const preferred = fresh.sessions.find((known) => known.status === "WORKING") ?? fresh.sessions[0];
  if (!state.sessions.has(state.session)) state.session = preferred?.name ?? null;
  if (!state.customers.has(state.phone)) state.phone = fresh.customers[0]?.phone ?? null;
}

/** A campaign or follow-up may write to somebody whom this page has not met. */
function meet(chatId) {
  const phone = chatId.replace("@c.us", "");
  if (/^\d+$/.test(phone) && !state.customers.has(phone)) {
    state.customers.set(phone, { phone, number: `+${phone}`, name: `+${phone}`, chat_id: chatId });
  }
}

export function takeMessage(message) {
  meet(message.chat_id);
  const key = keyOf(message.session, message.chat_id);
  const known = state.chats.get(key);
  const isNew = !known || message.at >= known.last.at;
  const isUnread = isNew && !message.mine && message.ack < 3 && known?.last.id !== message.id;
  const unread = (known?.unread ?? 0) + (isUnread ? 1 : 0);
  state.chats.set(key, { last: isNew ? message : known.last, unread });
  if (isOpen(message.session, message.chat_id)) state.messages.set(message.id, message);
}

export function markChatRead(name, id) {
  const known = state.chats.get(keyOf(name, id));
  if (known) known.unread = 0;
}
