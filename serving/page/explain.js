// Why a pair scored what it did: its words, coloured by what each adds to the score.

import { Refusal, ask } from "./api.js";
import { element } from "./element.js";
import { say } from "./language.js";

function paint(word, value, largest) {
  word.classList.toggle("adds", value > 0);
  word.classList.toggle("takes", value < 0);
  // Set by script, because the page allows no styles that stand in the document.
  word.style.setProperty("--share", String(Math.round((100 * Math.abs(value)) / largest)));
}

const largestOf = (values) => Math.max(...values.map(Math.abs), 1e-9);

function draw({ units1, units2, interaction, base, exact }) {
  const sides = [units1, units2];
  const largest = largestOf(sides.flat().map(({ value }) => value));
  const told = element("p", { class: "told hint", "aria-live": "polite" }, say("whyHint"));
  const rows = sides.map((units) =>
    units.map(({ text, value }) =>
      element("button", { type: "button", class: "word", "aria-label": say("adds", text, value) }, text),
    ),
  );
  const calm = () => {
    sides.forEach((units, side) =>
      units.forEach(({ value }, position) => paint(rows[side][position], value, largest)),
    );
    for (const word of rows.flat()) word.classList.remove("pointed");
    told.textContent = say("whyHint");
  };
  // The word that is pointed at stays as it is; those of the other sentence show what both are
  // worth together.
  const point = (side, position) => {
    calm();
    const { text, value } = sides[side][position];
    rows[side][position].classList.add("pointed");
    const links = side ? interaction.map((row) => row[position]) : interaction[position];
    const widest = largestOf(interaction.flat());
    rows[1 - side].forEach((word, other) => paint(word, links[other], widest));
    told.textContent = say("adds", text, value);
  };
  rows.forEach((words, side) =>
    words.forEach((word, position) => {
      for (const event of ["pointerenter", "focus"])
        word.addEventListener(event, () => point(side, position));
      for (const event of ["pointerleave", "blur"]) word.addEventListener(event, calm);
    }),
  );
  calm();
  return element(
    "div",
    { class: "words" },
    ...rows.map((words) => element("p", {}, ...words.flatMap((word) => [word, " "]))),
    told,
    element("p", { class: "hint" }, say("whyBase", base, exact)),
  );
}

/** Return a button that asks why an encoder gave a pair its score, and shows the answer. */
export function why(kind, [sentence1, sentence2]) {
  const button = element("button", { type: "button", class: "ask" }, say("why"));
  const place = element("div", { class: "why" }, button);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      place.replaceChildren(
        draw(await ask("v1/explain", { sentence1, sentence2, encoder: kind })),
      );
    } catch (error) {
      const message = error instanceof Refusal ? error.message : say("failed", String(error));
      place.replaceChildren(button, element("p", { class: "hint", role: "alert" }, message));
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });
  return place;
}
