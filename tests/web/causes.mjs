// Gives `load` and `addLexicon` each kind of wrong file: node causes.mjs FOLDER ARCHIVE TABLE MANIFEST
//
// Prints, by a name for each cause, the code and the message of the error.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const [folder, ...files] = process.argv.slice(2);
const { load, G2PError } = await import(pathToFileURL(join(folder, "g2p.mjs")));
const [weights, code] = ["weights.safetensors", "g2p.wasm"].map((name) => readFileSync(join(folder, name)));
const [archive, table, manifest] = files.map((file) => readFileSync(file));
const page = Buffer.from("<!doctype html>\n<html lang=en><title>An app</title></html>");

const answers = {
  "/page": [200, "text/html", page],
  "/words": [200, "text/html; charset=utf-8", "Not found"],
  "/unnamed": [200, "", page],
  "/missing": [404, "text/plain", "Not found"],
  "/failed": [503, "text/plain", ""],
  "/cut": [200, "application/wasm", code],
  "/typed": [200, "text/html", code], // a server that knows no better type
};
const server = createServer(({ url }, response) => {
  const [status, type, body] = answers[url];
  response.writeHead(status, { "Content-Type": type, "Content-Length": body.length });
  if (url !== "/cut") return response.end(body);
  response.write(body.subarray(0, 1000));
  return setTimeout(() => response.destroy(), 20);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const at = (path) => `http://127.0.0.1:${server.address().port}${path}`;

const empty = code.subarray(0, 8);
const imports = Uint8Array.of(...empty, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 97, 1, 98, 0, 0);
const damaged = Uint8Array.from(code);
damaged.fill(255, 2000, 2200);

const causes = {
  "a page for the module": [weights, { module: at("/page") }],
  "a page of no type for the module": [weights, { module: at("/unnamed") }],
  "words of a page for the module": [weights, { module: fetch(at("/words")) }],
  "the bytes of a page for the module": [weights, { module: page }],
  "no such module": [weights, { module: at("/missing") }],
  "a server that fails": [weights, { module: at("/failed") }],
  "a connection that ends": [weights, { module: at("/cut") }],
  "nobody answers": [weights, { module: "http://127.0.0.1:1/g2p.wasm" }],
  "a module that is cut off": [weights, { module: code.subarray(0, 50_000) }],
  "a module that is damaged": [weights, { module: damaged }],
  "an empty module": [weights, { module: new Uint8Array() }],
  "text for the module": [weights, { module: Buffer.from("Not found") }],
  "weights for the module": [weights, { module: weights }],
  "an archive for the module": [weights, { module: archive }],
  "a table for the module": [weights, { module: table }],
  "another program's module": [weights, { module: empty }],
  "another program's module that was compiled": [weights, { module: await WebAssembly.compile(empty) }],
  "a module that imports": [weights, { module: imports }],
  "a compressed module": [weights, { module: gzipSync(code) }],
  "a page for the weights": [at("/page")],
  "words of a page for the weights": [at("/words")],
  "a module for the weights": [code],
  "a table for the weights": [table],
  "a manifest for the weights": [manifest],
  "compressed weights": [gzipSync(weights)],
  "a pointer for the weights": [Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")],
  "weights that are cut off": [weights.subarray(0, 1_000_000)],
  "an archive that is cut off": [archive.subarray(0, 1_000_000)],
  "a page for the lexicon": ["lexicon", at("/page"), "eng-us"],
  "words of a page for the lexicon": ["lexicon", at("/words"), "eng-us"],
  "weights for the lexicon": ["lexicon", weights],
  "an archive for the lexicon": ["lexicon", archive],
  "a module for the lexicon": ["lexicon", code],
  "a manifest for the lexicon": ["lexicon", manifest, "eng-us"],
  "a table that is cut off": ["lexicon", table.subarray(0, table.length - 5)],
};

const model = await load(weights, { module: at("/typed") });
const found = {};
for (const [name, [first, ...rest]] of Object.entries(causes)) {
  try {
    await (first === "lexicon" ? model.addLexicon(...rest) : load(first, ...rest));
    found[name] = ["", "nothing is wrong"];
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    found[name] = [error.code, error.message.replaceAll(at(""), "")];
  }
}
server.close();
console.log(JSON.stringify(found));
