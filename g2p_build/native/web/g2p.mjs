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
const REQUEST = { size: 36, words: 4, count: 8, lang: 12 };
const TEXTS = { offsets: 4, size: 12 };
const NO_WORD = 0xffffffff;

export class G2PError extends Error {
  constructor(code, message, word = null) {
    super(message);
    this.name = "G2PError";
    this.code = code;
    this.word = word;
  }
}

export async function load(weights, options = {}) {
  // Bundlers recognize this form and copy the file into the bundle.
  const code = options.module ?? new URL("g2p.wasm", import.meta.url);
  const [module, data] = await Promise.all([compiled(code), bytesOf(weights)]);
  return new Model(new WebAssembly.Instance(module).exports, data);
}

class Model {
  #library;
  #model = 0;

  constructor(library, weights) {
    this.#library = library;
    const place = align(this.#allocate(weights.length + WEIGHTS_ALIGNMENT));
    new Uint8Array(library.memory.buffer).set(weights, place);
    this.#with(4 + ERROR.size, (model) => {
      this.#check(library.g2p_open_memory(place, weights.length, 0, model, model + 4), model + 4);
      this.#model = this.#view().getUint32(model, true);
    });
    this.info = JSON.parse(this.#string(library.g2p_info(this.#model)));
    this.languages = this.info.model.languages;
  }

  pronounce(words, lang) {
    if (!this.#model) throw new G2PError("G2P_INVALID_ARGUMENT", "the model is closed: load it again");
    const encoder = new TextEncoder();
    const texts = Array.from(words, (word, index) => encoder.encode(whole(word, "G2P_INVALID_WORD", index)));
    const code = encoder.encode(`${whole(lang, "G2P_UNKNOWN_LANGUAGE")}\0`);
    if (code.indexOf(0) < code.length - 1) throw new G2PError("G2P_UNKNOWN_LANGUAGE", "a language code has no zeros");
    const head = REQUEST.size + TEXTS.size + ERROR.size;
    const size = texts.reduce((total, text) => total + 8 + text.length, head + code.length);
    return this.#with(size, (request) => {
      const [found, error] = [request + REQUEST.size, request + REQUEST.size + TEXTS.size];
      const [bytes, view] = [new Uint8Array(this.#library.memory.buffer), this.#view()];
      let [entry, at] = [request + head, request + head + 8 * texts.length];
      bytes.fill(0, request, entry);
      view.setUint32(request, REQUEST.size, true);
      view.setUint32(request + REQUEST.words, entry, true);
      view.setUint32(request + REQUEST.count, texts.length, true);
      for (const text of texts) {
        view.setUint32(entry, at, true);
        view.setUint32(entry + 4, text.length, true);
        bytes.set(text, at);
        [entry, at] = [entry + 8, at + text.length];
      }
      view.setUint32(request + REQUEST.lang, at, true);
      bytes.set(code, at);
      this.#check(this.#library.g2p_pronounce_all(this.#model, request, found, error), error);
      const phonemes = this.#texts(found, texts.length);
      this.#library.g2p_free_texts(this.#model, found);
      return phonemes;
    });
  }

  close() {
    if (this.#model) this.#library.g2p_close(this.#model);
    // The memory is freed with the instance.
    this.#library = this.#model = null;
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
    return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
  }

  #texts(found, count) {
    const view = this.#view();
    const [data, offsets] = [view.getUint32(found, true), view.getUint32(found + TEXTS.offsets, true)];
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return Array.from({ length: count }, (_, index) => {
      const [start, end] = [4 * index, 4 * index + 4].map((place) => view.getUint32(offsets + place, true));
      return decoder.decode(new Uint8Array(view.buffer, data + start, end - start));
    });
  }
}

function align(address) {
  return Math.ceil(address / WEIGHTS_ALIGNMENT) * WEIGHTS_ALIGNMENT;
}

// Refuses a string that UTF-8 cannot hold. A TextEncoder would silently replace half a surrogate pair.
function whole(text, code, word = null) {
  if (typeof text !== "string") throw new G2PError(code, `${String(text)} is no string`, word);
  if (/\p{Surrogate}/u.test(text)) throw new G2PError(code, `${JSON.stringify(text)} holds half a character`, word);
  return text;
}

async function compiled(source) {
  if (source instanceof WebAssembly.Module) return source;
  const bytes = await bytesOf(source);
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw new G2PError("G2P_UNSUPPORTED_CPU", `the module does not compile here: it needs SIMD: ${error.message}`);
  }
}

async function bytesOf(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const response = source instanceof Response ? source : await fetched(source);
  if (response instanceof Uint8Array) return response;
  if (!response.ok) throw new G2PError("G2P_NO_FILE", `${response.url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function fetched(place) {
  // Node's fetch cannot read files. An import of node:fs would make bundlers for browsers fail, so we ask at run time.
  const files = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  const file = files && (place instanceof URL ? place.protocol === "file:" && place : !/^[a-z]{2,}:/i.test(place) && place);
  try {
    return file ? new Uint8Array(await files.readFile(file)) : await fetch(place);
  } catch (error) {
    throw new G2PError("G2P_NO_FILE", `${place} cannot be read: ${error.message}`);
  }
}
