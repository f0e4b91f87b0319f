// A half circle from 0 to 5, with the encoder's own threshold marked.

import { drawing, element } from "./element.js";
import { say } from "./language.js";

const HIGHEST = 5;
const RADIUS = 80;
const CENTRE = [100, 96];

function point(score, radius) {
  const angle = Math.PI * (1 - score / HIGHEST);
  return [CENTRE[0] + radius * Math.cos(angle), CENTRE[1] - radius * Math.sin(angle)];
}

function arc(className, extra = {}) {
  const [from, to] = [point(0, RADIUS), point(HIGHEST, RADIUS)];
  const d = `M${from.join(" ")}A${RADIUS} ${RADIUS} 0 0 1 ${to.join(" ")}`;
  return drawing("path", { class: className, d, pathLength: HIGHEST, ...extra });
}

function stroke(score, inner, outer, className) {
  const [[x1, y1], [x2, y2]] = [point(score, inner), point(score, outer)];
  return drawing("line", { class: className, x1, y1, x2, y2 });
}

function number(score) {
  const [x, y] = point(score, RADIUS + 16);
  return drawing("text", { class: "tick", x, y: y + 4, "text-anchor": "middle" }, String(score));
}

/** Return the card of one encoder's score; `more` stands at its end. */
export function gauge(kind, result, more) {
  const { score, similar } = result.scores[0];
  const name = say(kind);
  const picture = drawing(
    "svg",
    { viewBox: "0 0 200 116", "aria-hidden": "true" },
    arc("track"),
    arc("value", { "stroke-dasharray": `${score} ${HIGHEST + 1}` }),
    ...[0, 1, 2, 3, 4, 5].map(number),
    stroke(result.threshold, RADIUS - 15, RADIUS + 7, "threshold"),
    drawing("text", { class: "score", x: CENTRE[0], y: CENTRE[1], "text-anchor": "middle" }, score.toFixed(2)),
  );
  const meter = element(
    "div",
    {
      role: "meter",
      "aria-label": name,
      "aria-valuemin": 0,
      "aria-valuemax": HIGHEST,
      "aria-valuenow": score.toFixed(2),
      "aria-valuetext": say("gauge", name, score),
    },
    picture,
  );
  return element(
    "article",
    { class: `card gauge ${kind}`, "data-encoder": kind },
    element("h2", {}, name),
    element("p", { class: "hint" }, say(`${kind}About`)),
    meter,
    element(
      "p",
      { class: `verdict ${similar ? "yes" : "no"}` },
      say(similar ? "similar" : "different"),
    ),
    element(
      "p",
      { class: "facts" },
      element("span", {}, say("threshold", result.threshold)),
      element("span", { class: "time" }, say("time", result.seconds)),
      element("span", { class: "model" }, result.model),
    ),
    more,
  );
}
