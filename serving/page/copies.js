// What was just asked, as a command or a program to copy.

import { element } from "./element.js";
import { say } from "./language.js";
import { keyed } from "./api.js";

const INDENT = "    ";

/** Return a word of the shell that stands for a text, whatever is in it. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Return the literal of Python that has the value of a JSON value. */
function literal(value, indent = "") {
  const inner = indent + INDENT;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const rows = Array.isArray(value)
    ? value.map((item) => literal(item, inner))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item, inner)}`);
  const line = `${open}${rows.join(", ")}${close}`;
  if (indent.length + line.length < 80 && !line.includes("\n")) return line;
  return `${open}\n${rows.map((row) => `${inner}${row},\n`).join("")}${indent}${close}`;
}

/** Return the command that asks the same; the key is in $KOSIM_KEY, never in the text. */
function asCurl(address, body) {
  const key = keyed() ? ' -H "Authorization: Bearer $KOSIM_KEY"' : "";
  const json = JSON.stringify(body);
  const header = "-H 'Content-Type: application/json'";
  // An argument of a program has at most 128 KiB; printf is a part of the shell.
  return `printf %s ${quoted(json)} | curl ${quoted(address)}${key} ${header} --data-binary @-\n`;
}

/** Return the program that asks the same, without any package. */
function asPython(address, body) {
  const key = keyed()
    ? `\nheaders["Authorization"] = f"Bearer {os.environ['KOSIM_KEY']}"`
    : "";
  return `import json
${key ? "import os\n" : ""}from urllib.request import Request, urlopen

body = ${literal(body)}
headers = {"Content-Type": "application/json"}${key}
request = Request(${JSON.stringify(address)}, json.dumps(body).encode(), headers)
with urlopen(request) as answer:
    print(json.dumps(json.load(answer), ensure_ascii=False, indent=2))
`;
}

/** Return the buttons that copy a request. */
export function copies(path, body) {
  const address = new URL(path, document.baseURI).href;
  const told = element("span", { class: "told hint", role: "status" });
  const place = element("div", { class: "copies", role: "group", "aria-label": say("copy") });
  const offer = (name, write) => {
    const button = element("button", { type: "button", class: `ask ${name}` }, say(name));
    button.addEventListener("click", async () => {
      const text = write(address, body);
      told.textContent = "";
      place.querySelector("textarea")?.remove();
      try {
        await navigator.clipboard.writeText(text);
        told.textContent = say("copied");
      } catch {
        // Browsers keep the clipboard from pages that come over plain HTTP from another machine.
        const field = element("textarea", { readonly: "", rows: 8, "aria-label": say("copyText") }, text);
        told.textContent = say("copyByHand");
        place.append(field);
        field.select();
      }
    });
    return button;
  };
  place.append(offer("copyCurl", asCurl), offer("copyPython", asPython), told);
  return place;
}
