// The phone's own API, and its live news.
async function call(path, body) {
  const request = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/phone/api/${path}`, request);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? answer.error ?? `The phone answered ${response.status}.`);
  return answer;
}

export const readState = () => call("state");
export const readChat = (session, chat_id) => call(`chat?${new URLSearchParams({ session, chat_id })}`);
export const write = (message) => call("messages", message);
export const react = (session, message_id, emoji) => call("reactions", { session, message_id, emoji });
export const markRead = (session, chat_id) => call("read", { session, chat_id });
export const clearChat = (session, chat_id) => call("clear", { session, chat_id });
export const addCustomer = (customer) => call("customers", customer);
export const pair = (session) => call("pair", { session });

export function listen({ onNews, onOpen, onLost }) {
  const source = new EventSource("/phone/api/news");
  source.onmessage = (event) => onNews(JSON.parse(event.data));
  source.onopen = onOpen;
  source.onerror = onLost;
}
