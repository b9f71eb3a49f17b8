// Words to phonemes in a web page, a worker or Node.
//
//   import { load } from "./g2p.mjs";
//   const g2p = await load("weights.safetensors");
//   g2p.pronounce(["knight"], "eng-us");  // ["ˈnaɪt"]
//
// g2p.d.mts documents each function. The constants below are offsets in the structures of g2p.h; a pointer has 4 bytes
// here.

const WEIGHTS_ALIGNMENT = 64;
const ERROR = { word: 4, message: 8, size: 248 };
const OPTIONS = { size: 20, flags: 4 };
const REQUEST = { size: 36, words: 4, count: 8, lang: 12, langs: 16, flags: 24 };
const TEXTS = { offsets: 4, count: 8, size: 12 };
const RESULTS = { count: 4, size: 12 };
const SEARCH = { count: 4, beams: 8, early: 12, size: 16 };
const RESULT = { word: 4, phonemes: 8, ids: 20, status: 28, source: 32, truncated: 36, repeats: 40, score: 44, message: 48, passes: 56 };
const STATISTICS = { words: 8, size: 80 };
const COUNTS = ["words", "ids", "passes", "drafted", "accepted"]; // of statistics, in their order
const NO_WORD = 0xffffffff;
const GUESS = 65536; // bytes for a guess: more than any output has
const NO_LEXICON = 2; // of the options, as is the next
const NO_DRAFT = 4;
const SCORES = 2; // of a request, as is the next
const EACH = 4;
const SOURCES = ["model", "lexicon", "user", "letters"]; // g2p_source
const PARTS = ["word", "number", "space", "other"]; // g2p_part
const VERSION = 1; // of the interface
const FUNCTIONS = [
  ...["malloc", "free", "g2p_open_memory", "g2p_close", "g2p_status_name", "g2p_info", "g2p_add_lexicon_memory"],
  ...["g2p_look_up", "g2p_pronounce_all", "g2p_results_all", "g2p_free_texts", "g2p_free_results", "g2p_abi_version"],
  ...["g2p_next_part", "g2p_find_language", "g2p_cache_words", "g2p_best"],
  ...["g2p_guess_word", "g2p_get_statistics"],
];
const BUSY = 8; // milliseconds that a stream computes before it lets the page go on
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class G2PError extends Error {
  constructor(code, message, word = null) {
    super(message);
    this.name = "G2PError";
    this.code = code;
    this.word = word;
  }
}

export async function load(weights, options = {}) {
  const { module, lexicon = true, draft = true, signal } = known(options, "load", ["module", "lexicon", "draft", "signal"]);
  signal?.throwIfAborted();
  const [compiledModule, data] = await Promise.all([
    compiled(module ?? besides(), signal),
    read(weights, signal).then((found) => checked(found, "weights")),
  ]);
  return new Model(await instantiated(compiledModule, signal), data, (lexicon ? 0 : NO_LEXICON) | (draft ? 0 : NO_DRAFT));
}

class Model {
  #library;
  #model = 0;

  constructor(library, weights, flags) {
    this.#library = library;
    const place = align(this.#allocate(weights.length + WEIGHTS_ALIGNMENT));
    new Uint8Array(library.memory.buffer).set(weights, place);
    this.#with(4 + OPTIONS.size + ERROR.size, (model) => {
      const [options, error] = [model + 4, model + 4 + OPTIONS.size];
      new Uint8Array(library.memory.buffer).fill(0, options, error);
      this.#view().setUint32(options, OPTIONS.size, true);
      this.#view().setUint32(options + OPTIONS.flags, flags, true);
      this.#check(library.g2p_open_memory(place, weights.length, options, model, error), error);
      this.#model = this.#view().getUint32(model, true);
    });
    this.info = JSON.parse(this.#string(library.g2p_info(this.#model)));
    this.languages = this.info.model.languages;
  }

  pronounce(words, lang, options = {}) {
    const library = this.#opened();
    const { signal } = known(options, "pronounce", ["signal"]);
    signal?.throwIfAborted();
    const texts = listed(words).map((word, index) => encoder.encode(whole(word, "G2P_INVALID_WORD", index)));
    return this.#request(library.g2p_pronounce_all, texts, lang, 0, (found) => {
      const phonemes = this.#texts(found);
      library.g2p_free_texts(this.#model, found);
      return phonemes;
    });
  }

  results(words, lang, options = {}) {
    this.#opened();
    const { scores = false, signal } = known(options, "results", ["scores", "signal"]);
    signal?.throwIfAborted();
    return this.#answers(listed(words), lang, scores, 0);
  }

  best(words, lang, options = {}) {
    const library = this.#opened();
    const { signal, ...search } = known(options, "best", ["count", "beams", "earlyStopping", "signal"]);
    const { count = 3, beams = Math.max(4, count), earlyStopping = false } = search;
    signal?.throwIfAborted();
    if (typeof earlyStopping !== "boolean") {
      throw invalid(`best: earlyStopping is true or false, not ${shown(earlyStopping)}`);
    }
    for (const [name, number] of [["count", count], ["beams", beams]]) {
      if (Number.isInteger(number) && number > 0 && number < 2 ** 32) continue;
      throw invalid(`best: ${name} is a number from 1 on, not ${shown(number)}`);
    }
    const list = listed(words);
    return this.#with(SEARCH.size, (place) => {
      const view = this.#view();
      [SEARCH.size, count, beams, Number(earlyStopping)].forEach((value, at) => view.setUint32(place + 4 * at, value, true));
      const call = (model, request, found, error) => library.g2p_best(model, request, place, found, error);
      const all = list.map(() => []);
      for (const { at, result } of this.#found(call, list, lang, EACH, true, 0)) all[at].push(result);
      return all;
    });
  }

  stream(words, lang, options = {}) {
    this.#opened();
    const { scores = false, signal } = known(options, "stream", ["scores", "signal"]);
    if (typeof words?.[Symbol.asyncIterator] !== "function") iterable(words);
    zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE");
    return this.#stream(words, lang, scores, signal);
  }

  text(text, lang, options = {}) {
    this.#opened();
    const { scores = false, signal } = known(options, "text", ["scores", "signal"]);
    signal?.throwIfAborted();
    const parts = Model.parts(this, text);
    return withResults(parts, this.#answers(wordsOf(parts), lang, scores, 0));
  }

  // A text's parts, before its words are pronounced.
  static parts(model, text) {
    model.#opened();
    return model.#parts(whole(text, "G2P_INVALID_ARGUMENT", null));
  }

  async addLexicon(lexicon, lang, options = {}) {
    this.#opened();
    const { signal } = known(options, "addLexicon", ["signal"]);
    signal?.throwIfAborted();
    this.#add(checked(await read(lexicon, signal), "lexicon"), lang);
  }

  addWords(words, lang) {
    this.#opened();
    if (Object(words) !== words) {
      throw new G2PError("G2P_INVALID_ARGUMENT", `words is an object, a Map or a list of pairs, not ${shown(words)}`);
    }
    const entries = Array.from(typeof words[Symbol.iterator] === "function" ? words : Object.entries(words));
    this.#add(encoder.encode(entries.map(([word, said], index) => line(word, said, index + 1)).join("")), lang ?? "");
  }

  lookUp(word, lang) {
    const library = this.#opened();
    const texts = [zeroEnded(word, "G2P_INVALID_WORD"), zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE")];
    const head = TEXTS.size + 4 + ERROR.size;
    return this.#with(head + texts[0].length + texts[1].length, (found) => {
      const [source, error, first] = [found + TEXTS.size, found + TEXTS.size + 4, found + head];
      const second = this.#put(texts[0], first);
      this.#put(texts[1], second);
      this.#check(library.g2p_look_up(this.#model, first, second, found, source, error), error);
      const pronunciations = this.#texts(found);
      library.g2p_free_texts(this.#model, found);
      return pronunciations;
    });
  }

  language(lang) {
    const library = this.#opened();
    const code = zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE");
    return this.#with(4 + ERROR.size + code.length, (found) => {
      const [error, tag] = [found + 4, found + 4 + ERROR.size];
      this.#put(code, tag);
      this.#check(library.g2p_find_language(this.#model, tag, found, error), error);
      return this.#string(this.#view().getUint32(found, true));
    });
  }

  cacheWords(words) {
    const library = this.#opened();
    if (!Number.isInteger(words) || words < 0 || words >= 2 ** 32) {
      throw invalid(`cacheWords: give how many words are kept, not ${shown(words)}`);
    }
    this.#with(ERROR.size, (error) => this.#check(library.g2p_cache_words(this.#model, words, error), error));
  }

  guess(word, lang) {
    const library = this.#opened();
    const texts = [zeroEnded(word, "G2P_INVALID_WORD"), zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE")];
    return this.#with(ERROR.size + texts[0].length + texts[1].length + GUESS, (error) => {
      const first = error + ERROR.size;
      const second = this.#put(texts[0], first);
      const found = this.#put(texts[1], second);
      this.#check(library.g2p_guess_word(this.#model, first, second, found, GUESS, error), error);
      return this.#string(found);
    });
  }

  statistics() {
    const library = this.#opened();
    return this.#with(STATISTICS.size + ERROR.size, (found) => {
      const error = found + STATISTICS.size;
      this.#view().setUint32(found, STATISTICS.size, true);
      this.#check(library.g2p_get_statistics(this.#model, found, error), error);
      const view = this.#view();
      return Object.fromEntries(
        COUNTS.map((name, place) => [name, Number(view.getBigUint64(found + STATISTICS.words + 8 * place, true))]),
      );
    });
  }

  close() {
    if (this.#model) this.#library.g2p_close(this.#model);
    // The memory is freed with the instance.
    this.#library = this.#model = null;
  }

  #opened() {
    if (!this.#model) throw new G2PError("G2P_INVALID_ARGUMENT", "the model is closed: load it again");
    return this.#library;
  }

  // The results of words, whose errors count them from `first` on.
  #answers(words, lang, scores, first) {
    const call = this.#library.g2p_results_all;
    return this.#found(call, words, lang, EACH | (scores ? SCORES : 0), scores, first).map(({ result }) => result);
  }

  // The results of a call, and which of the words each is of.
  #found(call, words, lang, flags, scores, first) {
    const wrong = words.map((word, index) => halved(word, "G2P_INVALID_WORD", first + index));
    const texts = words.map((word, index) => encoder.encode(wrong[index] ? "" : word));
    return this.#request(call, texts, lang, flags, (found) => {
      const results = this.#results(found, scores, first).map(({ at, ...result }) => ({
        at,
        result: { word: words[at], ...result, error: wrong[at] ?? result.error },
      }));
      this.#library.g2p_free_results(this.#model, found);
      return results;
    });
  }

  async *#stream(words, lang, scores, signal) {
    let [taken, rested] = [0, performance.now()];
    for await (const group of grouped(words, this.info.batch, signal)) {
      signal?.throwIfAborted();
      this.#opened();
      for (const result of this.#answers(group, lang, scores, taken)) {
        signal?.throwIfAborted();
        yield result;
      }
      taken += group.length;
      if (performance.now() - rested < BUSY) continue;
      await rest();
      rested = performance.now();
    }
  }

  // Makes a call with words; `read` takes what it found out of the module's memory.
  #request(call, texts, lang, flags, read) {
    const { codes, which } = spoken(lang, texts.length);
    const head = REQUEST.size + TEXTS.size + ERROR.size; // g2p_results is as long as g2p_texts
    const size = [...texts, ...codes].reduce((total, text) => total + text.length, head + 12 * texts.length);
    return this.#with(size, (request) => {
      const [found, error] = [request + REQUEST.size, request + REQUEST.size + TEXTS.size];
      const view = this.#view();
      const langs = request + head + 8 * texts.length;
      let [entry, at] = [request + head, langs + 4 * texts.length];
      new Uint8Array(view.buffer).fill(0, request, entry);
      view.setUint32(request, REQUEST.size, true);
      view.setUint32(request + REQUEST.words, entry, true);
      view.setUint32(request + REQUEST.count, texts.length, true);
      view.setUint32(request + REQUEST.flags, flags, true);
      for (const text of texts) {
        view.setUint32(entry, at, true);
        view.setUint32(entry + 4, text.length, true);
        [entry, at] = [entry + 8, this.#put(text, at)];
      }
      const places = codes.map((code) => {
        const place = at;
        at = this.#put(code, at);
        return place;
      });
      if (which) {
        which.forEach((code, index) => view.setUint32(langs + 4 * index, places[code], true));
        view.setUint32(request + REQUEST.langs, langs, true);
      } else {
        view.setUint32(request + REQUEST.lang, places[0], true);
      }
      this.#check(call(this.#model, request, found, error), error);
      return read(found);
    });
  }

  #parts(text) {
    const bytes = encoder.encode(text);
    return this.#with(8 + ERROR.size + bytes.length, (end) => {
      const [part, error, first] = [end + 4, end + 8, end + 8 + ERROR.size];
      this.#put(bytes, first);
      const parts = [];
      for (let [start, place] = [0, 0]; start < bytes.length; ) {
        this.#check(this.#library.g2p_next_part(first, bytes.length, start, end, part, error), error);
        const view = this.#view();
        const stop = view.getUint32(end, true);
        const found = decoder.decode(bytes.subarray(start, stop));
        parts.push({ text: found, start: place, kind: PARTS[view.getUint32(part, true)] });
        [start, place] = [stop, place + found.length];
      }
      return parts;
    });
  }

  // Adds a lexicon. A list, which has a language, is copied; a table stays where it is.
  #add(bytes, lang) {
    const library = this.#opened();
    const code = lang == null ? new Uint8Array() : zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE");
    const memory = this.#allocate(bytes.length + 1);
    let stays = false;
    try {
      this.#put(bytes, memory);
      this.#with(ERROR.size + code.length, (error) => {
        const place = code.length ? error + ERROR.size : 0;
        this.#put(code, place);
        this.#check(library.g2p_add_lexicon_memory(this.#model, memory, bytes.length, place, error), error);
      });
      stays = !code.length;
    } finally {
      if (!stays) library.free(memory);
    }
  }

  // Writes bytes into the module's memory, and returns the address behind them.
  #put(bytes, address) {
    new Uint8Array(this.#library.memory.buffer).set(bytes, address);
    return address + bytes.length;
  }

  #view() {
    return new DataView(this.#library.memory.buffer); // a new view each time: a call may grow, and so replace, the buffer
  }

  #allocate(size) {
    const memory = size < 2 ** 32 ? this.#library.malloc(size) >>> 0 : 0;
    if (!memory) throw new G2PError("G2P_NO_MEMORY", `no memory for ${size} bytes`);
    return memory;
  }

  #with(size, use) {
    const memory = this.#allocate(size);
    try {
      return use(memory);
    } finally {
      this.#library.free(memory);
    }
  }

  #check(status, error) {
    if (status === 0) return;
    const word = this.#view().getUint32(error + ERROR.word, true);
    const code = this.#string(this.#library.g2p_status_name(status));
    throw new G2PError(code, this.#string(error + ERROR.message), word === NO_WORD ? null : word);
  }

  #string(start) {
    const bytes = new Uint8Array(this.#library.memory.buffer);
    return decoder.decode(bytes.subarray(start, bytes.indexOf(0, start)));
  }

  #texts(found) {
    const view = this.#view();
    const [data, offsets, count] = [0, TEXTS.offsets, TEXTS.count].map((field) => view.getUint32(found + field, true));
    return Array.from({ length: count }, (_, index) => {
      const [start, end] = [4 * index, 4 * index + 4].map((place) => view.getUint32(offsets + place, true));
      return decoder.decode(new Uint8Array(view.buffer, data + start, end - start));
    });
  }

  #results(found, scores, first) {
    const view = this.#view();
    const [data, count] = [view.getUint32(found, true), view.getUint32(found + RESULTS.count, true)];
    const text = (place) =>
      decoder.decode(new Uint8Array(view.buffer, view.getUint32(place, true), view.getUint32(place + 4, true)));
    return Array.from({ length: count }, (_, index) => {
      const result = data + index * view.getUint32(data, true); // each begins with its size
      const field = (offset) => view.getUint32(result + offset, true);
      const at = field(RESULT.word);
      const code = field(RESULT.status) && this.#string(this.#library.g2p_status_name(field(RESULT.status)));
      return {
        at,
        phonemes: text(result + RESULT.phonemes),
        source: SOURCES[field(RESULT.source)],
        truncated: field(RESULT.truncated) !== 0,
        repeats: field(RESULT.repeats) !== 0,
        score: scores && field(RESULT.ids) ? view.getFloat32(result + RESULT.score, true) : null,
        passes: field(RESULT.passes),
        drafted: field(RESULT.passes + 4),
        accepted: field(RESULT.passes + 8),
        error: code ? new G2PError(code, text(result + RESULT.message), first + at) : null,
      };
    });
  }
}

function partsOf(model, text) {
  return Model.parts(model, text);
}

function wordsOf(parts) {
  return parts.filter(({ kind }) => kind === "word").map(({ text }) => text);
}

function withResults(parts, results) {
  const left = results.values();
  return parts.map((part) => ({ ...part, result: part.kind === "word" ? left.next().value : null }));
}

function align(address) {
  return Math.ceil(address / WEIGHTS_ALIGNMENT) * WEIGHTS_ALIGNMENT;
}

// A value in a message, not longer than a line has room for.
function shown(value) {
  let text;
  try {
    text = typeof value === "string" ? JSON.stringify(value) : String(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length <= 200 ? text : `${text.slice(0, 120)}...${text.slice(-40)}`;
}

// The error for a string that UTF-8 cannot hold, or null. A TextEncoder would silently replace half a surrogate pair.
function halved(text, code, word = null) {
  if (typeof text !== "string") throw new G2PError(code, `${shown(text)} is no string`, word);
  return /\p{Surrogate}/u.test(text) ? new G2PError(code, `${shown(text)} holds half a character`, word) : null;
}

function whole(text, code, word = null) {
  const wrong = halved(text, code, word);
  if (wrong) throw wrong;
  return text;
}

function zeroEnded(text, code, word = null) {
  if (whole(text, code, word).includes("\0")) throw new G2PError(code, `${shown(text)} holds a zero`, word);
  return encoder.encode(`${text}\0`);
}

function invalid(message) {
  return new G2PError("G2P_INVALID_ARGUMENT", message);
}

// Refuses what gives no words one by one. A string is a list too, of its letters, and nobody means that.
function iterable(words) {
  if (typeof words === "string" || isA(words, "String")) {
    throw invalid(`words is a list of words, not one string: [${shown(words)}]`);
  }
  if (typeof words?.[Symbol.iterator] === "function") return words;
  const waits = typeof words?.[Symbol.asyncIterator] === "function" ? ": stream takes what is waited for" : "";
  throw invalid(`words is a list of words, not ${shown(words)}${waits}`);
}

function listed(words) {
  return Array.from(iterable(words));
}

// The languages of words, each once and ended by a zero, and which of them each word has; null: all have the first.
function spoken(lang, count) {
  if (Object(lang) !== lang || typeof lang[Symbol.iterator] !== "function" || isA(lang, "String")) {
    return { codes: [zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE")], which: null };
  }
  const langs = Array.from(lang);
  if (langs.length !== count) {
    throw invalid(`${langs.length} languages for ${count} words: give one for all, or one for each`);
  }
  const places = new Map();
  const codes = [];
  const which = langs.map((code, index) => {
    if (!places.has(code)) places.set(code, codes.push(zeroEnded(code, "G2P_UNKNOWN_LANGUAGE", index)) - 1);
    return places.get(code);
  });
  return { codes, which };
}

// The options of a call, none of which is misspelt or of another type.
function known(options, call, names) {
  if (Object(options) !== options || typeof options === "function") {
    throw invalid(`${call}: options are an object, not ${shown(options)}: give ${names.join(" or ")}`);
  }
  const strange = Object.keys(options).find((name) => !names.includes(name));
  if (strange !== undefined) {
    const alike = names.filter((name) => name.slice(0, 3).toLowerCase() === strange.slice(0, 3).toLowerCase());
    throw invalid(`${call}: there is no option ${strange}: give ${(alike.length ? alike : names).join(" or ")}`);
  }
  for (const name of ["lexicon", "draft", "scores"]) {
    if (options[name] !== undefined && typeof options[name] !== "boolean") {
      throw invalid(`${call}: ${name} is true or false, not ${shown(options[name])}`);
    }
  }
  if (options.signal === null) return { ...options, signal: undefined }; // as fetch takes it
  if (options.signal !== undefined && typeof options.signal.throwIfAborted !== "function") {
    const advice = isA(options.signal, "AbortController") ? ": give its signal" : "";
    throw invalid(`${call}: signal is an AbortSignal, not ${shown(options.signal)}${advice}`);
  }
  return options;
}

// A line of a list. The library would take a tab or a line end for the end of something, and would skip a blank line.
function line(word, said, number) {
  const pronunciations = typeof said === "string" ? [said] : Array.from(said ?? []);
  const wrong = (what) => new G2PError("G2P_INVALID_LEXICON", `the lexicon: line ${number}: ${shown(word)} ${what}`);
  for (const text of [word, ...pronunciations]) {
    if (/[\t\r\n]/.test(whole(text, "G2P_INVALID_LEXICON"))) {
      throw wrong("holds a tab or a line end: give a word and its pronunciations without them");
    }
  }
  if (!word.trim()) throw wrong("is no word: give at least one letter");
  return `${word}\t${pronunciations.join(",")}\n`;
}

// Words in groups, as they come: up to `most` of a list, each by itself where they are waited for. What came before an
// error comes before it here too.
async function* grouped(words, most, signal) {
  const waits = typeof words[Symbol.asyncIterator] === "function";
  const source = words[waits ? Symbol.asyncIterator : Symbol.iterator]();
  let [taken, ended, failed] = [0, false, null];
  try {
    while (!ended && !failed) {
      const group = [];
      try {
        while (!ended && group.length < (waits ? 1 : most)) {
          signal?.throwIfAborted();
          ended = true; // if this throws
          const step = waits ? await until(signal, source.next()) : source.next();
          ended = step.done;
          if (!ended) group.push(whole(step.value, "G2P_INVALID_WORD", taken++));
        }
      } catch (error) {
        failed = { error };
      }
      if (group.length) yield group;
    }
    if (failed) throw failed.error;
  } finally {
    const close = async () => source.return?.();
    if (signal?.aborted) close().catch(() => {}); // a source that hangs is not waited for
    else if (failed && !ended) await close().catch(() => {});
    else if (!ended) await close();
  }
}

// Waits for a promise, but not when the signal says to stop. What is thrown then is the signal's reason.
async function until(signal, promise) {
  if (!signal) return promise;
  let stop;
  const aborted = new Promise((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

// Lets timers, events and drawing have their turn.
function rest() {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") return setImmediate(resolve);
    // A timer would wait for 4 ms each time.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    return port2.postMessage(0);
  });
}

// Whether a value is of a built-in class, of this realm or of another: a frame's, a virtual machine's.
function isA(value, name) {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

// The module's place, if nobody names another.
function besides() {
  try {
    // Bundlers recognize this form and copy the file into the bundle.
    return new URL("g2p.wasm", import.meta.url);
  } catch {
    throw invalid("this bundle does not say where it lies, so g2p.wasm cannot be found beside it: give options.module");
  }
}

async function compiled(given, signal) {
  const source = await until(signal, given);
  if (isA(source, "WebAssembly.Module")) return source;
  const found = await read(source, signal);
  const bytes = checked(found, "module").slice(); // compile takes no shared memory
  if (typeof WebAssembly === "undefined") {
    throw new G2PError("G2P_FORBIDDEN", "WebAssembly is switched off here: no module can be compiled");
  }
  try {
    return await until(signal, WebAssembly.compile(bytes));
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw await uncompiled(found.place, error);
  }
}

// Why a module was not compiled, as the same place takes or refuses two small ones: the empty one, and one with SIMD.
async function uncompiled(place, { message }) {
  const empty = [0, 97, 115, 109, 1, 0, 0, 0];
  const vector = [...empty, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 22, 1, 20, 0, 253, 12, ...new Uint8Array(16), 11];
  try {
    await WebAssembly.compile(Uint8Array.from(empty));
  } catch (error) {
    const advice = "let the page's Content-Security-Policy have 'wasm-unsafe-eval' in script-src";
    return new G2PError("G2P_FORBIDDEN", `WebAssembly may not be compiled here: ${advice}: ${error.message}`);
  }
  if (!WebAssembly.validate(Uint8Array.from(vector))) {
    return new G2PError("G2P_UNSUPPORTED_CPU", `the module does not compile here: it needs SIMD: ${message}`);
  }
  return wrongModule(`${place} is damaged or cut off: build or download it again: ${message}`);
}

async function instantiated(module, signal) {
  const beside = "give the g2p.wasm that came with this g2p.mjs";
  let library;
  try {
    library = (await until(signal, WebAssembly.instantiate(module))).exports;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof RangeError) throw new G2PError("G2P_NO_MEMORY", `no memory for the module: ${error.message}`);
    throw wrongModule(`the module is another program's: ${beside}: ${error.message}`);
  }
  const missing = FUNCTIONS.find((name) => typeof library[name] !== "function");
  if (missing) throw wrongModule(`the module is another program's, it has no ${missing}: ${beside}`);
  const version = library.g2p_abi_version();
  if (version === VERSION) return library;
  throw wrongModule(`the module has version ${version} of the interface, this g2p.mjs takes ${VERSION}: ${beside}`);
}

function wrongModule(message) {
  return new G2PError("G2P_INVALID_MODULE", message);
}

// What a file is, by how it begins; the bytes are read as Latin-1.
const KINDS = {
  module: [/^\0asm/, "a WebAssembly module: give it as options.module"],
  weights: [/^[^]{4}\0{4}\{"/, "a file of weights: give it to load, first"],
  archive: [/^[^]{257}ustar/, "a tar archive: give the one with the weights to load, first"],
  lexicon: [/^g2plex/, "a lexicon's table: give it to addLexicon"],
  json: [/^(?:\xef\xbb\xbf)?\s*\{\s*"/, "JSON, such as a manifest: give the file that it names"],
  compressed: [/^(?:\x1f\x8b|\x28\xb5\x2f\xfd|PK\x03\x04)/, "compressed: unpack it first"],
  pointer: [/^version https:\/\/git-lfs/, "a Git LFS pointer: fetch the file itself with git lfs pull"],
  page: [
    /^(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?xml|html|head|body)/i,
    "a web page: the server has no such file, and answers with a page (a bundler's: see docs/web.md)",
  ],
};
const WANTED = {
  module: { kinds: ["module"], code: "G2P_INVALID_MODULE", what: "a WebAssembly module" },
  weights: { kinds: ["weights", "archive"], code: "G2P_INVALID_WEIGHTS", what: "weights" },
  lexicon: { kinds: ["lexicon"], code: "G2P_INVALID_LEXICON", what: "a lexicon" },
};

// The bytes, unless they are plainly something else than what is wanted.
function checked({ bytes, place, type }, wanted) {
  const { kinds, code, what } = WANTED[wanted];
  const head = String.fromCharCode(...bytes.subarray(0, 512));
  const named = Object.keys(KINDS).find((name) => KINDS[name][0].test(head));
  const kind = named ?? (/^text\/html\b/i.test(type) ? "page" : null);
  if (kinds.includes(kind) || (kind === null && wanted !== "module")) return bytes;
  const is = kind ? KINDS[kind][1] : bytes.length ? "something else: build or download it again" : "empty";
  const missing = kind === "page" || kind === "pointer";
  throw new G2PError(missing ? "G2P_NO_FILE" : code, `${place} is not ${what} but ${is}`);
}

// The bytes of a source, how it is called in a message, and what type its server says that it has.
async function read(given, signal) {
  const source = await until(signal, given);
  if (ArrayBuffer.isView(source)) return inMemory(source.buffer, source.byteOffset, source.byteLength);
  if (isA(source, "ArrayBuffer") || isA(source, "SharedArrayBuffer")) return inMemory(source);
  if (typeof source?.arrayBuffer === "function") return bodyOf(source, source.url || "the body", signal);
  if (typeof source === "string" || isA(source, "URL")) return fetched(source, signal);
  throw invalid(`${shown(source)} is no source: give a URL, a Response, a Blob or bytes`);
}

function inMemory(...range) {
  try {
    return { bytes: new Uint8Array(...range), place: "what was given", type: "" };
  } catch (error) {
    throw invalid(`the bytes are gone: their buffer was transferred: ${error.message}`);
  }
}

// The bytes of a Response or a Blob.
async function bodyOf(source, place, signal) {
  const name = placed(place);
  if (source.ok === false) {
    const opaque = source.type === "opaque" ? "fetched with no-cors, which hides the answer" : source.statusText;
    throw new G2PError("G2P_NO_FILE", `${name}: ${source.status} ${opaque}`.trim());
  }
  const bytes = new Uint8Array(await readFrom(name, signal, () => source.arrayBuffer()));
  return { bytes, place: name, type: source.headers?.get?.("content-type") ?? "" };
}

async function fetched(place, signal) {
  const name = placed(place);
  const isFile = /^file:/i.test(place) || !(isA(place, "URL") || /^[a-z]{2,}:/i.test(place));
  const { process } = globalThis;
  // Node's fetch cannot read files. An import of node:fs would make bundlers for browsers fail, so we ask at run time.
  const files = process?.getBuiltinModule?.("node:fs/promises");
  if (files && isFile) {
    const readIt = () => files.readFile(/^file:/i.test(place) ? new URL(place) : place, { signal });
    const bytes = await readFrom(name, signal, readIt);
    return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), place: name, type: "" };
  }
  if (isFile && process?.versions?.node) {
    const oldest = "give its bytes, or take Node 20.16, 22.3 or newer";
    throw new G2PError("G2P_NO_FILE", `${name} cannot be read by Node ${process.versions.node}: ${oldest}`);
  }
  return bodyOf(await readFrom(name, signal, () => fetch(place, { signal })), place, signal);
}

// A place in a message. A data URL holds the whole file.
function placed(place) {
  const text = String(place);
  return text.length <= 300 ? text : `${text.slice(0, 200)}...${text.slice(-60)}`;
}

async function readFrom(name, signal, read) {
  try {
    return await until(signal, read());
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const why = [error.message, error.cause?.message].filter(Boolean).join(": ");
    throw new G2PError("G2P_NO_FILE", `${name} cannot be read: ${why}`);
  }
}

// For the files that an npm package has besides, which come with this one: no part of the interface.
export { checked, grouped, invalid, isA, iterable, known, listed, partsOf, placed, read, readFrom };
export { rest, shown, until, withResults, wordsOf };
