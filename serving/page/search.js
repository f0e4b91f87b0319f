// A query, the candidates as found, and the hits as reranked.

import { element } from "./element.js";
import { say } from "./language.js";
import { moves } from "./moves.js";
import { startPanel } from "./panel.js";
import { EXAMPLES } from "./words.js";

const SHOWN = 10;
const HIGHEST = 5;

function sum({ hits, candidates, seconds, missing }) {
  const said = hits.length
    ? say("summary", Math.min(SHOWN, hits.length), candidates, seconds)
    : say("nothing");
  return missing.length ? `${said} ${say("missing", missing.join(", "))}` : said;
}

function draw(answer) {
  const { hits, reranked, asked } = answer;
  const summary = element("p", { class: "summary" }, sum(answer));
  if (!hits.length) return [summary];
  const entry = (hit, value, share) => ({ key: hit.id, text: hit.text, value, share });
  const found = [...hits].sort((one, other) => other.retrieval_score - one.retrieval_score);
  const board = moves({
    before: found.map((hit) => entry(hit, hit.retrieval_score.toFixed(3), null)),
    after: hits.map((hit) => entry(hit, hit.score.toFixed(2), hit.score / HIGHEST)),
    shown: SHOWN,
    titles: [say("retrieved"), say("reranked")],
    by: [say("retrievedBy")[asked.mode], reranked ? say("rerankedBy", say("cross")) : say("notReranked")],
  });
  return [summary, board];
}

/** Let the second panel work. */
export function startSearch() {
  const [query, mode, candidates] = ["search-query", "mode", "candidates"].map((id) =>
    document.getElementById(id),
  );
  startPanel("search", {
    path: "v1/search",
    // All candidates are asked for, so that the order in which they were found is known.
    read: () => ({
      query: query.value,
      mode: mode.value,
      candidates: Number(candidates.value),
      k: Number(candidates.value),
    }),
    draw,
    sum,
    examples: EXAMPLES.search.map((text) => [
      text,
      () => {
        query.value = text;
      },
    ]),
  });
}

/** Show what can be searched: nothing without an index, and only by what is installed. */
export function describeSearch(index) {
  const panel = document.getElementById("search");
  panel.querySelector(".notice").hidden = index !== null;
  panel.querySelector("form").hidden = index === null;
  for (const option of document.getElementById("mode").options)
    option.hidden = option.disabled = index !== null && !index.modes.includes(option.value);
}
