// Files of a package, which a browser keeps in Cache Storage.

import { G2PError, checked, isA, placed, read, readFrom } from "./loading.mjs";

// The bytes of a file of this package, where they come from a server, and else what is given.
//
// `own` says what the file is: `kind` (weights, voices), `size` and `sha256`. `build` says which files a browser is to keep:
// `cache` is the name of the cache that has them and nothing else, `kept` lists them all.
export async function fileFrom(source, own, build, progress, signal) {
  const given = await source;
  const isPlace = typeof given === "string" || isA(given, "URL");
  const { location } = globalThis;
  const address = isPlace && location ? new URL(given, location.href).href : String(given);
  if (isPlace && /^https?:/i.test(address)) return downloadedOrKept(address, own, build, progress, signal);
  const found = await read(given, signal);
  progress?.({ loaded: found.bytes.length, total: found.bytes.length });
  return checked(found, own.kind);
}

async function downloadedOrKept(address, own, build, progress, signal) {
  const store = await opened(build.cache);
  const kept = await fromStore(store, own, signal);
  if (kept) {
    progress?.({ loaded: own.size, total: own.size });
    return kept;
  }
  const found = await downloaded(address, own, progress, signal);
  const bytes = checked(found, own.kind);
  if (!(await isOwn(bytes, own))) {
    const advice = `give the ${own.kind}.tar that came with this package, or take its ./core for others`;
    throw new G2PError("G2P_WRONG_DIGEST", `${found.place} has ${bytes.length} bytes that are not this package's: ${advice}`);
  }
  await keep(store, own, build, bytes);
  return bytes;
}

// null where there is no Cache Storage: outside browsers, on a page without https, where the user forbids it.
async function opened(cache) {
  try {
    return await caches.open(cache);
  } catch {
    return null;
  }
}

// What is damaged is downloaded again.
async function fromStore(store, own, signal) {
  try {
    const found = await store?.match(key(own));
    const bytes = found && new Uint8Array(await found.arrayBuffer());
    signal?.throwIfAborted();
    return bytes && (await isOwn(bytes, own)) ? bytes : null;
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

// Keeps a file, and drops those of other builds. Where there is no room they are downloaded the next time too.
async function keep(store, own, build, bytes) {
  try {
    const keys = build.kept.map(key);
    for (const request of (await store?.keys()) ?? []) if (!keys.includes(request.url)) await store.delete(request);
    await store?.put(key(own), new Response(bytes));
  } catch {
    return;
  }
}

async function isOwn(bytes, own) {
  if (bytes.length !== own.size) return false;
  if (!globalThis.crypto?.subtle) return true; // on a page without https
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === own.sha256;
}

async function downloaded(address, own, progress, signal) {
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

// Caches know what they hold by addresses.
function key({ sha256 }) {
  return `https://weights.invalid/${sha256}`;
}
