// Phonemes to sound in a web page, a worker or Node.
//
//   import { loadSpeech } from "./tts.mjs";
//   const speech = await loadSpeech("weights.safetensors", "voices.safetensors");
//   for await (const { samples } of speech.speak("həlˈO wˈɜɹld.", { voice: "af_heart" })) play(samples);
//
// tts.d.mts documents each function. The constants below are offsets in the structures of tts.h; a pointer has 4 bytes
// here.

import { G2PError, Memory, checked, compiled, instantiated, invalid, known, read, rest, shown } from "./loading.mjs";
import { relaxed, whole } from "./loading.mjs";

export { G2PError };

const ERROR = { word: 4, message: 8, size: 248 };
const OPTIONS = { size: 16 };
const REQUEST = { size: 56, phonemes: 4, voice: 12, mixture: 16, speed: 24, seed: 32, flags: 44 };
const SHARE = { weight: 4, size: 8 };
const PIECE = { first: 8, samples: 16, timings: 24, size: 32 };
const TIMING = { first: 8, samples: 16, size: 24 };
const LIMITS = { size: 24 };
const SKIP_UNKNOWN = 1; // of a request's flags, as is the next
const EARLY = 2;
const MOST_MIXED = 8;
const MOST_WEIGHT = 1e6; // of a voice in a mixture
const MODULE = {
  name: "tts",
  version: 1, // of the interface
  functions: [
    ...["malloc", "free", "tts_open_memory", "tts_info", "tts_limits", "tts_add_voices_memory", "tts_voices"],
    ...["tts_trim", "tts_step_begin", "tts_step_next", "tts_step_end"],
  ],
};
const UNKNOWN_PHONEME = "G2P_UNKNOWN_PHONEME";
// Of g2p_status, in their order.
const STATUSES = [
  ...["G2P_OK", "G2P_CANCELLED", "G2P_NO_MEMORY", "G2P_INVALID_ARGUMENT", "G2P_EMPTY_WORD", "G2P_INVALID_WORD"],
  ...["G2P_WORD_TOO_LONG", "G2P_UNKNOWN_LANGUAGE", "G2P_TOO_SMALL", "G2P_NO_FILE", "G2P_INVALID_WEIGHTS"],
  ...["G2P_INVALID_MANIFEST", "G2P_NEWER_MANIFEST", "G2P_WRONG_DIGEST", "G2P_UNSUPPORTED_CPU", "G2P_UNSUPPORTED"],
  ...["G2P_FOREIGN_CHARACTER", "G2P_INVALID_LEXICON", "G2P_INVALID_DRAFT", UNKNOWN_PHONEME, "G2P_UNKNOWN_VOICE"],
  "G2P_INVALID_VOICES",
];
const SPOKEN = ["voice", "mix", "speed", "seed", "early", "skipUnknown", "signal"]; // options of speak
const BUSY = 8; // milliseconds that speaking computes before it lets the page go on
const encoder = new TextEncoder();

export async function loadSpeech(weights, voices, options = {}) {
  const { module, signal } = known(options, "loadSpeech", ["module", "signal"]);
  signal?.throwIfAborted();
  const [compiledModule, data, styles] = await Promise.all([
    compiled(module ?? besides(), signal),
    read(weights, signal).then((found) => checked(found, "weights")),
    read(voices, signal).then((found) => checked(found, "voices")),
  ]);
  return new Speech(await instantiated(compiledModule, MODULE, signal), data, styles);
}

class Speech {
  #library;
  #memory;
  #model;

  constructor(library, weights, voices) {
    this.#library = library;
    this.#memory = new Memory(library);
    this.#memory.keep(weights, (place) => this.#open(place, weights.length));
    this.info = JSON.parse(this.#memory.string(library.tts_info(this.#model)));
    this.limits = this.#limits();
    this.#add(voices);
  }

  get voices() {
    const library = this.#opened();
    return this.#memory.with(4 + ERROR.size, (needed) => {
      const error = needed + 4;
      library.tts_voices(this.#model, 0, 0, needed, 0);
      const size = this.#memory.view().getUint32(needed, true);
      return this.#memory.with(size, (names) => {
        this.#check(library.tts_voices(this.#model, names, size, needed, error), error);
        const found = [];
        for (let at = names; at < names + size - 1; at += encoder.encode(found.at(-1)).length + 1) {
          found.push(this.#memory.string(at));
        }
        return found;
      });
    });
  }

  async addVoices(voices, options = {}) {
    this.#opened();
    const { signal } = known(options, "addVoices", ["signal"]);
    signal?.throwIfAborted();
    this.#add(checked(await read(voices, signal), "voices"));
  }

  speak(phonemes, options = {}) {
    this.#opened();
    const asked = known(options, "speak", SPOKEN);
    const request = this.#checkedRequest(phonemes, asked);
    return this.#pieces(phonemes, request, asked.signal);
  }

  async say(phonemes, options = {}) {
    return joined(this.speak(phonemes, options));
  }

  read(parts, lang) {
    this.#opened();
    return inSymbols(this.info.model.languages, parts, lang);
  }

  trim() {
    this.#opened().tts_trim(this.#model);
  }

  close() {
    // The memory is freed with the instance.
    this.#library = this.#memory = this.#model = null;
  }

  #opened() {
    if (!this.#model) throw invalid("the model is closed: load it again");
    return this.#library;
  }

  #open(place, size) {
    this.#memory.with(4 + OPTIONS.size + ERROR.size, (model) => {
      const [options, error] = [model + 4, model + 4 + OPTIONS.size];
      const view = this.#memory.view();
      new Uint8Array(view.buffer).fill(0, options, error);
      view.setUint32(options, OPTIONS.size, true);
      this.#check(this.#library.tts_open_memory(place, size, options, model, error), error);
      this.#model = this.#memory.view().getUint32(model, true);
    });
  }

  #limits() {
    return this.#memory.with(LIMITS.size, (found) => {
      this.#library.tts_limits(found, this.#model);
      const view = this.#memory.view();
      const [symbols, sampleRate, frame] = [0, 4, 8].map((field) => view.getUint32(found + field, true));
      const [slowest, fastest] = [12, 16].map((field) => view.getFloat32(found + field, true));
      return { symbols, sampleRate, frame, slowest, fastest };
    });
  }

  #add(bytes) {
    const library = this.#opened();
    this.#memory.keep(bytes, (place) => {
      this.#memory.with(ERROR.size, (error) => {
        this.#check(library.tts_add_voices_memory(this.#model, place, bytes.length, error), error);
      });
    });
  }

  #checkedRequest(phonemes, { voice, mix, speed = 1, seed = 0, early, skipUnknown }) {
    const { slowest, fastest } = this.limits;
    if (!(typeof speed === "number" && speed >= slowest && speed <= fastest)) {
      throw invalid(`speed is ${shown(speed)}: give ${slowest} to ${fastest}`);
    }
    const whole64 = typeof seed === "bigint" ? seed : Number.isSafeInteger(seed) ? BigInt(seed) : -1n;
    if (whole64 < 0n || whole64 >= 2n ** 64n) throw invalid(`seed is ${shown(seed)}: give a whole number from 0 to 2n ** 64n - 1n`);
    return {
      text: encoder.encode(whole(phonemes, "G2P_INVALID_WORD")),
      shares: shared(voice, mix, this.voices),
      speed,
      seed: whole64,
      flags: (skipUnknown ? SKIP_UNKNOWN : 0) | (early ? EARLY : 0),
    };
  }

  async *#pieces(phonemes, { text, shares, speed, seed, flags }, signal) {
    signal?.throwIfAborted();
    const library = this.#opened();
    const memory = this.#memory; // as long as this runs, also when the model is closed meanwhile
    const places = characters(phonemes, text.length);
    const names = shares.map(([name]) => encoder.encode(`${name}\0`));
    const [mixture, strings] = [SHARE.size * shares.length, names.reduce((size, name) => size + name.length, text.length)];
    const request = memory.allocate(REQUEST.size + 8 + PIECE.size + ERROR.size + mixture + strings);
    const [begun, ended, piece] = [request + REQUEST.size, request + REQUEST.size + 4, request + REQUEST.size + 8];
    const error = piece + PIECE.size;
    let utterance = 0;
    try {
      const view = memory.view();
      new Uint8Array(view.buffer).fill(0, request, error);
      let [share, at] = [error + ERROR.size, error + ERROR.size + mixture];
      view.setUint32(request, REQUEST.size, true);
      view.setUint32(request + REQUEST.phonemes, at, true);
      view.setUint32(request + REQUEST.phonemes + 4, text.length, true);
      view.setUint32(request + REQUEST.mixture, share, true);
      view.setUint32(request + REQUEST.mixture + 4, shares.length, true);
      view.setFloat32(request + REQUEST.speed, speed, true);
      view.setBigUint64(request + REQUEST.seed, seed, true);
      view.setUint32(request + REQUEST.flags, flags, true);
      at = memory.put(text, at);
      shares.forEach(([, weight], index) => {
        view.setUint32(share, at, true);
        view.setFloat32(share + SHARE.weight, weight, true);
        [share, at] = [share + SHARE.size, memory.put(names[index], at)];
      });
      this.#check(library.tts_step_begin(this.#model, request, begun, error), error, phonemes, places);
      utterance = memory.view().getUint32(begun, true);
      for (let rested = performance.now(); ; ) {
        this.#opened();
        signal?.throwIfAborted();
        this.#check(library.tts_step_next(utterance, piece, ended, error), error);
        if (memory.view().getUint32(piece + PIECE.samples, true)) yield pieceAt(memory.view(), piece, phonemes, places);
        if (memory.view().getUint32(ended, true)) return;
        if (performance.now() - rested < BUSY) continue;
        await rest();
        rested = performance.now();
      }
    } finally {
      if (utterance) library.tts_step_end(utterance);
      library.free(request);
    }
  }

  #check(status, error, phonemes, places) {
    if (status === 0) return;
    const code = STATUSES[status] ?? `status ${status}`;
    if (code !== UNKNOWN_PHONEME) throw new G2PError(code, this.#memory.string(error + ERROR.message));
    const place = places[this.#memory.view().getUint32(error + ERROR.word, true)];
    const symbol = symbolAt(phonemes, place);
    const point = symbol.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const said = `the model has no symbol for ${shown(symbol)} (U+${point}), at index ${place} of the phonemes`;
    throw new G2PError(code, `${said}: give another, or skipUnknown`, null, place);
  }
}

// The samples of all pieces.
async function joined(pieces) {
  const found = [];
  for await (const { samples } of pieces) found.push(samples);
  const sound = new Float32Array(found.reduce((count, samples) => count + samples.length, 0));
  let at = 0;
  for (const samples of found) {
    sound.set(samples, at);
    at += samples.length;
  }
  return sound;
}

// For each byte of a text in UTF-8 with which a character begins, the index of that in the text.
function characters(text, size) {
  const found = new Uint32Array(size);
  let [byte, place] = [0, 0];
  for (const symbol of text) {
    found[byte] = place;
    const code = symbol.codePointAt(0);
    byte += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    place += symbol.length;
  }
  return found;
}

function symbolAt(text, place) {
  return String.fromCodePoint(text.codePointAt(place));
}

// A copy of the piece that the library has made.
function pieceAt(view, piece, phonemes, places) {
  const [samples, count, timings, timed] = [0, 4, 8, 12].map((field) => view.getUint32(piece + PIECE.samples + field, true));
  return {
    first: Number(view.getBigUint64(piece + PIECE.first, true)),
    samples: new Float32Array(view.buffer, samples, count).slice(),
    timings: Array.from({ length: timed }, (_, index) => {
      const timing = timings + index * TIMING.size;
      const place = places[view.getUint32(timing, true)];
      const first = Number(view.getBigUint64(timing + TIMING.first, true));
      return { place, symbol: symbolAt(phonemes, place), first, samples: view.getUint32(timing + TIMING.samples, true) };
    }),
  };
}

// Who speaks, as pairs of a name and a weight.
function shared(voice, mix, there) {
  if (voice != null && mix != null) throw invalid("voice and mix say who speaks: give one of them");
  if (voice == null && mix == null) throw invalid(`nobody speaks: give a voice, of ${there.join(", ")}`);
  if (voice == null && Object(mix) !== mix) throw invalid(`mix is an object of voices and shares, not ${shown(mix)}`);
  const shares = voice == null ? Object.entries(mix) : [[voice, 1]];
  if (shares.length < 1 || shares.length > MOST_MIXED) throw invalid(`mix has ${shares.length} voices: give 1 to ${MOST_MIXED}`);
  for (const [name, weight] of shares) {
    if (!there.includes(name)) {
      throw new G2PError("G2P_UNKNOWN_VOICE", `no voice is named ${shown(name)}: there is ${there.join(", ")}`);
    }
    if (!(typeof weight === "number" && weight >= 0 && weight <= MOST_WEIGHT)) {
      throw invalid(`mix: the share of ${name} is ${shown(weight)}: give 0 to ${MOST_WEIGHT}`);
    }
  }
  if (!shares.some(([, weight]) => Math.fround(weight) > 0)) throw invalid("mix: no share is above 0: give one that is");
  return shares;
}

const STRESS = "ˈˌ";
// Punctuation → what the model reads for it: hyphens part words; of dashes, brackets and quotes there is one kind.
const READ_AS = new Map(
  Array.from("-\u2010\u2011\u2013[]{}«»‘’'", (mark, index) => [mark, Array.from("   —()()“”“”\"")[index]]),
);

// What the model reads for the parts of a text: pronunciations by its table of their language, punctuation as it is.
function inSymbols(languages, parts, lang) {
  if (!Object.hasOwn(languages, lang)) {
    const there = Object.keys(languages).join(", ") || "none";
    throw new G2PError("G2P_UNKNOWN_LANGUAGE", `the speech model does not speak ${shown(lang)}: it speaks ${there}`);
  }
  const { vowels, pairs } = languages[lang];
  const said = parts.map(({ text, start, kind, result }) => {
    if (kind === "number") {
      const advice = "write it out in words";
      throw new G2PError("G2P_FOREIGN_CHARACTER", `the text has a number, ${shown(text)}, at character ${start + 1}: ${advice}`);
    }
    if (!result) return kind === "space" ? " " : Array.from(text, (mark) => READ_AS.get(mark) ?? mark).join("");
    if (result.error) throw result.error;
    const { symbols, unknown } = pronounced(stressMoved(result.phonemes, vowels), pairs);
    if (!unknown) return symbols;
    throw new G2PError(
      "G2P_FOREIGN_CHARACTER",
      `the word ${shown(text)} is pronounced ${shown(result.phonemes)}, and the speech model's table of ${lang} has no ` +
        `${shown(unknown)}: write another word`,
    );
  });
  return said.join("").split(/\s+/).filter(Boolean).join(" ");
}

// Symbols for phonemes: of the pairs, of which the longest come first, the first that matches counts. `unknown` has each
// character once that none has.
function pronounced(phonemes, pairs) {
  let [symbols, unknown, at] = ["", "", 0];
  while (at < phonemes.length) {
    const one = String.fromCodePoint(phonemes.codePointAt(at));
    const [ours, theirs] = pairs.find(([each]) => phonemes.startsWith(each, at)) ?? [one, one === " " ? " " : null];
    if (theirs !== null) symbols += theirs;
    else if (!unknown.includes(one)) unknown += one;
    at += ours.length;
  }
  return { symbols, unknown };
}

// Phonemes with each stress before the next vowel of its word; one that has none is left out.
function stressMoved(phonemes, vowels) {
  let [moved, held] = ["", ""];
  for (const symbol of phonemes) {
    if (STRESS.includes(symbol) || symbol === " ") {
      held = symbol === " " ? "" : symbol;
      if (held) continue;
    } else if (held && vowels.includes(symbol)) {
      moved += held;
      held = "";
    }
    moved += symbol;
  }
  return moved;
}

// The module's place, if nobody names another.
function besides() {
  try {
    // Bundlers recognize this form and copy both files into the bundle.
    return relaxed() ? new URL("tts-relaxed.wasm", import.meta.url) : new URL("tts.wasm", import.meta.url);
  } catch {
    throw invalid("this bundle does not say where it lies, so tts.wasm cannot be found beside it: give options.module");
  }
}

// For the files that an npm package has besides, which come with this one: no part of the interface.
export { SPOKEN, inSymbols, joined };
