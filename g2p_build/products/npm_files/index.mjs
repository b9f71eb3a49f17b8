// The model of this package: its module, and its weights, which a browser keeps.
//
//   import { load } from "g2p-embedded";
//   const g2p = await load({ progress: ({ loaded, total }) => bar(loaded / total) });
//   g2p.pronounce(["knight"], "eng-us");  // ["ˈnaɪt"]
//
// index.d.mts documents it. worker.mjs has the same in a worker.

import { G2PError, checked, invalid, isA, known, load as open, placed, read, readFrom, shown } from "./g2p.mjs";
import { name, weights as own } from "./variant.mjs";

export { G2PError };

export const OPTIONS = ["module", "weights", "lexicon", "draft", "progress", "signal"];
const KEPT = `g2p ${name}`; // the cache that holds this variant's weights, and nothing else
const KEY = `https://weights.invalid/${own.sha256}`; // caches know what they hold by addresses

export async function load(options = {}) {
  const { weights, progress, ...others } = checkedOptions(options);
  others.signal?.throwIfAborted();
  return open(weightsFrom(weights ?? besides(), progress, others.signal), others);
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

// What `open` takes: the bytes, where they come from a server, and else the source as it is.
async function weightsFrom(source, progress, signal) {
  const given = await source;
  const isPlace = typeof given === "string" || isA(given, "URL");
  const { location } = globalThis;
  const address = isPlace && location ? new URL(given, location.href).href : String(given);
  if (isPlace && /^https?:/i.test(address)) return downloadedOrKept(address, progress, signal);
  const found = await read(given, signal);
  progress?.({ loaded: found.bytes.length, total: found.bytes.length });
  return checked(found, "weights");
}

async function downloadedOrKept(address, progress, signal) {
  const store = await opened();
  const kept = await fromStore(store, signal);
  if (kept) {
    progress?.({ loaded: own.size, total: own.size });
    return kept;
  }
  const found = await downloaded(address, progress, signal);
  const bytes = checked(found, "weights");
  if (!(await isOwn(bytes))) {
    const advice = "give the weights.tar that came with this package, or take load of its ./core for others";
    throw new G2PError("G2P_WRONG_DIGEST", `${found.place} has ${bytes.length} bytes that are not this package's: ${advice}`);
  }
  await keep(store, bytes);
  return bytes;
}

// null where there is no Cache Storage: outside browsers, on a page without https, where the user forbids it.
async function opened() {
  try {
    return await caches.open(KEPT);
  } catch {
    return null;
  }
}

// What is damaged is downloaded again.
async function fromStore(store, signal) {
  try {
    const found = await store?.match(KEY);
    const bytes = found && new Uint8Array(await found.arrayBuffer());
    signal?.throwIfAborted();
    return bytes && (await isOwn(bytes)) ? bytes : null;
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

// Keeps the weights, and drops those of other builds. Where there is no room they are downloaded the next time too.
async function keep(store, bytes) {
  try {
    for (const request of (await store?.keys()) ?? []) if (request.url !== KEY) await store.delete(request);
    await store?.put(KEY, new Response(bytes));
  } catch {
    return;
  }
}

async function isOwn(bytes) {
  if (bytes.length !== own.size) return false;
  if (!globalThis.crypto?.subtle) return true; // on a page without https
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === own.sha256;
}

async function downloaded(address, progress, signal) {
  const place = placed(address);
  const response = await readFrom(place, signal, () => fetch(address, { signal }));
  if (!response.ok || !response.body || !progress) return read(response, signal);
  // The length that a server names is that of what it sends, which may be compressed.
  const total = own.size;
  const reader = response.body.getReader();
  const pieces = [];
  let loaded = 0;
  try {
    for (;;) {
      const { done, value } = await readFrom(place, signal, () => reader.read());
      if (done) break;
      pieces.push(value);
      loaded += value.length;
      progress({ loaded, total });
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return { bytes, place, type: response.headers.get("content-type") ?? "" };
}
