// Two orders of the same sentences side by side, and how each sentence moved.

import { drawing, element } from "./element.js";
import { say } from "./language.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function badge(from, to) {
  const change = from - to;
  const [kind, sign, words] =
    change > 0
      ? ["up", "▲", say("up", change)]
      : change < 0
        ? ["down", "▼", say("down", -change)]
        : ["same", "=", say("same")];
  return element(
    "span",
    { class: `move ${kind}` },
    element("span", { "aria-hidden": "true" }, change ? `${sign} ${Math.abs(change)}` : sign),
    element("span", { class: "unseen" }, words),
  );
}

function bar(share) {
  const picture = drawing("svg", {
    class: "bar",
    viewBox: "0 0 100 4",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  picture.append(
    drawing("rect", { class: "track", width: 100, height: 4 }),
    drawing("rect", { class: "value", width: 100 * share, height: 4 }),
  );
  return picture;
}

function row(entry, rank, { value, share, moved }) {
  return element(
    "li",
    { "data-key": entry.key },
    element("span", { class: "rank" }, String(rank)),
    element(
      "span",
      { class: "text" },
      entry.text,
      share === null ? null : bar(share),
    ),
    element("span", { class: "figures" }, element("span", { class: "value" }, value), moved),
  );
}

function column(className, title, by, rows) {
  return element(
    "section",
    { class: `column ${className}` },
    element("h2", {}, title),
    element("p", { class: "hint" }, by),
    element("ol", {}, ...rows),
  );
}

/** Draw a line from each sentence's old position to its new one. */
function connect(board) {
  board.querySelector("svg.links")?.remove();
  const [left, right] = board.querySelectorAll("ol");
  const frame = board.getBoundingClientRect();
  const [from, to] = [left.getBoundingClientRect().right, right.getBoundingClientRect().left];
  if (to <= from) return; // the columns stand below each other
  const links = drawing("svg", {
    class: "links",
    width: frame.width,
    height: frame.height,
    "aria-hidden": "true",
  });
  // The place in the layout: what is drawn may still be on its way there.
  const middle = (item) => item.offsetTop + item.offsetHeight / 2;
  const [x1, x2] = [from - frame.left, to - frame.left];
  const bend = (x2 - x1) / 2;
  const starts = [...left.children];
  for (const [position, end] of [...right.children].entries()) {
    const old = starts.findIndex((item) => item.dataset.key === end.dataset.key);
    if (old < 0) continue;
    const [y1, y2] = [middle(starts[old]), middle(end)];
    const kind = position < old ? "up" : position > old ? "down" : "same";
    const d = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    links.append(drawing("path", { d, class: kind, "data-key": end.dataset.key }));
  }
  board.prepend(links);
}

/** Let the sentences of the new order come from their old positions. */
function animate(list, order) {
  if (calm.matches) return;
  const boxes = [...list.children].map((item) => item.getBoundingClientRect().top);
  const positions = new Map(
    [...list.children].map((item, position) => [item.dataset.key, position]),
  );
  for (const item of list.children) {
    const old = order.get(item.dataset.key);
    const now = positions.get(item.dataset.key);
    const top = boxes[Math.min(old, boxes.length - 1)];
    if (old !== now)
      item.animate([{ transform: `translateY(${top - boxes[now]}px)` }, { transform: "none" }], {
        duration: 450,
        easing: "cubic-bezier(.2,.7,.2,1)",
      });
  }
}

/**
 * Return a board of two columns.
 *
 * `before` and `after` hold entries {key, text, value, share} in their orders, `before` at least
 * those of `after`; `shown` is how many of each are drawn.
 */
export function moves({ before, after, shown, titles, by }) {
  const order = new Map(before.map((entry, position) => [entry.key, position]));
  const kept = new Set(after.slice(0, shown).map((entry) => entry.key));
  const left = before.slice(0, shown).map((entry, position) =>
    row(entry, position + 1, {
      ...entry,
      share: null,
      moved: kept.has(entry.key) ? null : element("span", { class: "move out" }, say("dropped")),
    }),
  );
  const right = after
    .slice(0, shown)
    .map((entry, position) =>
      row(entry, position + 1, { ...entry, moved: badge(order.get(entry.key), position) }),
    );
  const board = element(
    "div",
    { class: "board" },
    column("before", titles[0], by[0], left),
    column("after", titles[1], by[1], right),
  );
  const list = board.querySelector(".after ol");
  new ResizeObserver(() => connect(board)).observe(board);
  requestAnimationFrame(() => animate(list, order));
  for (const event of ["pointerover", "pointerout"])
    board.addEventListener(event, ({ target }) => {
      const key = event === "pointerover" ? target.closest("li")?.dataset.key : undefined;
      for (const item of board.querySelectorAll("[data-key]"))
        item.classList.toggle("pointed", key !== undefined && item.dataset.key === key);
    });
  return board;
}
