import type { CoreOptions, Source, Speech } from "./tts.mjs";

export * from "./tts.mjs";

/** How much of weights and voices has come. `total` is known from the start, whatever the server says. */
export interface Progress {
  /** Bytes, as they are when they are unpacked. */
  readonly loaded: number;
  readonly total: number;
}

export interface LoadOptions extends CoreOptions {
  /**
   * Where this package's weights.tar lies, or its bytes. The default is the one beside this file.
   *
   * A page that has loaded it from a server finds it in Cache Storage from then on, under its digest, wherever it was
   * loaded from. What another build of the package has left there is removed.
   */
  weights?: Source;
  /** As `weights`, voices.tar. */
  voices?: Source;
  /** Called as the files come; once for each, at its end, where it is a file or kept. What it throws ends the loading. */
  progress?: (progress: Progress) => void;
}

/**
 * Opens the speech model of this package.
 *
 * @throws G2PError as loadSpeech of tts.mjs; G2P_WRONG_DIGEST if the server's file is another than this package's. The
 *   signal's reason when it stops the loading.
 */
export function loadSpeech(options?: LoadOptions): Promise<Speech>;
