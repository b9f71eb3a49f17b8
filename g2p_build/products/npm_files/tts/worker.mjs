// The same speech model in a worker: speaking does not block the page.
//
//   import { loadSpeech } from "tts-kokoro-82m/worker";
//   const speech = await loadSpeech();
//   for await (const { samples } of speech.speak("həlˈO wˈɜɹld.", { voice: "af_heart", signal })) play(samples);
//
// worker.d.mts documents it. thread.mjs is the worker's side.

import { Thread, portable } from "./asking.mjs";
import { checkedOptions } from "./index.mjs";
import { known } from "./loading.mjs";
import { G2PError, SPOKEN, inSymbols, joined } from "./tts.mjs";

export { G2PError };

export async function loadSpeech(options = {}) {
  const { progress, signal, module, weights, voices, ...others } = checkedOptions(options);
  signal?.throwIfAborted();
  const sources = {
    module: await portable(module, signal),
    weights: await portable(weights, signal),
    voices: await portable(voices, signal),
  };
  const thread = new Thread();
  try {
    const facts = await thread.call("load", [{ ...sources, ...others, progress: Boolean(progress) }], signal, progress);
    return new Speech(thread, facts);
  } catch (error) {
    thread.end("the model could not be loaded");
    throw error;
  }
}

class Speech {
  #thread;
  #spoken = 0;

  constructor(thread, { info, limits, voices }) {
    this.#thread = thread;
    this.info = info;
    this.limits = limits;
    this.voices = voices;
  }

  speak(phonemes, options = {}) {
    const { signal, ...others } = known(options, "speak", SPOKEN);
    return this.#pieces(phonemes, others, signal);
  }

  async say(phonemes, options = {}) {
    return joined(this.speak(phonemes, options));
  }

  read(parts, lang) {
    return inSymbols(this.info.model.languages, parts, lang);
  }

  async addVoices(voices, options = {}) {
    const { signal } = known(options, "addVoices", ["signal"]);
    this.voices = await this.#thread.call("addVoices", [await portable(voices, signal)], signal);
  }

  async trim() {
    await this.#thread.call("trim", []);
  }

  close() {
    this.#thread.end("the model is closed: load it again");
  }

  // The worker makes the next piece while this one is used, and no more.
  async *#pieces(phonemes, options, signal) {
    const id = ++this.#spoken;
    let next = this.#thread.call("begin", [id, phonemes, options], signal);
    try {
      for (let piece = await next; piece; piece = await next) {
        next = this.#thread.call("next", [id], signal);
        next.catch(() => {}); // it is thrown when its turn comes
        yield piece;
      }
    } finally {
      this.#thread.call("end", [id]).catch(() => {}); // whoever closed the model has ended it
    }
  }
}
