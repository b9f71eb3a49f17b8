/** The bytes themselves, or a place to read them from: a URL, in Node also a path. */
export type Source = Now<string | URL | Response | Blob | ArrayBufferLike | ArrayBufferView>;

/** A value, or a promise of it. */
export type Now<T> = T | PromiseLike<T>;

export interface CallOptions {
  /** Stops the call, with the signal's reason. `speak` and `say` look at it every few milliseconds. */
  signal?: AbortSignal | null | undefined;
}

export interface CoreOptions extends CallOptions {
  /** The WebAssembly module. The default lies beside this file: tts-relaxed.wasm where the engine can run it, or tts.wasm. */
  module?: Source | Now<WebAssembly.Module>;
}

export interface SpeakOptions extends CallOptions {
  /** Who speaks: one of `voices`. */
  voice?: string | null | undefined;
  /** In place of `voice`: up to 8 voices, each with its share. Shares are taken in proportion. */
  mix?: Readonly<Record<string, number>> | null | undefined;
  /** 2 is twice as fast: see `limits`. The default is 1. */
  speed?: number;
  /** Of the noise that a voice is made of: from 0 to 2n ** 64n - 1n. The default is 0. */
  seed?: number | bigint;
  /** Whether the first piece ends as soon as it may, so that it is there sooner. The default is false. */
  early?: boolean;
  /** Whether characters that the model has no symbol for are left out. The default is false. */
  skipUnknown?: boolean;
}

/** Where a character of the phonemes is in the sound. */
export interface Timing {
  /** The index of its first code unit in the phonemes. */
  readonly place: number;
  readonly symbol: string;
  /** Its first sample, of the utterance. */
  readonly first: number;
  /** How many it has. */
  readonly samples: number;
}

/** A piece of an utterance. The samples of all, one behind the other, are the utterance. */
export interface Piece {
  /** Its first sample, of the utterance. */
  readonly first: number;
  /** From -1 to 1, one channel, `limits.sampleRate` a second. */
  readonly samples: Float32Array;
  /** Of its characters, in their order. Before the first and behind the last is some silence. */
  readonly timings: readonly Timing[];
}

/** What a model takes and gives. */
export interface Limits {
  /** The most symbols that a piece of an utterance has; longer phonemes are split. */
  readonly symbols: number;
  /** Of the sound, in hertz. */
  readonly sampleRate: number;
  /** Samples of a frame; each character lasts whole frames. */
  readonly frame: number;
  /** The speeds that there are. */
  readonly slowest: number;
  readonly fastest: number;
}

/** A part of a text, as `text` of a G2P model gives it. */
export interface Pronounced {
  readonly text: string;
  readonly start: number;
  readonly kind: "word" | "number" | "space" | "other";
  readonly result: { readonly phonemes: string; readonly error: Error | null } | null;
}

/** A status of tts.h, by its name; or one of this module's own, which come last. */
export type Code =
  | "G2P_NO_MEMORY"
  | "G2P_INVALID_ARGUMENT"
  /** There is nothing to say. */
  | "G2P_EMPTY_WORD"
  /** The phonemes are no string, or hold half a character. */
  | "G2P_INVALID_WORD"
  | "G2P_UNKNOWN_LANGUAGE"
  | "G2P_NO_FILE"
  | "G2P_INVALID_WEIGHTS"
  | "G2P_UNSUPPORTED_CPU"
  | "G2P_FOREIGN_CHARACTER"
  | "G2P_UNKNOWN_PHONEME"
  | "G2P_UNKNOWN_VOICE"
  | "G2P_INVALID_VOICES"
  /** The server has other files than those of the npm package. */
  | "G2P_WRONG_DIGEST"
  /** What was given as the WebAssembly module is something else, cut off, or another program's. */
  | "G2P_INVALID_MODULE"
  /** The page may not compile WebAssembly: its Content-Security-Policy, or a switch of the browser, forbids it. */
  | "G2P_FORBIDDEN";

/** This module refused something, or could not do it. The message is one line. */
export class G2PError extends Error {
  readonly code: Code;
  /** The index of an unknown phoneme's first code unit in the phonemes; null if the error is not about one. */
  readonly place: number | null;
}

/** Facts about the model. */
export interface Info {
  readonly dtype: "float32" | "float16";
  readonly model: {
    readonly symbols: Readonly<Record<string, number>>;
    /** What weights they are, if they are not the published ones. */
    readonly weights: string | null;
    /** The tables of `read`. */
    readonly languages: Readonly<Record<string, unknown>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface Speech {
  readonly info: Info;
  readonly limits: Limits;
  /** The names of the voices. */
  readonly voices: readonly string[];

  /**
   * The sound of phonemes, piece by piece, each as soon as it is made.
   *
   * Long phonemes are split at the ends of sentences, at other punctuation, at spaces. Timers, events and drawing have their turn every
   * few hundredths of a second. The same phonemes, voice, speed and seed give the same samples.
   *
   * @throws G2PError if an option is wrong; in place of the first piece, if a character has no symbol (`place` says which) or
   *   there is nothing to say. The signal's reason when it stops the speaking.
   */
  speak(phonemes: string, options: SpeakOptions): AsyncGenerator<Piece, void, undefined>;

  /** The whole sound of phonemes. Options and errors are those of `speak`. */
  say(phonemes: string, options: SpeakOptions): Promise<Float32Array>;

  /**
   * What the model reads for a text: its pronunciations by the model's table of their language, punctuation as it is.
   *
   * @param parts of the text: `g2p.text(text, lang)` of a G2P model.
   * @param lang the language of its words, by its own code, which `g2p.language` finds.
   * @throws G2PError if there is no table for the language, the text has a number, or a word cannot be pronounced or said.
   */
  read(parts: readonly Pronounced[], lang: string): string;

  /**
   * Adds a file of voices. A name that is there already stays what it was.
   *
   * @throws G2PError if it cannot be read or is no file of this model's voices.
   */
  addVoices(voices: Source, options?: CallOptions): Promise<void>;

  /** Gives back the memory that speaking has worked with, for what comes next. Between calls a model keeps that of its longest piece. */
  trim(): void;

  /** Frees the model. It cannot be used afterwards. */
  close(): void;
}

/**
 * Opens a speech model.
 *
 * @param weights the safetensors file, or the archive that holds it. As the voices', its bytes are copied into the model's memory.
 * @param voices a file of voices, or the archive that holds it.
 * @throws G2PError if a file cannot be read or is another than was wanted, or does not belong to the module; the signal's
 *   reason when it stops the loading.
 */
export function loadSpeech(weights: Source, voices: Source, options?: CoreOptions): Promise<Speech>;
