/** The bytes themselves, or a place to read them from: a URL, in Node also a path. */
export type Source = string | URL | Response | ArrayBuffer | ArrayBufferView;

export interface LoadOptions {
  /** The WebAssembly module. The default is g2p.wasm beside this file. */
  module?: Source | WebAssembly.Module;
}

/** A status of g2p.h, by its name. */
export type Code =
  | "G2P_NO_MEMORY"
  | "G2P_INVALID_ARGUMENT"
  | "G2P_EMPTY_WORD"
  | "G2P_INVALID_WORD"
  | "G2P_WORD_TOO_LONG"
  | "G2P_UNKNOWN_LANGUAGE"
  | "G2P_NO_FILE"
  | "G2P_INVALID_WEIGHTS"
  | "G2P_UNSUPPORTED_CPU"
  | "G2P_FOREIGN_CHARACTER";

/** This module refused something, or could not do it. The message is one line. */
export class G2PError extends Error {
  readonly code: Code;
  /** The index of the wrong word, from 0; null if the error is not about a word. */
  readonly word: number | null;
  constructor(code: Code, message: string, word?: number | null);
}

/** Facts about the model. */
export interface Info {
  readonly dtype: "float32" | "float16";
  readonly model: { readonly languages: readonly string[] | null; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Model {
  readonly info: Info;
  /** The language codes that the model knows; null if it takes any code. */
  readonly languages: readonly string[] | null;

  /**
   * Returns the phonemes of each word, in the order of the words.
   *
   * The call blocks for some milliseconds a word. Run long lists in a worker.
   *
   * @throws G2PError if a word or the language is wrong. Then no word is pronounced.
   */
  pronounce(words: Iterable<string>, lang: string): string[];

  /** Frees the model. It cannot be used afterwards. */
  close(): void;
}

/**
 * Opens a model.
 *
 * @param weights the safetensors file, or the archive that holds it. The bytes are copied into the model's memory.
 * @throws G2PError if a file cannot be read, or the weights do not belong to the module.
 */
export function load(weights: Source, options?: LoadOptions): Promise<Model>;
