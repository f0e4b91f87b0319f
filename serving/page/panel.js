// What the three panels share: a form, its examples, what went wrong, and results that are drawn
// again when the language changes.

import { Refusal, ask } from "./api.js";
import { copies } from "./copies.js";
import { element } from "./element.js";
import { onLanguage, say } from "./language.js";

/**
 * Let a panel work.
 *
 * `path` is the endpoint and `read` returns the body of the request that the form asks for. `draw`
 * returns the elements that show the answer, which has the body as `asked` and as `elapsed` the
 * seconds it took; `sum` the sentence that a screen reader says of it; `examples` are lists of
 * [what a button says, what it fills in].
 */
export function startPanel(id, { path, read, draw, sum, examples }) {
  const panel = document.getElementById(id);
  const form = panel.querySelector("form");
  const button = form.querySelector("[type=submit]");
  const results = panel.querySelector(".results");
  const problem = panel.querySelector(".problem");
  const status = panel.querySelector("[role=status]");
  let answer = null;
  let latest = 0;

  const show = () =>
    results.replaceChildren(...draw(answer), copies(path, answer.asked));

  async function run() {
    if (!form.reportValidity()) return;
    const mine = ++latest;
    problem.hidden = true;
    button.setAttribute("aria-busy", "true");
    status.textContent = say("working");
    try {
      const asked = read();
      const started = performance.now();
      const found = { ...(await ask(path, asked)), asked };
      found.elapsed = (performance.now() - started) / 1000;
      if (mine !== latest) return; // a later request has been sent meanwhile
      answer = found;
      show();
      status.textContent = sum(answer);
    } catch (error) {
      if (mine !== latest) return;
      answer = null;
      results.replaceChildren();
      status.textContent = "";
      problem.textContent = error instanceof Refusal ? error.message : say("failed", String(error));
      problem.hidden = false;
    } finally {
      if (mine === latest) button.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });

  const list = form.querySelector(".examples");
  for (const [label, fillIn] of examples) {
    const example = element("button", { type: "button" }, label);
    example.addEventListener("click", () => {
      fillIn();
      run();
    });
    list.append(example);
  }

  onLanguage(() => {
    if (answer !== null) show();
  });
  return { panel, form, run };
}
