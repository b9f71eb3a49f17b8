// Opens one model from everything that `load` takes, and from what it refuses: node sources.mjs FOLDER ARCHIVE
//
// Prints, by a name for each source, the phonemes of one word or the code of the error.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { runInNewContext } from "node:vm";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, archive] = process.argv.slice(2);
const { load, G2PError } = await import(pathToFileURL(join(folder, "g2p.mjs")));
const path = join(folder, "weights.safetensors");
const bytes = readFileSync(path);
const moved = new Uint8Array(bytes.length + 7).subarray(7);
moved.set(bytes);
const code = await WebAssembly.compile(readFileSync(join(folder, "g2p.wasm")));

const server = createServer((request, response) => {
  response.statusCode = request.url === "/weights" ? 200 : 404;
  response.end(request.url === "/weights" ? bytes : "");
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const host = `http://127.0.0.1:${server.address().port}`;
const elsewhere = new Uint8Array(runInNewContext(`new ArrayBuffer(${bytes.length})`));
elsewhere.set(bytes);

const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
shared.set(bytes);
const binary = readFileSync(join(folder, "g2p.wasm"));
const sharedModule = new Uint8Array(new SharedArrayBuffer(binary.length));
sharedModule.set(binary);
const gone = new Uint8Array(bytes);
structuredClone(gone.buffer, { transfer: [gone.buffer] });

const sources = {
  path: [path],
  "file URL": [pathToFileURL(path)],
  URL: [`${host}/weights`],
  response: [await fetch(`${host}/weights`)],
  buffer: [new Uint8Array(bytes).buffer],
  "another realm's buffer": [elsewhere.buffer],
  "a file URL as text": [String(pathToFileURL(path))],
  blob: [new Blob([bytes])],
  "another realm's URL": [runInNewContext("new URL(place)", { URL, place: pathToFileURL(path) })],
  "a blob's URL": [URL.createObjectURL(new Blob([bytes]))],
  "shared memory": [shared],
  "a module in shared memory": [path, { module: sharedModule }],
  "a promise": [fetch(`${host}/weights`)],
  "without its lexicon": [archive, { lexicon: false }],
  "a view at an odd place": [moved],
  archive: [archive],
  "a compiled module": [path, { module: code }],
  "a module's bytes": [path, { module: readFileSync(join(folder, "g2p.wasm")) }],
  "a promised module": [path, { module: Promise.resolve(code) }],
  "no file": [join(folder, "none")],
  "no page": [`${host}/none`],
  "nothing in it": [new Uint8Array()],
  "cut off": [bytes.subarray(0, bytes.length - 1)],
  "another file": [join(folder, "g2p.h")],
  "a module that is none": [path, { module: bytes.subarray(0, 100) }],
  "a number": [3],
  "an object without a name": [Object.create(null)],
  "a buffer that was transferred": [gone],
  "no file URL": ["file://%zz/weights"],
  "no URL": ["http://"],
  "a word for a boolean": [path, { lexicon: "off" }],
  "a controller for its signal": [path, { signal: new AbortController() }],
  "a misspelt option": [path, { modul: code }],
  "no options": [path, null],
};

const found = {};
for (const [name, given] of Object.entries(sources)) {
  try {
    const model = await load(...given);
    found[name] = model.pronounce(["knight"], "eng-us")[0];
    model.close();
    model.close();
    try {
      model.pronounce(["knight"], "eng-us");
    } catch (error) {
      if (error.code !== "G2P_INVALID_ARGUMENT") throw error;
    }
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    found[name] = error.code;
  }
}
server.close();
console.log(JSON.stringify(found));
