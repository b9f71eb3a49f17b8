/** The bytes themselves, or a place to read them from: a URL, in Node also a path. */
export type Source = Now<string | URL | Response | Blob | ArrayBufferLike | ArrayBufferView>;

/** A value, or a promise of it. */
export type Now<T> = T | PromiseLike<T>;

/** A list of words, a set, or anything else that gives them one by one. Not a string, which gives its letters. */
export type Words = Iterable<string> & object;

/**
 * One language code for all words, or a list with one for each.
 *
 * Another number of codes than of words is an error.
 */
export type Languages = string | Iterable<string>;

export interface CallOptions {
  /**
   * Stops the call, with the signal's reason. `load`, `addLexicon` and `stream` look at it again and again; the other
   * calls block, so they only do when they begin.
   */
  signal?: AbortSignal | null | undefined;
}

export interface LoadOptions extends CallOptions {
  /** The WebAssembly module. The default lies beside this file: g2p-relaxed.wasm where the engine can run it, or g2p.wasm. */
  module?: Source | Now<WebAssembly.Module>;
  /** Whether the lexicon that an archive has beside its weights comes before the model. The default is true. */
  lexicon?: boolean;
  /**
   * Whether the draft table that an archive has beside its weights is used. What is said is the same without, and comes
   * later. The default is true.
   */
  draft?: boolean;
}

export interface ResultsOptions extends CallOptions {
  /** Whether results have scores. They cost a few percent of a word's time. The default is false. */
  scores?: boolean;
}

export interface BestOptions extends CallOptions {
  /** Pronunciations of each word, at most. The default is 3. */
  count?: number;
  /** How many beginnings are kept at each step, 1 to 64. The default is 4, or count if that is more. */
  beams?: number;
  /**
   * Whether a search ends as soon as as many pronunciations as beams are whole. Otherwise, which is the default, it goes on
   * until no beginning has a better score than the last of them.
   */
  earlyStopping?: boolean;
}

/** One word of a list. */
export interface Result {
  /** The word, as it was given. */
  readonly word: string;
  /** Its pronunciation; empty if the word is wrong. */
  readonly phonemes: string;
  /**
   * Where the pronunciation comes from: the model, a lexicon's table that a build made, a list that was added, or the
   * names of the word's letters.
   */
  readonly source: "model" | "lexicon" | "user" | "letters";
  /** The model reached its bound before it had ended the word. */
  readonly truncated: boolean;
  /** The pronunciation ends in one part again and again, at least four times: a loop. */
  readonly repeats: boolean;
  /**
   * Mean natural log-probability of the ids that the model generated, the end id included. null if scores were not asked
   * for, and if the pronunciation is not the model's.
   */
  readonly score: number | null;
  /** Passes of the decoder that the model took. As the next two, 0 if the pronunciation is not the model's. */
  readonly passes: number;
  /** Ids that a draft table guessed and the model checked. */
  readonly drafted: number;
  /** Those of them that were right. */
  readonly accepted: number;
  /** What is wrong with the word, or null. */
  readonly error: G2PError | null;
}

/** What a model has done since it was opened. Words of lexicons are not counted. */
export interface Statistics {
  /** Words that the model finished. */
  readonly words: number;
  /** Ids that it generated. */
  readonly ids: number;
  /** Passes of its decoder, each word's own: ids, less those that guesses saved. */
  readonly passes: number;
  /** Ids that a draft table guessed and the model checked. */
  readonly drafted: number;
  /** Those of them that were right. */
  readonly accepted: number;
}

/** A part of a text. Together the parts are the text. */
export interface Part {
  readonly text: string;
  /** The index of its first code unit in the text. */
  readonly start: number;
  /** A word has a letter, a number a digit and no letter; a space cannot be seen; the others are punctuation and symbols. */
  readonly kind: "word" | "number" | "space" | "other";
  /** What is known of a word; null for the other kinds. */
  readonly result: Result | null;
}

/** A status of g2p.h, by its name; or one of this module's own, which come last. */
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
  | "G2P_UNSUPPORTED"
  | "G2P_FOREIGN_CHARACTER"
  | "G2P_INVALID_LEXICON"
  | "G2P_INVALID_DRAFT"
  /** The server has other weights than those of the npm package. */
  | "G2P_WRONG_DIGEST"
  /** What was given as the WebAssembly module is something else, cut off, or another program's. */
  | "G2P_INVALID_MODULE"
  /** The page may not compile WebAssembly: its Content-Security-Policy, or a switch of the browser, forbids it. */
  | "G2P_FORBIDDEN";

/** This module refused something, or could not do it. The message is one line. */
export class G2PError extends Error {
  readonly code: Code;
  /** The index of the wrong word, from 0; null if the error is not about a word. */
  readonly word: number | null;
  constructor(code: Code, message: string, word?: number | null);
}

/** Facts about the model. */
export interface Info {
  readonly dtype: "float32" | "float16" | "bfloat16" | "int8";
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
   * The call blocks for some milliseconds a word. Give long lists to `stream`, or run them in a worker.
   *
   * @throws G2PError if a word or the language is wrong. Then no word is pronounced.
   */
  pronounce(words: Words, lang: Languages, options?: CallOptions): string[];

  /**
   * As pronounce, but returns all that is known of each word. A wrong word has its own error, and ends nothing.
   *
   * @throws G2PError if something in the list is no string, or there is no memory.
   */
  results(words: Words, lang: Languages, options?: ResultsOptions): Result[];

  /**
   * Returns the best pronunciations of each word, the best first, with their scores. A wrong word has one result, with its
   * error, and ends nothing.
   *
   * Ids and scores are those of transformers' generate with as many beams. Two of a word's pronunciations may have the same
   * phonemes by different ids. A word that a lexicon has gets its pronunciations from there, without scores.
   *
   * @throws G2PError if count is more than beams, or these more than 64; if something in the list is no string; if there is
   *   no memory; G2P_UNSUPPORTED if the variant was built with kv_cache=false.
   */
  best(words: Words, lang: Languages, options?: BestOptions): Result[][];

  /**
   * Gives the results of any number of words, in their order, each soon after its word was taken.
   *
   * Timers, events and drawing have their turn every few milliseconds. Who leaves the loop takes no more words. An error
   * of `words` itself comes after the results of the words before it.
   *
   * @param words a list, or what gives words as they come.
   * @throws G2PError as results; the signal's reason when it stops the stream.
   */
  stream(words: Words | AsyncIterable<string>, lang: string, options?: ResultsOptions): AsyncGenerator<Result, void, undefined>;

  /**
   * Splits a text at Unicode's word boundaries, and pronounces its words. Numbers are not pronounced: write them out.
   *
   * Letters of a script without spaces between words, such as Thai, are one word up to the next space or mark.
   *
   * @throws G2PError if the text is no string, or holds half a surrogate pair, or the language is unknown.
   */
  text(text: string, lang: string, options?: ResultsOptions): Part[];

  /**
   * Adds a lexicon: words that are not left to the model. It comes before those that were added earlier, and before the
   * archive's own. A model takes up to 16.
   *
   * A word that is typed in capitals is looked up as it was typed, and then in lower case.
   *
   * @param lexicon a table (*.g2plex), or UTF-8 text with a word a line: the word, a tab, and its pronunciations with
   *   commas between them, the first of which is the answer.
   * @param lang the language of a text's words. A table has its own languages, and is given without.
   * @throws G2PError if it cannot be read or is no lexicon. The message names the line.
   */
  addLexicon(lexicon: Source, lang?: string | null, options?: CallOptions): Promise<void>;

  /**
   * Adds words with their pronunciations, as addLexicon does with a text of them: {tomato: ["təˈmeɪˌtoʊ", "təˈmɑˌtoʊ"]},
   * a Map, or a list of pairs. The first pronunciation of a word is the answer.
   *
   * @throws G2PError if a word or a pronunciation is none. The message names its line, from 1.
   */
  addWords(
    words: Readonly<Record<string, string | Iterable<string>>> | Iterable<readonly [string, string | Iterable<string>]>,
    lang: string,
  ): void;

  /**
   * Returns all pronunciations of a word in the first lexicon that has it, the answer first; none if no lexicon has it.
   *
   * @throws G2PError if the word is empty or holds a control character, or the language is unknown.
   */
  lookUp(word: string, lang: string): string[];

  /**
   * Returns the model's own code for a BCP 47 tag: eng-us for en-US. Every call takes both.
   *
   * @throws G2PError if the model does not know the language, or the tag may mean several. The message names them.
   */
  language(lang: string): string;

  /**
   * Keeps what the model said of the words that were used last, so that it need not say it again. Results are the same. Words
   * of your own come before what is kept.
   *
   * @param words how many; 0, as at first, for none. The memory is taken at once: half a kilobyte each, and more with larger bounds.
   * @throws G2PError if there is no memory for so many.
   */
  cacheWords(words: number): void;

  /**
   * Returns what the draft table guesses for a word before the model is asked; nothing if there is no table, or it has not
   * the language. It is for looking at: what is pronounced is the model's own.
   *
   * @throws G2PError if the word or the language is wrong.
   */
  guess(word: string, lang: string): string;

  /** What the model has done. What a call did is the difference between two of these. There are no times: see docs/drafts.md. */
  statistics(): Statistics;

  /** Frees the model. It cannot be used afterwards. */
  close(): void;
}

/**
 * Opens a model.
 *
 * @param weights the safetensors file, or the archive that holds it. The bytes are copied into the model's memory.
 * @throws G2PError if a file cannot be read or is another than was wanted, or the weights do not belong to the module;
 *   the signal's reason when it stops the loading.
 */
export function load(weights: Source, options?: LoadOptions): Promise<Model>;
