import type { LoadOptions as CoreOptions, Model, Source } from "./g2p.mjs";

export * from "./g2p.mjs";

/** How much of the weights has come. `total` is known from the start, whatever the server says. */
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
  /** Called as the weights come; once, at the end, where they are a file or kept. What it throws ends the loading. */
  progress?: (progress: Progress) => void;
}

/**
 * Opens the model of this package.
 *
 * @throws G2PError as load of g2p.mjs; G2P_WRONG_DIGEST if the server's file is another than this package's. The signal's
 *   reason when it stops the loading.
 */
export function load(options?: LoadOptions): Promise<Model>;
