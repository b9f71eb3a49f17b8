// The worker's side of worker.mjs: holds the model and what it is speaking, and answers one message after the other.

import { hear } from "./hearing.mjs";
import { loadSpeech } from "./index.mjs";

const spoken = new Map(); // by the number of an utterance, its pieces and what stops it
let model;

const calls = {
  async load([{ progress, ...options }], { signal, told }) {
    model = await loadSpeech({ ...options, progress: progress ? told : undefined, signal });
    const { info, limits, voices } = model;
    return { info, limits, voices };
  },
  async begin([id, phonemes, options]) {
    const stop = new AbortController();
    spoken.set(id, { pieces: model.speak(phonemes, { ...options, signal: stop.signal }), stop });
    return calls.next([id]);
  },
  async next([id]) {
    return (await spoken.get(id)?.pieces.next())?.value;
  },
  async end([id]) {
    const { pieces, stop } = spoken.get(id) ?? {};
    spoken.delete(id);
    stop?.abort(); // a piece that is being made
    await pieces?.return();
  },
  async addVoices([voices], { signal }) {
    await model.addVoices(voices, { signal });
    return model.voices;
  },
  async trim() {
    model.trim();
  },
};

hear((name, args, request) => calls[name](args, request));
