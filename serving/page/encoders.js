// The cards of the encoders: what they are, what they learnt from, their results and limits.

import { ask } from "./api.js";
import { element } from "./element.js";
import { onLanguage, said, say } from "./language.js";

const panel = document.getElementById("encoders");
let described = [];

const figure = (value) => value.toFixed(3);

function facts(rows) {
  return element(
    "dl",
    { class: "about" },
    ...rows
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [
        element("dt", {}, say(name)),
        element("dd", {}, value),
      ]),
  );
}

function trained({ training, card }) {
  if (card) return said(card.data);
  if (!training) return say("unknown");
  return say("pairs", training.train_pairs, training.validation_pairs);
}

function validation({ training }) {
  const best = training?.history?.[training.best_epoch - 1];
  return best ? figure(best.pearson) : null;
}

function results(rows) {
  const cell = (content, attributes = {}) => element("td", attributes, content);
  return element(
    "table",
    {},
    element("caption", {}, say("results"), element("span", { class: "hint" }, say("resultsHint"))),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["metric", "measuredOn", "value"].map((name) => element("th", { scope: "col" }, say(name))),
      ),
    ),
    element(
      "tbody",
      {},
      ...rows.map(({ metric, data, n, value, low, high }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, say("metrics")[metric] ?? metric),
          cell(`${said(data)} (n\u00a0=\u00a0${n.toLocaleString()})`),
          cell(`${figure(value)} [${figure(low)},\u00a0${figure(high)}]`, { class: "figure" }),
        ),
      ),
    ),
  );
}

function limits(rows) {
  return [
    element("h3", {}, say("limits")),
    element("ul", {}, ...rows.map((limit) => element("li", {}, said(limit)))),
  ];
}

function draw(encoder) {
  const { kind, model, backbone, max_length: tokens, threshold, calibrated, card } = encoder;
  return element(
    "article",
    { class: `card encoder ${kind}`, "data-encoder": kind },
    element("h2", {}, model),
    element("p", { class: "hint" }, `${say(kind)}: ${say(`${kind}About`)}`),
    facts([
      ["backbone", backbone],
      ["data", trained(encoder)],
      ["recipe", card && said(card.recipe)],
      ["validation", validation(encoder)],
      ["calibration", say("calibrated", calibrated)],
      ["from", say("points", threshold)],
      ["limit", say("tokens", tokens)],
      ["licence", card && card.licence],
    ]),
    ...(card?.results.length ? [results(card.results)] : []),
    ...(card?.limits.length ? limits(card.limits) : []),
    card ? null : element("p", { class: "hint" }, say("noCard")),
  );
}

function write() {
  panel.replaceChildren(...described.map(draw));
}

/** Fill the fourth panel with what the server says of its encoders. */
export async function describeEncoders() {
  try {
    described = (await ask("v1/encoders")).encoders;
  } catch {
    return; // whoever presses a button is told why
  }
  write();
}

onLanguage(write);
