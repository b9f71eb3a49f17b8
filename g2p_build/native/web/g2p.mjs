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
const REQUEST = { size: 36, words: 4, count: 8, lang: 12, flags: 24 };
const TEXTS = { offsets: 4, count: 8, size: 12 };
const RESULTS = { count: 4, size: 12 };
const RESULT = { phonemes: 8, ids: 20, status: 28, source: 32, truncated: 36, repeats: 40, score: 44, message: 48 };
const NO_WORD = 0xffffffff;
const NO_LEXICON = 2; // of the options
const SCORES = 2; // of a request, as is the next
const EACH = 4;
const SOURCES = ["model", "lexicon", "user", "letters"]; // g2p_source
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
  const { module, lexicon = true } = known(options, "load", ["module", "lexicon"]);
  // Bundlers recognize this form and copy the file into the bundle.
  const code = module ?? new URL("g2p.wasm", import.meta.url);
  const [compiledModule, data] = await Promise.all([compiled(code), bytesOf(weights)]);
  return new Model(new WebAssembly.Instance(compiledModule).exports, data, lexicon ? 0 : NO_LEXICON);
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

  pronounce(words, lang) {
    const library = this.#opened();
    const texts = listed(words).map((word, index) => encoder.encode(whole(word, "G2P_INVALID_WORD", index)));
    return this.#request(library.g2p_pronounce_all, texts, lang, 0, (found) => {
      const phonemes = this.#texts(found);
      library.g2p_free_texts(this.#model, found);
      return phonemes;
    });
  }

  results(words, lang, options = {}) {
    const library = this.#opened();
    const { scores = false } = known(options, "results", ["scores"]);
    const given = listed(words);
    const wrong = given.map((word, index) => halved(word, "G2P_INVALID_WORD", index));
    const texts = given.map((word, index) => encoder.encode(wrong[index] ? "" : word));
    return this.#request(library.g2p_results_all, texts, lang, EACH | (scores ? SCORES : 0), (found) => {
      const results = this.#results(found, scores).map((result, index) => ({
        word: given[index],
        ...result,
        error: wrong[index] ?? result.error,
      }));
      library.g2p_free_results(this.#model, found);
      return results;
    });
  }

  async addLexicon(lexicon, lang) {
    this.#opened();
    const bytes = await bytesOf(lexicon);
    this.#add(bytes, lang);
  }

  addWords(words, lang) {
    this.#opened();
    if (Object(words) !== words) {
      throw new G2PError("G2P_INVALID_ARGUMENT", `words is an object, a Map or a list of pairs, not ${String(words)}`);
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

  close() {
    if (this.#model) this.#library.g2p_close(this.#model);
    // The memory is freed with the instance.
    this.#library = this.#model = null;
  }

  #opened() {
    if (!this.#model) throw new G2PError("G2P_INVALID_ARGUMENT", "the model is closed: load it again");
    return this.#library;
  }

  // Makes a call with words; `read` takes what it found out of the module's memory.
  #request(call, texts, lang, flags, read) {
    const code = zeroEnded(lang, "G2P_UNKNOWN_LANGUAGE");
    const head = REQUEST.size + TEXTS.size + ERROR.size; // g2p_results is as long as g2p_texts
    const size = texts.reduce((total, text) => total + 8 + text.length, head + code.length);
    return this.#with(size, (request) => {
      const [found, error] = [request + REQUEST.size, request + REQUEST.size + TEXTS.size];
      const view = this.#view();
      let [entry, at] = [request + head, request + head + 8 * texts.length];
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
      view.setUint32(request + REQUEST.lang, at, true);
      this.#put(code, at);
      this.#check(call(this.#model, request, found, error), error);
      return read(found);
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
    const memory = this.#library.malloc(size);
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

  #results(found, scores) {
    const view = this.#view();
    const [data, count] = [view.getUint32(found, true), view.getUint32(found + RESULTS.count, true)];
    const text = (place) =>
      decoder.decode(new Uint8Array(view.buffer, view.getUint32(place, true), view.getUint32(place + 4, true)));
    return Array.from({ length: count }, (_, index) => {
      const result = data + index * view.getUint32(data, true); // each begins with its size
      const field = (offset) => view.getUint32(result + offset, true);
      const code = field(RESULT.status) && this.#string(this.#library.g2p_status_name(field(RESULT.status)));
      return {
        phonemes: text(result + RESULT.phonemes),
        source: SOURCES[field(RESULT.source)],
        truncated: field(RESULT.truncated) !== 0,
        repeats: field(RESULT.repeats) !== 0,
        score: scores && field(RESULT.ids) ? view.getFloat32(result + RESULT.score, true) : null,
        error: code ? new G2PError(code, text(result + RESULT.message), index) : null,
      };
    });
  }
}

function align(address) {
  return Math.ceil(address / WEIGHTS_ALIGNMENT) * WEIGHTS_ALIGNMENT;
}

// The error for a string that UTF-8 cannot hold, or null. A TextEncoder would silently replace half a surrogate pair.
function halved(text, code, word = null) {
  if (typeof text !== "string") throw new G2PError(code, `${String(text)} is no string`, word);
  return /\p{Surrogate}/u.test(text) ? new G2PError(code, `${JSON.stringify(text)} holds half a character`, word) : null;
}

function whole(text, code, word = null) {
  const wrong = halved(text, code, word);
  if (wrong) throw wrong;
  return text;
}

function zeroEnded(text, code) {
  if (whole(text, code).includes("\0")) throw new G2PError(code, `${JSON.stringify(text)} holds a zero`);
  return encoder.encode(`${text}\0`);
}

// The words of a call. A string is a list too, of its letters, and nobody means that.
function listed(words) {
  const invalid = (message) => new G2PError("G2P_INVALID_ARGUMENT", message);
  if (Object(words) instanceof String) throw invalid(`words is a list of words, not one string: [${JSON.stringify(words)}]`);
  if (typeof words?.[Symbol.iterator] !== "function") throw invalid(`words is a list of words, not ${String(words)}`);
  return Array.from(words);
}

// The options of a call, none of which is misspelt.
function known(options, call, names) {
  const strange = Object.keys(Object(options)).find((name) => !names.includes(name));
  if (strange === undefined && Object(options) === options) return options;
  const wrong = strange === undefined ? `options are an object, not ${String(options)}` : `there is no option ${strange}`;
  throw new G2PError("G2P_INVALID_ARGUMENT", `${call}: ${wrong}: give ${names.join(" or ")}`);
}

// A line of a list. The library would take a tab or a line end for the end of something, and would skip a blank line.
function line(word, said, number) {
  const pronunciations = typeof said === "string" ? [said] : Array.from(said ?? []);
  const wrong = (what) =>
    new G2PError("G2P_INVALID_LEXICON", `the lexicon: line ${number}: ${JSON.stringify(word)} ${what}`);
  for (const text of [word, ...pronunciations]) {
    if (/[\t\r\n]/.test(whole(text, "G2P_INVALID_LEXICON"))) {
      throw wrong("holds a tab or a line end: give a word and its pronunciations without them");
    }
  }
  if (!word.trim()) throw wrong("is no word: give at least one letter");
  return `${word}\t${pronunciations.join(",")}\n`;
}

// Whether a value is of a built-in class, of this realm or of another: a frame's, a virtual machine's.
function isA(value, name) {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

async function compiled(given) {
  const source = await given;
  if (isA(source, "WebAssembly.Module")) return source;
  const bytes = await bytesOf(source);
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw new G2PError("G2P_UNSUPPORTED_CPU", `the module does not compile here: it needs SIMD: ${error.message}`);
  }
}

async function bytesOf(given) {
  const source = await given;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (isA(source, "ArrayBuffer") || isA(source, "SharedArrayBuffer")) return new Uint8Array(source);
  if (typeof source?.arrayBuffer === "function") return bodyOf(source, source.url || "the body");
  if (typeof source === "string" || isA(source, "URL")) return fetched(source);
  throw new G2PError("G2P_INVALID_ARGUMENT", `${String(source)} is no source: give a URL, a Response, a Blob or bytes`);
}

// The bytes of a Response or a Blob.
async function bodyOf(source, place) {
  if (source.ok === false) throw new G2PError("G2P_NO_FILE", `${place}: ${source.status} ${source.statusText}`);
  return new Uint8Array(await readFrom(place, () => source.arrayBuffer()));
}

async function fetched(place) {
  // Node's fetch cannot read files. An import of node:fs would make bundlers for browsers fail, so we ask at run time.
  const files = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  const isFile = /^file:/i.test(place) || !(isA(place, "URL") || /^[a-z]{2,}:/i.test(place));
  if (files && isFile) {
    const path = /^file:/i.test(place) ? new URL(place) : place;
    return new Uint8Array(await readFrom(place, () => files.readFile(path)));
  }
  return bodyOf(await readFrom(place, () => fetch(place)), place);
}

async function readFrom(place, read) {
  try {
    return await read();
  } catch (error) {
    throw new G2PError("G2P_NO_FILE", `${place} cannot be read: ${error.message}`);
  }
}
