// The page without a network: its files are fetched while there is one, and kept for when there is none.

const KEPT = "page";
const LOADERS = ["asking.mjs", "hearing.mjs", "index.mjs", "kept.mjs", "loading.mjs", "relaxed.mjs", "thread.mjs", "variant.mjs", "worker.mjs"];
const PACKAGE = [...LOADERS, "g2p.mjs", "g2p.wasm", "g2p-relaxed.wasm"];
const FILES = ["./", "page.mjs", ...PACKAGE.map((file) => `package/${file}`)];

addEventListener("install", (event) => event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES))));

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const isWeights = url.endsWith("/weights.tar"); // kept by load, under their digest
  if (method === "GET" && !isWeights && new URL(url).origin === location.origin) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(KEPT);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
