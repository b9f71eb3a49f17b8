// The speech model of this package: its module, its weights and its voices, which a browser keeps.
//
//   import { loadSpeech } from "tts-kokoro-82m";
//   const speech = await loadSpeech({ progress: ({ loaded, total }) => bar(loaded / total) });
//   for await (const { samples } of speech.speak("həlˈO wˈɜɹld.", { voice: "af_heart" })) play(samples);
//
// index.d.mts documents it. worker.mjs has the same in a worker.

import { fileFrom } from "./kept.mjs";
import { invalid, known, shown } from "./loading.mjs";
import { G2PError, loadSpeech as open } from "./tts.mjs";
import { name, voices as ownVoices, weights as ownWeights } from "./variant.mjs";

export { G2PError };

const BUILD = { cache: `tts ${name}`, kept: [ownWeights, ownVoices] };

export async function loadSpeech(options = {}) {
  const { weights, voices, progress, ...others } = checkedOptions(options);
  others.signal?.throwIfAborted();
  const [told, toldToo] = both(progress);
  // Where one file fails, the other is not loaded on.
  const { signal } = others;
  const stop = new AbortController();
  const stopped = () => stop.abort(signal.reason);
  signal?.addEventListener("abort", stopped);
  try {
    return await open(
      fileFrom(weights ?? weightsBesides(), ownWeights, BUILD, told, stop.signal),
      fileFrom(voices ?? voicesBesides(), ownVoices, BUILD, toldToo, stop.signal),
      { ...others, signal: stop.signal },
    );
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stopped);
  }
}

// The options of a call of loadSpeech, here or in a worker.
export function checkedOptions(options) {
  const { progress } = known(options, "loadSpeech", ["module", "weights", "voices", "progress", "signal"]);
  if (progress !== undefined && typeof progress !== "function") {
    throw invalid(`loadSpeech: progress is a function, not ${shown(progress)}`);
  }
  return { ...options, signal: options.signal ?? undefined };
}

// Two functions that are told of a file each, and tell of both.
function both(progress) {
  if (!progress) return [];
  const total = ownWeights.size + ownVoices.size;
  const came = [0, 0];
  return came.map((_, file) => ({ loaded }) => {
    came[file] = loaded;
    progress({ loaded: came[0] + came[1], total });
  });
}

// The files' places, if nobody names others. Bundlers recognize this form and copy the files into the bundle.
function weightsBesides() {
  return beside("weights", () => new URL("weights.tar", import.meta.url));
}

function voicesBesides() {
  return beside("voices", () => new URL("voices.tar", import.meta.url));
}

function beside(file, place) {
  try {
    return place();
  } catch {
    throw invalid(`this bundle does not say where it lies, so ${file}.tar cannot be found beside it: give options.${file}`);
  }
}
