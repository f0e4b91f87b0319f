// Two sentences, two gauges.

import { element } from "./element.js";
import { why } from "./explain.js";
import { gauge } from "./gauge.js";
import { say } from "./language.js";
import { startPanel } from "./panel.js";
import { EXAMPLES } from "./words.js";

const kinds = (answer) => ["bi", "cross"].filter((kind) => answer[kind]);

/** Let the first panel work. */
export function startCompare() {
  const [first, second] = ["first", "second"].map((id) => document.getElementById(id));
  const { panel, run } = startPanel("compare", {
    path: "v1/similarity",
    read: () => ({ pairs: [[first.value, second.value]] }),
    draw: (answer) => [
      element(
        "div",
        { class: "gauges" },
        ...kinds(answer).map((kind) => gauge(kind, answer[kind], why(kind, answer.asked.pairs[0]))),
      ),
    ],
    sum: (answer) =>
      kinds(answer)
        .map((kind) => [kind, answer[kind].scores[0]])
        .map(([kind, { score, similar }]) =>
          [say("gauge", say(kind), score), say(similar ? "similar" : "different")].join(", "),
        )
        .join(". "),
    examples: EXAMPLES.compare.map(([one, other]) => [
      `${one} / ${other}`,
      () => {
        first.value = one;
        second.value = other;
      },
    ]),
  });
  panel.querySelector(".swap").addEventListener("click", () => {
    [first.value, second.value] = [second.value, first.value];
    if (first.value && second.value) run();
  });
  for (const field of [first, second])
    field.addEventListener("keydown", (event) => {
      // While a syllable is being composed, Enter belongs to the input method.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        run();
      }
    });
}
