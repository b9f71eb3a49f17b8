// The same model in a worker: no call blocks the page, and a signal stops each of them.
//
//   import { load } from "g2p-embedded/worker";
//   const g2p = await load();
//   await g2p.pronounce(["knight"], "eng-us", { signal });  // ["ˈnaɪt"]
//
// worker.d.mts documents it. thread.mjs is the worker's side.

import { Thread, portable } from "./asking.mjs";
import { G2PError, grouped, iterable, listed } from "./g2p.mjs";
import { checkedOptions } from "./index.mjs";
import { known } from "./loading.mjs";

export { G2PError };

const TAKEN = 16; // words of a list that a stream asks for at once

export async function load(options = {}) {
  const { progress, signal, module, weights, ...others } = checkedOptions(options);
  signal?.throwIfAborted();
  const sources = { module: await portable(module, signal), weights: await portable(weights, signal) };
  const thread = new Thread();
  try {
    const info = await thread.call("load", [{ ...sources, ...others, progress: Boolean(progress) }], signal, progress);
    return new Model(thread, info);
  } catch (error) {
    thread.end("the model could not be loaded");
    throw error;
  }
}

class Model {
  #thread;

  constructor(thread, info) {
    this.#thread = thread;
    this.info = info;
    this.languages = info.model.languages;
  }

  async pronounce(words, lang, options = {}) {
    const { signal } = known(options, "pronounce", ["signal"]);
    return this.#thread.call("pronounce", [listed(words), languages(lang)], signal);
  }

  async results(words, lang, options = {}) {
    const { signal, ...others } = known(options, "results", ["scores", "signal"]);
    return this.#thread.call("results", [listed(words), languages(lang), others], signal);
  }

  async best(words, lang, options = {}) {
    const { signal, ...others } = known(options, "best", ["count", "beams", "earlyStopping", "signal"]);
    return this.#thread.call("best", [listed(words), languages(lang), others], signal);
  }

  stream(words, lang, options = {}) {
    const { signal, ...others } = known(options, "stream", ["scores", "signal"]);
    if (typeof words?.[Symbol.asyncIterator] !== "function") iterable(words);
    return this.#stream(words, lang, others, signal);
  }

  async text(text, lang, options = {}) {
    const { signal, ...others } = known(options, "text", ["scores", "signal"]);
    return this.#thread.call("text", [text, lang, others], signal);
  }

  async addLexicon(lexicon, lang, options = {}) {
    const { signal } = known(options, "addLexicon", ["signal"]);
    await this.#thread.call("addLexicon", [await portable(lexicon, signal), lang], signal);
  }

  async addWords(words, lang) {
    const pairs = typeof words?.[Symbol.iterator] === "function" && typeof words !== "string";
    await this.#thread.call("addWords", [pairs ? Array.from(words) : words, lang]);
  }

  async lookUp(word, lang) {
    return this.#thread.call("lookUp", [word, lang]);
  }

  async language(lang) {
    return this.#thread.call("language", [lang]);
  }

  async cacheWords(words) {
    await this.#thread.call("cacheWords", [words]);
  }

  close() {
    this.#thread.end("the model is closed: load it again");
  }

  async *#stream(words, lang, options, signal) {
    let taken = 0;
    for await (const group of grouped(words, TAKEN, signal)) {
      for (const result of await this.#thread.call("results", [group, lang, options], signal)) {
        signal?.throwIfAborted();
        if (result.error) result.error.word += taken;
        yield result;
      }
      taken += group.length;
    }
  }
}

function languages(lang) {
  return Object(lang) === lang && typeof lang[Symbol.iterator] === "function" ? Array.from(lang) : lang;
}
