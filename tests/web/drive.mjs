// Answers requests with the built ES module, one after the other: node drive.mjs FOLDER < [{"words": [...], "lang": ...}, ...]
//
// FOLDER holds what the two archives hold. A request is pronounced, or {"call": name, "args": [...]} is that method of the
// model; "load" opens another in its place. Prints what each returns, null for nothing, or {code, word, message}.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { load, G2PError } = await import(pathToFileURL(join(folder, "g2p.mjs")));
let model = await load(join(folder, "weights.safetensors"));

async function answer({ words, lang, call = "pronounce", args = [words, lang] }) {
  try {
    if (call !== "load") return (await model[call](...args)) ?? null;
    model = await load(...args);
    return null;
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    return error;
  }
}

const answers = [];
for (const request of JSON.parse(readFileSync(0, "utf8"))) answers.push(await answer(request));
const plain = (_, value) =>
  value instanceof G2PError ? { code: value.code, word: value.word, message: value.message } : value;
console.log(JSON.stringify(answers, plain));
