// The page: its panels, the tabs between them, and what the server says of itself.

import { ask, onKey } from "./api.js";
import { startCompare } from "./compare.js";
import { describeEncoders } from "./encoders.js";
import { onLanguage, say, startLanguages } from "./language.js";
import { startRerank } from "./rerank.js";
import { describeSearch, startSearch } from "./search.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function show(name, { focus = false } = {}) {
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  history.replaceState(null, "", `#${name}`);
}

function startTabs() {
  const names = tabs.map((tab) => tab.getAttribute("aria-controls"));
  const asked = () => (names.includes(location.hash.slice(1)) ? location.hash.slice(1) : names[0]);
  tabs.forEach((tab, position) => {
    tab.addEventListener("click", () => show(names[position]));
    tab.addEventListener("keydown", ({ key }) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1 };
      if (key in steps)
        show(names[(position + steps[key] + names.length) % names.length], { focus: true });
      if (key === "Home") show(names[0], { focus: true });
      if (key === "End") show(names.at(-1), { focus: true });
    });
  });
  addEventListener("hashchange", () => show(asked()));
  show(asked());
}

let service = null;

async function describe() {
  try {
    service = await ask("v1/service");
  } catch {
    return; // whoever presses a button is told why
  }
  document.body.dataset.reranker = service.encoders.cross ? "cross" : "bi";
  describeSearch(service.index);
  write();
  describeEncoders();
}

function write() {
  if (service === null) return;
  const names = Object.entries(service.encoders).map(([kind, { model }]) => `${say(kind)} ${model}`);
  document.getElementById("served").textContent = say(
    "served",
    names,
    service.index === null ? null : service.index.documents,
  );
}

startLanguages();
startCompare();
startSearch();
startRerank();
startTabs();
onLanguage(write);
onKey(describe);
describe();
