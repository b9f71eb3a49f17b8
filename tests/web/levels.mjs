// What both modules say: node levels.mjs FOLDER ARCHIVE < [[WORD, LANG], ...]
//
// FOLDER holds the modules, ARCHIVE is the one with the weights. Prints JSON. `taken` are the features of the module that load
// takes by itself. `said` has, for each module that this engine may run, what it says of each word, with its score: alone, in a
// list, and alone without guesses.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, archive] = process.argv.slice(2);
const words = JSON.parse(readFileSync(0, "utf8"));
const { load } = await import(pathToFileURL(join(folder, "g2p.mjs")));
const { info } = await load(archive);
const taken = info.target.features;

const asked = { scores: true };
const short = ({ phonemes, score }) => [phonemes, score];
const said = {};
for (const name of taken.includes("relaxed_simd") ? ["g2p.wasm", "g2p-relaxed.wasm"] : ["g2p.wasm"]) {
  const module = readFileSync(join(folder, name));
  const [guessing, model] = [await load(archive, { module }), await load(archive, { module, draft: false })];
  const alone = (of) => words.map(([word, lang]) => short(of.results([word], lang, asked)[0]));
  const langs = words.map(([, lang]) => lang);
  const together = guessing.results(words.map(([word]) => word), langs, asked).map(short);
  said[name] = { alone: alone(guessing), together, unguessed: alone(model) };
}
console.log(JSON.stringify({ taken, said }));
