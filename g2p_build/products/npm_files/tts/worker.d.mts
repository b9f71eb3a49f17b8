import type { LoadOptions } from "./index.mjs";
import type { CallOptions, Info, Limits, Piece, Pronounced, Source, SpeakOptions } from "./tts.mjs";

export { G2PError } from "./tts.mjs";
export type { LoadOptions, Progress } from "./index.mjs";
export type { CallOptions, Code, Info, Limits, Piece, Pronounced, Source, SpeakOptions, Timing } from "./tts.mjs";

/**
 * The speech model in a worker: the page goes on while it speaks.
 *
 * A signal lets the caller go at once, with the signal's reason, and the worker stops within some hundredths of a second.
 */
export interface WorkerSpeech {
  readonly info: Info;
  readonly limits: Limits;
  /** The names of the voices. */
  readonly voices: readonly string[];

  /** The sound of phonemes, piece by piece. The next piece is made while the last is used. Wrong options are errors of the first step. */
  speak(phonemes: string, options: SpeakOptions): AsyncGenerator<Piece, void, undefined>;
  /** The whole sound of phonemes. */
  say(phonemes: string, options: SpeakOptions): Promise<Float32Array>;
  /** What the model reads for a text, from the parts that a G2P model gives. */
  read(parts: readonly Pronounced[], lang: string): string;
  addVoices(voices: Source, options?: CallOptions): Promise<void>;
  trim(): Promise<void>;

  /** Ends the worker, at once. What it has not yet answered fails with G2P_INVALID_ARGUMENT, as does every later call. */
  close(): void;
}

/**
 * Starts a worker and opens the speech model of this package in it. In Node the worker alone keeps no process alive.
 *
 * @throws G2PError as loadSpeech of the package; G2P_NO_FILE if the worker's script cannot be loaded.
 */
export function loadSpeech(options?: LoadOptions): Promise<WorkerSpeech>;
