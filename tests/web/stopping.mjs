// Streams words, and stops calls with signals: node stopping.mjs FOLDER
//
// Prints JSON: by a name for each try, what came of it. An error is its code, or the reason itself where that was thrown.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { load, G2PError } = await import(pathToFileURL(join(folder, "g2p.mjs")));
const weights = readFileSync(join(folder, "weights.safetensors"));
const model = await load(weights);
const forever = () => new Promise(() => {});
const turn = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// What a stream gives, up to `most` results: each result's phonemes or error, then the error that ended it.
async function all(stream, most = Infinity) {
  const found = [];
  try {
    for await (const { phonemes, error } of stream) {
      found.push(phonemes || [error.code, error.word]);
      if (found.length === most) break;
    }
  } catch (error) {
    found.push(error instanceof G2PError ? [error.code, error.word] : String(error));
  }
  return found;
}

// How a promise or a call ends: the code of its error, or the reason that was thrown.
async function end(call) {
  try {
    await call();
    return "done";
  } catch (error) {
    return error instanceof G2PError ? error.code : String(error);
  }
}

// Words one after the other, and what became of their source: how many it gave, and whether it was closed.
function counted(words, state) {
  return (function* () {
    try {
      for (const word of words) {
        state.given += 1;
        yield word;
      }
    } finally {
      state.closed = true;
    }
  })();
}

async function* waited(words, state) {
  try {
    for (const word of words) {
      await turn(1);
      if (word instanceof Error) throw word;
      if (word === null) await forever();
      state.given += 1;
      yield word;
    }
  } finally {
    state.closed = true;
  }
}

const english = (words, options) => model.stream(words, "eng-us", options);
const fresh = () => ({ given: 0, closed: false });
const found = {};

found.list = await all(english(["knight", "", "TV", "two words", "day"]));
found.nothing = await all(english([]));
found.waited = await all(english(waited(["knight", "", "day"], fresh())));
found.readable = await all(english(ReadableStream.from(["knight", "day"])));
found.scores = [];
for await (const { score } of english(["knight"], { scores: true })) found.scores.push(score < 0);

// What came before a word that is none, or before the source's own error, is kept.
found["no string"] = await all(english(["knight", 3, "day"]));
found["the source's error"] = await all(english(waited(["knight", new Error("no more")], fresh())));

// The consumer leaves: the source is closed, and of an endless one no more is taken than was asked for.
for (const [name, source] of [["endless", counted], ["endless, waited", waited]]) {
  const state = fresh();
  const words = { *[Symbol.iterator]() { for (;;) yield "knight"; } }; // prettier-ignore
  found[name] = [await all(english(source(words, state)), 3), state];
}

// A reason that is any value.
const reasons = [new Error("enough"), "enough", 7];
found.reasons = [];
for (const reason of reasons) {
  const state = fresh();
  const controller = new AbortController();
  const stream = english(waited(["knight", null], state), { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 50);
  found.reasons.push(await all(stream)); // its source hangs, and is not waited for
}

// A timer goes off while a long list is pronounced, without anything that is waited for: as Node rests, and as a page.
found.timer = [];
for (const immediate of [setImmediate, undefined]) {
  globalThis.setImmediate = immediate;
  let count = 0;
  const timed = await end(async () => {
    for await (const _ of english(Array(100_000).fill("knight"), { signal: AbortSignal.timeout(100) })) count += 1;
  });
  found.timer.push([timed.split(":")[0], count > 0 && count < 100_000]);
}

// What an aborted signal stops at once, and that nothing of it was done.
const signal = AbortSignal.abort("stopped");
found.aborted = [
  await end(() => load(weights, { signal })),
  await end(() => model.pronounce(["knight"], "eng-us", { signal })),
  await end(() => model.results(["knight"], "eng-us", { signal })),
  await end(() => model.addLexicon(Buffer.from("knight\tx"), "eng-us", { signal })),
  ...(await all(english(["knight"], { signal }))),
  model.pronounce(["knight"], "eng-us")[0],
];

// What hangs is left, whatever it hangs in: a server before and within its answer, a promise, a body.
const server = createServer((request, response) => {
  if (request.url === "/begun") response.writeHead(200, { "Content-Length": weights.length }).write(weights.subarray(0, 99));
});
await once(server.listen(0, "127.0.0.1"), "listening");
const at = (path) => `http://127.0.0.1:${server.address().port}${path}`;
const hanging = {
  "before the answer": (signal) => load(at("/never"), { signal }),
  "within the answer": (signal) => load(at("/begun"), { signal }),
  "a promise": (signal) => load(forever(), { signal }),
  "a promised module": (signal) => load(weights, { module: forever(), signal }),
  "a body": (signal) => load(fetch(at("/begun")), { signal }),
  "a lexicon": (signal) => model.addLexicon(at("/begun"), "eng-us", { signal }),
};
found.hanging = {};
for (const [name, call] of Object.entries(hanging)) {
  const controller = new AbortController();
  setTimeout(() => controller.abort("left"), 30);
  found.hanging[name] = await end(() => call(controller.signal));
}
server.closeAllConnections();
server.close();

// Signals that never abort change nothing, and no listener stays with them.
const kept = new AbortController().signal;
let listeners = 0;
for (const [name, change] of [["addEventListener", 1], ["removeEventListener", -1]]) {
  const method = kept[name].bind(kept);
  kept[name] = (...given) => (listeners += change, method(...given)); // prettier-ignore
}
const other = await load(new Blob([weights]), { signal: kept, module: readFileSync(join(folder, "g2p.wasm")) });
found.kept = [await all(other.stream(waited(["knight", "day"], fresh()), "eng-us", { signal: kept })), listeners];

// A model that is closed in the middle; mistakes are thrown by the call itself, not by the first result.
const closing = other.stream(["knight", "day", "day"], "eng-us");
await closing.next();
other.close();
found.closed = await all(closing);
found.mistakes = [];
for (const given of [["knight", "eng-us"], [3, "eng-us"], [["knight"], null], [["knight"], "eng-us", { score: true }]]) {
  try {
    model.stream(...given);
  } catch ({ code, message }) {
    found.mistakes.push([code, message]);
  }
}
try {
  other.stream(["knight"], "eng-us");
} catch ({ code }) {
  found.mistakes.push(code);
}

console.log(JSON.stringify(found));
process.exit(); // what hangs here would go on
