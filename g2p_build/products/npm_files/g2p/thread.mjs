// The worker's side of worker.mjs: holds the model, and answers one message after the other.

import { partsOf, withResults, wordsOf } from "./g2p.mjs";
import { hear } from "./hearing.mjs";
import { load } from "./index.mjs";
import { G2PError, rest } from "./loading.mjs";

const BUSY = 8; // milliseconds that a list computes before the worker looks whether it is to stop
let model;

async function loaded({ progress, ...options }, { signal, told }) {
  model = await load({ ...options, progress: progress ? told : undefined, signal });
  return model.info;
}

// What a blocking call would return, with the worker's ears open between groups of words.
async function inGroups(name, [words, lang, options], signal) {
  const most = model.info.batch;
  const several = Array.isArray(lang);
  if (words.length <= most || (several && lang.length !== words.length)) return model[name](words, lang, options);
  const found = [];
  let rested = performance.now();
  for (let start = 0; start < words.length; start += most) {
    const end = start + most;
    try {
      const group = model[name](words.slice(start, end), several ? lang.slice(start, end) : lang, options);
      for (const result of group.flat()) if (result.error) result.error.word += start;
      found.push(...group);
    } catch (error) {
      if (error instanceof G2PError && error.word !== null) error.word += start;
      throw error;
    }
    if (performance.now() - rested < BUSY) continue;
    await rest();
    signal.throwIfAborted();
    rested = performance.now();
  }
  return found;
}

async function inText([text, lang, options], signal) {
  const parts = partsOf(model, text);
  return withResults(parts, await inGroups("results", [wordsOf(parts), lang, options], signal));
}

async function answer(name, args, request) {
  if (name === "load") return loaded(args[0], request);
  if (["pronounce", "results", "best"].includes(name)) return inGroups(name, args, request.signal);
  if (name === "text") return inText(args, request.signal);
  return name === "addLexicon" ? model.addLexicon(...args, { signal: request.signal }) : model[name](...args);
}

hear(answer);
