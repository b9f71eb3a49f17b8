// The same model in a worker: no call blocks the page, and a signal stops each of them.
//
//   import { load } from "g2p-embedded/worker";
//   const g2p = await load();
//   await g2p.pronounce(["knight"], "eng-us", { signal });  // ["ˈnaɪt"]
//
// worker.d.mts documents it. thread.mjs is the worker's side.

import { G2PError, grouped, invalid, isA, iterable, known, listed, read, shown, until } from "./g2p.mjs";
import { checkedOptions } from "./index.mjs";

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

// What is asked of the worker, and what it has not yet answered.
class Thread {
  #worker;
  #waiting = new Map();
  #asked = 0;
  #ended = null;

  constructor() {
    this.#worker = started(
      (message) => this.#heard(message),
      (why) => this.end(`the worker cannot go on: ${why}`, "G2P_NO_FILE"),
    );
  }

  // Asks for one call. A signal lets the caller go at once, and the worker as soon as it looks.
  async call(name, args, signal, progress) {
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended;
    const id = ++this.#asked;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, progress }));
    answer.catch(() => {}); // where the signal came first
    try {
      this.#send({ id, name, args });
      return await until(signal, answer);
    } catch (error) {
      if (this.#waiting.has(id)) this.#worker.postMessage({ stop: id });
      throw error;
    } finally {
      this.#done(id);
    }
  }

  end(why, code = "G2P_INVALID_ARGUMENT") {
    this.#ended ??= new G2PError(code, why);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
    this.#worker.terminate();
  }

  #send(message) {
    this.#worker.ref?.(); // Node does not end while something is waited for
    try {
      this.#worker.postMessage(message);
    } catch (error) {
      this.#waiting.delete(message.id);
      throw invalid(`${message.name}: a worker can be given no such value: ${error.message}`);
    }
  }

  #heard({ id, progress, value, error, thrown }) {
    const asked = this.#waiting.get(id);
    if (!asked) return; // its caller is gone
    if (progress) {
      try {
        return asked.progress(progress);
      } catch (wrong) {
        return asked.reject(wrong);
      }
    }
    this.#done(id);
    if (error) return asked.reject(revived(error));
    if (thrown !== undefined) return asked.reject(new Error(thrown));
    return asked.resolve(Array.isArray(value) ? withError(value) : value);
  }

  #done(id) {
    this.#waiting.delete(id);
    if (!this.#waiting.size) this.#worker.unref?.();
  }
}

function revived({ code, message, word }) {
  return new G2PError(code, message, word);
}

// A result, a list of them, or a part of a text with one, whose error is of the class again.
function withError(value) {
  if (Array.isArray(value)) return value.map(withError);
  if (value?.result) return { ...value, result: withError(value.result) };
  return value?.error ? { ...value, error: revived(value.error) } : value;
}

function started(heard, failed) {
  if (typeof Worker === "function") {
    // Bundlers recognize this form.
    const worker = new Worker(new URL("./thread.mjs", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => heard(data);
    worker.onerror = (event) => {
      event.preventDefault();
      failed(event.message || "its script cannot be loaded");
    };
    return worker;
  }
  const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (!threads) throw invalid("there are no workers here: take load of the package itself");
  const here = import.meta.url; // named apart, so that bundlers for browsers do not copy the file twice
  const worker = new threads.Worker(new URL("./thread.mjs", here));
  worker.on("message", heard);
  worker.on("error", ({ message }) => failed(message));
  worker.unref();
  return worker;
}

// A source as a worker can be given it. It has another address than the page: places become absolute.
async function portable(source, signal) {
  const given = await until(signal, source);
  if (typeof given === "string" || isA(given, "URL")) {
    return globalThis.location ? new URL(given, location.href).href : String(given);
  }
  return typeof given?.arrayBuffer === "function" ? (await read(given, signal)).bytes : given;
}

function languages(lang) {
  return Object(lang) === lang && typeof lang[Symbol.iterator] === "function" ? Array.from(lang) : lang;
}
