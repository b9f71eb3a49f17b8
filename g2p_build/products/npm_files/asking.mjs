// The page's side of a worker: asks thread.mjs for calls. hearing.mjs is the other side.

import { G2PError, invalid, isA, read, until } from "./loading.mjs";

// What is asked of the worker, and what it has not yet answered.
export class Thread {
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

function revived({ code, message, word, place }) {
  return new G2PError(code, message, word, place);
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
export async function portable(source, signal) {
  const given = await until(signal, source);
  if (typeof given === "string" || isA(given, "URL")) {
    return globalThis.location ? new URL(given, location.href).href : String(given);
  }
  return typeof given?.arrayBuffer === "function" ? (await read(given, signal)).bytes : given;
}
