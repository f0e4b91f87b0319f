// Asking the service. The key, where one is needed, lives as long as the tab.

import { say } from "./language.js";

const STORED = "kosim-key";
const form = document.getElementById("key");
let key = "";
const waiting = [];

try {
  key = sessionStorage.getItem(STORED) ?? "";
} catch {
  // storage can be forbidden
}

/** What the service, or the way to it, had to say against a request; shown as it is. */
export class Refusal extends Error {}

/** Send a request and return the answer; asks for a key where one is needed. */
export async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: {
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...(key ? { Authorization: `Bearer ${key}` } : {}),
      },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Refusal(say("unreachable"));
  }
  if (response.ok) return response.json();
  if (response.status === 401) {
    form.hidden = false;
    throw new Refusal(say(key ? "unauthorized" : "keyLabel"));
  }
  if (response.status === 429)
    throw new Refusal(say("busy", response.headers.get("Retry-After") ?? "1"));
  let message = response.statusText;
  try {
    message = (await response.json()).message ?? message;
  } catch {
    // an answer that is not the service's own
  }
  throw new Refusal(say("failed", message));
}

/** Say whether requests carry a key. */
export const keyed = () => key !== "";

/** Call a function when a key was typed in. */
export function onKey(listener) {
  waiting.push(listener);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  key = document.getElementById("key-value").value.trim();
  try {
    sessionStorage.setItem(STORED, key);
  } catch {
    // then it is forgotten
  }
  form.hidden = true;
  for (const listener of waiting) listener();
});
