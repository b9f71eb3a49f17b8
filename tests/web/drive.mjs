// Answers requests with the built ES module: node drive.mjs FOLDER < [{"words": [...], "lang": ...}, ...]
//
// FOLDER holds what the two archives hold. Prints, for each request, a list of phonemes or {code, word, message}.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { load, G2PError } = await import(pathToFileURL(join(folder, "g2p.mjs")));
const model = await load(join(folder, "weights.safetensors"));

function answer({ words, lang }) {
  try {
    return model.pronounce(words, lang);
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    return { code: error.code, word: error.word, message: error.message };
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(answer)));
