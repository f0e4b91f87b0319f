// The language of the page: Korean unless the browser or its user prefers English.

import { WORDS } from "./words.js";

const STORED = "kosim-language";
const listeners = [];
let current = stored() ?? (navigator.language.startsWith("ko") ? "ko" : "en");

function stored() {
  try {
    const value = localStorage.getItem(STORED);
    return value in WORDS ? value : null;
  } catch {
    return null; // storage can be forbidden
  }
}

/** Return the word or sentence of a name. */
export function say(name, ...values) {
  const word = WORDS[current][name];
  return typeof word === "function" ? word(...values) : word;
}

/** Return what a text in both languages says in the present one. */
export const said = (both) => both[current];

/** Call a function now and whenever the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
  listener();
}

/** Put the words of the present language wherever the document asks for them. */
function apply() {
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-text]"))
    element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
    if (element.tagName === "BUTTON") element.title = say(element.dataset.label);
  }
  for (const button of document.querySelectorAll("[data-language]"))
    button.setAttribute("aria-pressed", String(button.dataset.language === current));
}

/** Let the buttons choose the language. */
export function startLanguages() {
  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => {
      current = button.dataset.language;
      try {
        localStorage.setItem(STORED, current);
      } catch {
        // then it is forgotten
      }
      for (const listener of listeners) listener();
    });
  onLanguage(apply);
}
