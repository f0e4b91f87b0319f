// A list that was pasted, as given and as reranked.

import { element } from "./element.js";
import { onLanguage, say } from "./language.js";
import { moves } from "./moves.js";
import { startPanel } from "./panel.js";
import { EXAMPLES } from "./words.js";

const HIGHEST = 5;

const sum = ({ asked, elapsed }) => say("rerankSummary", asked.documents.length, elapsed);

function draw(answer) {
  const texts = answer.asked.documents;
  const after = answer.results.map(({ index, relevance_score: share }) => ({
    key: String(index),
    text: texts[index],
    value: (HIGHEST * share).toFixed(2),
    share,
  }));
  const before = texts.map((text, position) => ({ key: String(position), text, value: "", share: null }));
  return [
    element("p", { class: "summary" }, sum(answer)),
    moves({
      before,
      after,
      shown: texts.length,
      titles: [say("given"), say("reranked")],
      by: ["", say("rerankedBy", say(document.body.dataset.reranker ?? "cross"))],
    }),
  ];
}

/** Let the third panel work. */
export function startRerank() {
  const [query, list, count] = ["rerank-query", "rerank-list", "rerank-count"].map((id) =>
    document.getElementById(id),
  );
  const sentences = () => list.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const recount = () => {
    count.textContent = say("count", sentences().length);
  };
  const { run } = startPanel("rerank", {
    path: "v1/rerank",
    read: () => ({ query: query.value, documents: sentences() }),
    draw,
    sum,
    examples: EXAMPLES.rerank.map(([text, texts]) => [
      text,
      () => {
        query.value = text;
        list.value = texts;
        recount();
      },
    ]),
  });
  list.addEventListener("input", recount);
  list.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) run();
  });
  onLanguage(recount);
}
