// Words to phonemes in a web page, a worker or Node.
//
//   import { load } from "./g2p.mjs";
//   const g2p = await load("weights.safetensors");
//   g2p.pronounce(["knight"], "eng-us");  // ["ˈnaɪt"]
//
// g2p.d.mts documents each function. The constants below are offsets in the structures of g2p.h; a pointer has 4 bytes
// here.

import { G2PError, Memory, checked, compiled, halved, instantiated, invalid, isA, known, read } from "./loading.mjs";
import { relaxed, rest, shown, until, whole, zeroEnded } from "./loading.mjs";

export { G2PError };

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
const MODULE = {
  name: "g2p",
  version: 1, // of the interface
  functions: [
    ...["malloc", "free", "g2p_open_memory", "g2p_close", "g2p_status_name", "g2p_info", "g2p_add_lexicon_memory"],
    ...["g2p_look_up", "g2p_pronounce_all", "g2p_results_all", "g2p_free_texts", "g2p_free_results", "g2p_best"],
    ...["g2p_next_part", "g2p_find_language", "g2p_cache_words", "g2p_guess_word", "g2p_get_statistics"],
  ],
};
const BUSY = 8; // milliseconds that a stream computes before it lets the page go on
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export async function load(weights, options = {}) {
  const { module, lexicon = true, draft = true, signal } = known(options, "load", ["module", "lexicon", "draft", "signal"]);
  signal?.throwIfAborted();
  const [compiledModule, data] = await Promise.all([
    compiled(module ?? besides(), signal),
    read(weights, signal).then((found) => checked(found, "weights")),
  ]);
  return new Model(await instantiated(compiledModule, MODULE, signal), data, (lexicon ? 0 : NO_LEXICON) | (draft ? 0 : NO_DRAFT));
}

class Model {
  #library;
  #memory;
  #model = 0;

  constructor(library, weights, flags) {
    this.#library = library;
    this.#memory = new Memory(library);
    this.#memory.keep(weights, (place) => this.#open(place, weights.length, flags));
    this.info = JSON.parse(this.#memory.string(library.g2p_info(this.#model)));
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
    for (const [name, number] of [["count", count], ["beams", beams]]) {
      if (Number.isInteger(number) && number > 0 && number < 2 ** 32) continue;
      throw invalid(`best: ${name} is a number from 1 on, not ${shown(number)}`);
    }
    const list = listed(words);
    return this.#memory.with(SEARCH.size, (place) => {
      const view = this.#memory.view();
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
    return this.#memory.with(head + texts[0].length + texts[1].length, (found) => {
      const [source, error, first] = [found + TEXTS.size, found + TEXTS.size + 4, found + head];
      const second = this.#memory.put(texts[0], first);
      this.#memory.put(texts[1], second);
      this.#check(library.g2p_look_up(this.#model, first, second, found, source, error), error);
      const pronunciations = this.#texts(found);
      library.g2p_free_texts(this.#model, found);
      return pronunciations;
    });
  }

  language(lang) {
    const library = this.#opened();
    const code = zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE");
    return this.#memory.with(4 + ERROR.size + code.length, (found) => {
      const [error, tag] = [found + 4, found + 4 + ERROR.size];
      this.#memory.put(code, tag);
      this.#check(library.g2p_find_language(this.#model, tag, found, error), error);
      return this.#memory.string(this.#memory.view().getUint32(found, true));
    });
  }

  cacheWords(words) {
    const library = this.#opened();
    if (!Number.isInteger(words) || words < 0 || words >= 2 ** 32) {
      throw invalid(`cacheWords: give how many words are kept, not ${shown(words)}`);
    }
    this.#memory.with(ERROR.size, (error) => this.#check(library.g2p_cache_words(this.#model, words, error), error));
  }

  guess(word, lang) {
    const library = this.#opened();
    const texts = [zeroEnded(word, "G2P_INVALID_WORD"), zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE")];
    return this.#memory.with(ERROR.size + texts[0].length + texts[1].length + GUESS, (error) => {
      const first = error + ERROR.size;
      const second = this.#memory.put(texts[0], first);
      const found = this.#memory.put(texts[1], second);
      this.#check(library.g2p_guess_word(this.#model, first, second, found, GUESS, error), error);
      return this.#memory.string(found);
    });
  }

  statistics() {
    const library = this.#opened();
    return this.#memory.with(STATISTICS.size + ERROR.size, (found) => {
      const error = found + STATISTICS.size;
      this.#memory.view().setUint32(found, STATISTICS.size, true);
      this.#check(library.g2p_get_statistics(this.#model, found, error), error);
      const view = this.#memory.view();
      return Object.fromEntries(
        COUNTS.map((name, place) => [name, Number(view.getBigUint64(found + STATISTICS.words + 8 * place, true))]),
      );
    });
  }

  close() {
    if (this.#model) this.#library.g2p_close(this.#model);
    // The memory is freed with the instance.
    this.#library = this.#memory = this.#model = null;
  }

  #open(place, size, flags) {
    this.#memory.with(4 + OPTIONS.size + ERROR.size, (model) => {
      const [options, error] = [model + 4, model + 4 + OPTIONS.size];
      const view = this.#memory.view();
      new Uint8Array(view.buffer).fill(0, options, error);
      view.setUint32(options, OPTIONS.size, true);
      view.setUint32(options + OPTIONS.flags, flags, true);
      this.#check(this.#library.g2p_open_memory(place, size, options, model, error), error);
      this.#model = this.#memory.view().getUint32(model, true);
    });
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
    return this.#memory.with(size, (request) => {
      const [found, error] = [request + REQUEST.size, request + REQUEST.size + TEXTS.size];
      const view = this.#memory.view();
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
        [entry, at] = [entry + 8, this.#memory.put(text, at)];
      }
      const places = codes.map((code) => {
        const place = at;
        at = this.#memory.put(code, at);
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
    return this.#memory.with(8 + ERROR.size + bytes.length, (end) => {
      const [part, error, first] = [end + 4, end + 8, end + 8 + ERROR.size];
      this.#memory.put(bytes, first);
      const parts = [];
      for (let [start, place] = [0, 0]; start < bytes.length; ) {
        this.#check(this.#library.g2p_next_part(first, bytes.length, start, end, part, error), error);
        const view = this.#memory.view();
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
    const memory = this.#memory.allocate(bytes.length + 1);
    let stays = false;
    try {
      this.#memory.put(bytes, memory);
      this.#memory.with(ERROR.size + code.length, (error) => {
        const place = code.length ? error + ERROR.size : 0;
        this.#memory.put(code, place);
        this.#check(library.g2p_add_lexicon_memory(this.#model, memory, bytes.length, place, error), error);
      });
      stays = !code.length;
    } finally {
      if (!stays) library.free(memory);
    }
  }

  #check(status, error) {
    if (status === 0) return;
    const word = this.#memory.view().getUint32(error + ERROR.word, true);
    const code = this.#memory.string(this.#library.g2p_status_name(status));
    throw new G2PError(code, this.#memory.string(error + ERROR.message), word === NO_WORD ? null : word);
  }

  #texts(found) {
    const view = this.#memory.view();
    const [data, offsets, count] = [0, TEXTS.offsets, TEXTS.count].map((field) => view.getUint32(found + field, true));
    return Array.from({ length: count }, (_, index) => {
      const [start, end] = [4 * index, 4 * index + 4].map((place) => view.getUint32(offsets + place, true));
      return decoder.decode(new Uint8Array(view.buffer, data + start, end - start));
    });
  }

  #results(found, scores, first) {
    const view = this.#memory.view();
    const [data, count] = [view.getUint32(found, true), view.getUint32(found + RESULTS.count, true)];
    const text = (place) =>
      decoder.decode(new Uint8Array(view.buffer, view.getUint32(place, true), view.getUint32(place + 4, true)));
    return Array.from({ length: count }, (_, index) => {
      const result = data + index * view.getUint32(data, true); // each begins with its size
      const field = (offset) => view.getUint32(result + offset, true);
      const at = field(RESULT.word);
      const code = field(RESULT.status) && this.#memory.string(this.#library.g2p_status_name(field(RESULT.status)));
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

// The module's place, if nobody names another.
function besides() {
  try {
    // Bundlers recognize this form and copy both files into the bundle.
    return relaxed() ? new URL("g2p-relaxed.wasm", import.meta.url) : new URL("g2p.wasm", import.meta.url);
  } catch {
    throw invalid("this bundle does not say where it lies, so g2p.wasm cannot be found beside it: give options.module");
  }
}

// For the files that an npm package has besides, which come with this one: no part of the interface.
export { grouped, iterable, listed, partsOf, withResults, wordsOf };
