// How modules and files are read, and how values go into a module's memory: what g2p.mjs and tts.mjs have in common.

import { dots } from "./relaxed.mjs";

const ALIGNMENT = 64; // of weights
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class G2PError extends Error {
  constructor(code, message, word = null, place = null) {
    super(message);
    this.name = "G2PError";
    this.code = code;
    this.word = word;
    this.place = place; // of an unknown phoneme
  }
}

// The memory of a module. A call may grow, and so replace, its buffer: nothing that looks into it is kept.
export class Memory {
  #library;

  constructor(library) {
    this.#library = library;
  }

  view() {
    return new DataView(this.#library.memory.buffer);
  }

  allocate(size) {
    const memory = size < 2 ** 32 ? this.#library.malloc(size) >>> 0 : 0;
    if (!memory) throw new G2PError("G2P_NO_MEMORY", `no memory for ${size} bytes`);
    return memory;
  }

  // Writes bytes, and returns the address behind them.
  put(bytes, address) {
    new Uint8Array(this.#library.memory.buffer).set(bytes, address);
    return address + bytes.length;
  }

  // Copies a file, which stays unless `use` fails with it.
  keep(bytes, use) {
    const memory = this.allocate(bytes.length + ALIGNMENT);
    const place = Math.ceil(memory / ALIGNMENT) * ALIGNMENT;
    try {
      this.put(bytes, place);
      use(place);
    } catch (error) {
      this.#library.free(memory);
      throw error;
    }
  }

  with(size, use) {
    const memory = this.allocate(size);
    try {
      return use(memory);
    } finally {
      this.#library.free(memory);
    }
  }

  // The text that a zero ends.
  string(start) {
    const bytes = new Uint8Array(this.#library.memory.buffer);
    return decoder.decode(bytes.subarray(start, bytes.indexOf(0, start)));
  }
}

// A value in a message, not longer than a line has room for.
export function shown(value) {
  let text;
  try {
    text = typeof value === "string" ? JSON.stringify(value) : String(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length <= 200 ? text : `${text.slice(0, 120)}...${text.slice(-40)}`;
}

// The error for a string that UTF-8 cannot hold, or null. A TextEncoder would silently replace half a surrogate pair.
export function halved(text, code, word = null) {
  if (typeof text !== "string") throw new G2PError(code, `${shown(text)} is no string`, word);
  return /\p{Surrogate}/u.test(text) ? new G2PError(code, `${shown(text)} holds half a character`, word) : null;
}

export function whole(text, code, word = null) {
  const wrong = halved(text, code, word);
  if (wrong) throw wrong;
  return text;
}

export function zeroEnded(text, code, word = null) {
  if (whole(text, code, word).includes("\0")) throw new G2PError(code, `${shown(text)} holds a zero`, word);
  return encoder.encode(`${text}\0`);
}

export function invalid(message) {
  return new G2PError("G2P_INVALID_ARGUMENT", message);
}

// The options of a call, none of which is misspelt or of another type.
export function known(options, call, names) {
  if (Object(options) !== options || typeof options === "function") {
    throw invalid(`${call}: options are an object, not ${shown(options)}: give ${names.join(" or ")}`);
  }
  const strange = Object.keys(options).find((name) => !names.includes(name));
  if (strange !== undefined) {
    const alike = names.filter((name) => name.slice(0, 3).toLowerCase() === strange.slice(0, 3).toLowerCase());
    throw invalid(`${call}: there is no option ${strange}: give ${(alike.length ? alike : names).join(" or ")}`);
  }
  for (const name of ["lexicon", "draft", "scores", "early", "earlyStopping", "skipUnknown"]) {
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

// Waits for a promise, but not when the signal says to stop. What is thrown then is the signal's reason.
export async function until(signal, promise) {
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
export function rest() {
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
export function isA(value, name) {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

// A module with one function, `dot`: four bytes times four, by relaxed SIMD's dot product.
const PROBE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 100, 111, 116, 0, 0, 10, 22, 1, 20, 0],
  ...[32, 0, 253, 17, 32, 1, 253, 17, 65, 0, 253, 17, 253, 147, 2, 253, 27, 0, 11],
];

// Whether the module for relaxed SIMD is the one to take. What its dot product makes of a second operand's bytes below 0 is
// left to the engine, and the kernels take both ways that lose nothing: as they are, or as 128 to 255.
export function relaxed() {
  try {
    const bytes = Uint8Array.from(PROBE);
    if (!WebAssembly.validate(bytes) || !dots) return WebAssembly.validate(bytes);
    const { dot } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    const four = (byte) => Math.imul(byte & 255, 0x01010101);
    const added = dot(four(1), four(-1)) === 4 * 255 ? 256 : 0; // to bytes below 0
    const exact = (one, other) => dot(four(one), four(other)) === 4 * one * (other < 0 ? other + added : other);
    return [127, -127, -128].every((one) => [127, 1, -1, -127].every((other) => exact(one, other)));
  } catch {
    return false; // no WebAssembly, or none for this page: whoever compiles the other module says so
  }
}

export async function compiled(given, signal) {
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

// A module's exports: those of the library `name`, in the version of the interface that its loader knows.
export async function instantiated(module, { name, version, functions }, signal) {
  const beside = `give the ${name}.wasm that came with this ${name}.mjs`;
  let library;
  try {
    library = (await until(signal, WebAssembly.instantiate(module))).exports;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof RangeError) throw new G2PError("G2P_NO_MEMORY", `no memory for the module: ${error.message}`);
    throw wrongModule(`the module is another program's: ${beside}: ${error.message}`);
  }
  const its = `${name}_abi_version`;
  const missing = [...functions, its].find((each) => typeof library[each] !== "function");
  if (missing) throw wrongModule(`the module is another program's, it has no ${missing}: ${beside}`);
  if (library[its]() === version) return library;
  throw wrongModule(`the module has version ${library[its]()} of the interface, this ${name}.mjs takes ${version}: ${beside}`);
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
  voices: { kinds: ["weights", "archive"], code: "G2P_INVALID_VOICES", what: "voices" },
  lexicon: { kinds: ["lexicon"], code: "G2P_INVALID_LEXICON", what: "a lexicon" },
};

// The bytes, unless they are plainly something else than what is wanted.
export function checked({ bytes, place, type }, wanted) {
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
export async function read(given, signal) {
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
export function placed(place) {
  const text = String(place);
  return text.length <= 300 ? text : `${text.slice(0, 200)}...${text.slice(-60)}`;
}

export async function readFrom(name, signal, read) {
  try {
    return await until(signal, read());
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const why = [error.message, error.cause?.message].filter(Boolean).join(": ");
    throw new G2PError("G2P_NO_FILE", `${name} cannot be read: ${why}`);
  }
}
