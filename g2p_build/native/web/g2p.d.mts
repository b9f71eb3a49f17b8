/** Bytes, or where they are: a URL, in Node also a path. */
export type Source = string | URL | Response | ArrayBuffer | ArrayBufferView;

export interface LoadOptions {
  /** The WebAssembly module; otherwise g2p.wasm beside this file. */
  module?: Source | WebAssembly.Module;
}

/** The name of a status of g2p.h. */
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

/** Anything that this module refuses or cannot do; the message is one line. */
export class G2PError extends Error {
  readonly code: Code;
  /** Which of the words, from 0; null where it was none of them. */
  readonly word: number | null;
  constructor(code: Code, message: string, word?: number | null);
}

/** What the model is. */
export interface Info {
  readonly dtype: "float32" | "float16";
  readonly model: { readonly languages: readonly string[] | null; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Model {
  readonly info: Info;
  /** The codes of the languages; null where the model takes any code. */
  readonly languages: readonly string[] | null;

  /**
   * The phonemes of words, in their order.
   *
   * Works until it is finished, some milliseconds a word: give long lists to a worker.
   *
   * @throws G2PError where a word or the language is wrong; then none is pronounced.
   */
  pronounce(words: Iterable<string>, lang: string): string[];

  /** Frees the model, which is of no use afterwards. */
  close(): void;
}

/**
 * Opens a model.
 *
 * @param weights the safetensors file, or the archive that holds it. They are copied into the model's memory.
 * @throws G2PError where something cannot be read, or does not belong together.
 */
export function load(weights: Source, options?: LoadOptions): Promise<Model>;
