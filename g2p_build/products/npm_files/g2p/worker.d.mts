import type { LoadOptions } from "./index.mjs";
import type { BestOptions, CallOptions, Info, Languages, Part, Result, ResultsOptions, Source, Words } from "./g2p.mjs";

export { G2PError } from "./g2p.mjs";
export type { LoadOptions, Progress } from "./index.mjs";
export type { BestOptions, CallOptions, Code, Info, Languages, Part, Result, ResultsOptions, Source, Words } from "./g2p.mjs";

/**
 * The model in a worker. Its methods are those of the model itself, as promises: the page goes on meanwhile.
 *
 * A signal stops every call: its promise is rejected at once with the signal's reason, and the worker stops within some
 * milliseconds.
 */
export interface WorkerModel {
  readonly info: Info;
  /** The language codes that the model knows; null if it takes any code. */
  readonly languages: readonly string[] | null;

  /** @throws G2PError if a word or the language is wrong: the first one. */
  pronounce(words: Words, lang: Languages, options?: CallOptions): Promise<string[]>;
  /** A wrong word has its own error, and ends nothing. */
  results(words: Words, lang: Languages, options?: ResultsOptions): Promise<Result[]>;
  /** The best pronunciations of each word, with their scores. */
  best(words: Words, lang: Languages, options?: BestOptions): Promise<Result[][]>;
  /** Gives the results of any number of words, in their order, as they come. */
  stream(words: Words | AsyncIterable<string>, lang: string, options?: ResultsOptions): AsyncGenerator<Result, void, undefined>;
  /** Splits a text at Unicode's word boundaries, and pronounces its words. */
  text(text: string, lang: string, options?: ResultsOptions): Promise<Part[]>;
  addLexicon(lexicon: Source, lang?: string | null, options?: CallOptions): Promise<void>;
  addWords(
    words: Readonly<Record<string, string | string[]>> | Iterable<readonly [string, string | string[]]>,
    lang: string,
  ): Promise<void>;
  lookUp(word: string, lang: string): Promise<string[]>;
  language(lang: string): Promise<string>;
  cacheWords(words: number): Promise<void>;

  /** Ends the worker. What it has not yet answered fails with G2P_INVALID_ARGUMENT, as does every later call. */
  close(): void;
}

/**
 * Starts a worker and opens the model of this package in it. In Node the worker alone keeps no process alive.
 *
 * @throws G2PError as load of the package; G2P_NO_FILE if the worker's script cannot be loaded.
 */
export function load(options?: LoadOptions): Promise<WorkerModel>;
