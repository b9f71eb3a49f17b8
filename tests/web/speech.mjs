// Speaks with the built ES module: node speech.mjs FOLDER [MODULE] < [REQUEST, ...]
//
// FOLDER holds what the three archives of a speech variant hold. A request is {"say": PHONEMES, "options": {...}}, or {"call": name,
// "args": [...]}, a method of the model; "load" opens another in its place, and "bytes" in its arguments are files' first bytes. Prints
// what each returns: of sound its samples in base64 and all timings; or {code, place, message}. A seed that ends in "n" is a BigInt.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, given] = process.argv.slice(2);
const module = given && readFileSync(given);
const { loadSpeech, G2PError } = await import(pathToFileURL(join(folder, "tts.mjs")));
const opened = () => loadSpeech(join(folder, "weights.safetensors"), join(folder, "voices.safetensors"), { module });
let speech = await opened();

async function said(phonemes, { seed, ...others }) {
  const options = seed === undefined ? others : { ...others, seed: /n$/.test(seed) ? BigInt(seed.slice(0, -1)) : seed };
  const pieces = [];
  for await (const { first, samples, timings } of speech.speak(phonemes, options)) {
    pieces.push({ first, samples: Buffer.from(samples.buffer).toString("base64"), timings });
  }
  return pieces;
}

function source(given) {
  if (given?.bytes === undefined) return given;
  return readFileSync(join(folder, given.of)).subarray(0, given.bytes);
}

async function answer({ say, options = {}, call, args = [] }) {
  try {
    if (say !== undefined) return await said(say, options);
    if (call === "facts") return { voices: speech.voices, limits: speech.limits, dtype: speech.info.dtype };
    if (call === "open") return (speech = await opened()) && null;
    if (call !== "load") return (await speech[call](...args.map(source))) ?? null;
    speech = await loadSpeech(...args.map(source));
    return null;
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    return { code: error.code, place: error.place, message: error.message };
  }
}

const answers = [];
for (const request of JSON.parse(readFileSync(0, "utf8"))) answers.push(await answer(request));
console.log(JSON.stringify(answers));
