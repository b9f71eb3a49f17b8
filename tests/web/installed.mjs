// Uses the package that is installed where this file lies, by its name: node installed.mjs. Prints JSON. Deno runs it too.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { G2PError, load } from "g2p-embedded";
import * as core from "g2p-embedded/core";
import { load as loadInWorker } from "g2p-embedded/worker";

const weights = new URL("weights.tar", import.meta.resolve("g2p-embedded"));
const server = createServer(({ url }, response) => {
  if (url === "/weights") return response.end(readFileSync(weights));
  if (url === "/other") return response.end(Buffer.concat([readFileSync(weights), Buffer.alloc(512)]));
  if (url === "/page") return response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
  if (url === "/hangs") return response.writeHead(200).write("weights");
  return response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const at = (path) => `http://127.0.0.1:${server.address().port}${path}`;

const plain = (error) => (error instanceof G2PError ? [error.code, error.word] : String(error?.message ?? error));
async function failed(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return plain(error);
  }
}

const found = {};
// Before the good file comes, which Deno keeps as browsers do.
found.refused = {
  "no page": await failed(() => load({ weights: at("/nothing") })),
  "a page": await failed(() => load({ weights: at("/page") })),
  "another file": await failed(() => load({ weights: at("/other"), progress: () => {} })),
  "a signal that comes": await failed(() => loadInWorker({ weights: at("/hangs"), signal: AbortSignal.timeout(200) })),
  "progress that throws": await failed(() =>
    load({
      weights: at("/weights"),
      progress: () => {
        throw new Error("from progress");
      },
    }),
  ),
};
const told = [];
const direct = await load({ progress: (progress) => told.push(progress) });
found.direct = direct.pronounce(["knight"], "eng-us");
found.told = told;
const came = [];
const served = await load({ weights: at("/weights"), progress: (progress) => came.push(progress) });
found.served = served.pronounce(["knight"], "eng-us");
found.came = [came.length > 1, came.every(({ loaded }, index) => !index || loaded > came[index - 1].loaded), came.at(-1)];
const opened = await core.load(weights);
found.core = opened.pronounce(["knight"], "eng-us");

const model = await loadInWorker({ progress: () => found.toldInWorker ??= true });
found.languages = model.languages;
const words = ["tie", "knight", "", "2nd", "TV", "tie", "tie", "day"];
const langs = ["fin", ...Array(7).fill("eng-us")];
const same = (some, others) => JSON.stringify(some, keep) === JSON.stringify(others, keep);
const keep = (_, value) => (value instanceof G2PError ? [value.code, value.word, value.message] : value);
found.best = same(await model.best(words, langs, { count: 2 }), direct.best(words, langs, { count: 2 }));
found.results = same(await model.results(words, langs, { scores: true }), direct.results(words, langs, { scores: true }));
const some = words.filter((word) => /^[a-z]/.test(word));
found.pronounced = same(await model.pronounce(some, "eng-us"), direct.pronounce(some, "eng-us"));
const text = "Hello, 2 knights\u2026 \u0437";
found.text = same(await model.text(text, "eng-us", { scores: true }), direct.text(text, "eng-us", { scores: true }));
const streamed = [];
const many = Array.from({ length: 40 }, (_, index) => (index === 37 ? "" : "tie"));
for await (const result of model.stream(many.values(), "fin")) streamed.push(result);
found.streamed = same(streamed, direct.results(many, "fin"));
async function* waited() {
  yield "tie";
  throw new Error("no more");
}
found.waited = [];
found.waitedEnd = await failed(async () => {
  for await (const { phonemes } of model.stream(waited(), "fin")) found.waited.push(phonemes);
});
await model.addWords({ Nguyen: ["x", "y"] }, "eng-us");
await model.addLexicon(new Blob(["Grzegorz\tz\n"]), "eng-us");
await model.cacheWords(10);
found.code = await model.language("en-US");
found.own = [await model.lookUp("Nguyen", "eng-us"), await model.pronounce(["Grzegorz"], "eng-us")];

const started = performance.now();
const count = 20_000; // which takes a minute
async function stopped(call) {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 50);
  return failed(() => call({ signal: stop.signal }));
}
found.stopped = [
  await stopped((options) => model.pronounce(Array(count).fill("knight"), "eng-us", options)),
  await stopped((options) => model.text("knight ".repeat(count), "eng-us", options)),
];
found.next = await model.pronounce(["day"], "eng-us"); // waits until the worker has stopped
found.soon = performance.now() - started < 5000;

found.mistakes = {
  "no file": await failed(() => loadInWorker({ weights: "nowhere.tar" })),
  "a signal that was given": await failed(() => load({ signal: AbortSignal.abort("stopped") })),
  "a misspelt option": await failed(() => loadInWorker({ weight: "x" })),
  "a word that is wrong": await failed(() => model.pronounce([...Array(9).fill("tie"), "", "tie"], "eng-us")),
  "a number of languages": await failed(() => model.pronounce(["tie", "tie"], ["fin"])),
  "no list": await failed(() => model.pronounce("tie", "fin")),
  "a function": await failed(() => model.results(["tie", () => {}], "fin")),
  "a language": await failed(() => model.lookUp("tie", "xx")),
};
const pending = model.pronounce(Array(1000).fill("tie"), "fin");
model.close();
found.closed = [await failed(() => pending), await failed(() => model.lookUp("tie", "fin"))];
server.close();
server.closeAllConnections();
console.log(JSON.stringify(found));
