// The model of this package: its module, and its weights, which a browser keeps.
//
//   import { load } from "g2p-embedded";
//   const g2p = await load({ progress: ({ loaded, total }) => bar(loaded / total) });
//   g2p.pronounce(["knight"], "eng-us");  // ["ˈnaɪt"]
//
// index.d.mts documents it. worker.mjs has the same in a worker.

import { G2PError, load as open } from "./g2p.mjs";
import { fileFrom } from "./kept.mjs";
import { invalid, known, shown } from "./loading.mjs";
import { name, weights as own } from "./variant.mjs";

export { G2PError };

export const OPTIONS = ["module", "weights", "lexicon", "draft", "progress", "signal"];
const BUILD = { cache: `g2p ${name}`, kept: [own] };

export async function load(options = {}) {
  const { weights, progress, ...others } = checkedOptions(options);
  others.signal?.throwIfAborted();
  return open(fileFrom(weights ?? besides(), own, BUILD, progress, others.signal), others);
}

// The options of a call of load, here or in a worker.
export function checkedOptions(options) {
  const { progress } = known(options, "load", OPTIONS);
  if (progress !== undefined && typeof progress !== "function") {
    throw invalid(`load: progress is a function, not ${shown(progress)}`);
  }
  return { ...options, signal: options.signal ?? undefined };
}

// The weights' place, if nobody names another.
function besides() {
  try {
    // Bundlers recognize this form and copy the file into the bundle.
    return new URL("weights.tar", import.meta.url);
  } catch {
    throw invalid("this bundle does not say where it lies, so weights.tar cannot be found beside it: give options.weights");
  }
}
