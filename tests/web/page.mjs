// Uses the demonstration in a browser: node page.mjs FOLDER BROWSER SCREENSHOT
//
// FOLDER is served from here, compressed. puppeteer-core is found where this file lies. Prints JSON. `shown` is what the page
// shows: at first, after a Finnish word was typed, after it was typed as a phone's keyboard would, after a word of another
// script, after a sentence. `downloaded` is how many bytes that took. `offline` is what a visit shows at first whose server
// is gone, `mended` what one shows that finds its weights damaged, and another build's beside them; `kept` is which weights
// the browser held before and after that, `logged` whatever the page said.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { createGzip } from "node:zlib";
import puppeteer from "puppeteer-core";

const [folder, executablePath, path] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
let downloaded = 0;
const server = createServer(({ url }, response) => {
  const place = new URL(url, "http://localhost").pathname;
  const file = join(folder, place === "/" ? "index.html" : place);
  if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, { "Content-Type": type, "Content-Encoding": "gzip", "Cache-Control": "max-age=60" });
  const compressed = createReadStream(file).pipe(createGzip());
  compressed.on("data", (data) => (downloaded += data.length));
  return compressed.pipe(response);
});
const listening = (port) => new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server.address().port)));
const port = await listening(0);
const url = `http://127.0.0.1:${port}/`;

const args = ["--no-sandbox", "--disable-gpu"];
const browser = await puppeteer.launch({ executablePath, args, defaultViewport: { width: 640, height: 480 } });
try {
  const page = await browser.newPage();
  const logged = [];
  page.on("console", (message) => logged.push(message.text()));
  page.on("pageerror", (error) => logged.push(error.message));
  const shown = () => page.evaluate(() => [phonemes.value, document.querySelector("#status").textContent]);
  const settled = async () => {
    await page.waitForFunction(() => !document.querySelector("#status").textContent.startsWith("Loading"));
    return shown();
  };
  const write = async (text) => {
    await page.click("#text", { count: 3 });
    await page.evaluate(() => (document.querySelector("#status").textContent = "Loading"));
    await page.keyboard.sendCharacter(text); // at once: letter by letter, the page would show it letter by letter
    return settled();
  };
  await page.goto(url);
  const found = [await settled()];
  await page.select("#language", "fin");
  found.push(await write("yhdyskunta"));
  await page.screenshot({ path });
  for (const text of ["Yhdyskunta ", "знак", "Talo, 2 taloa!"]) found.push(await write(text));

  const kept = () =>
    page.evaluate(async () => {
      const names = (await caches.keys()).filter((name) => name.startsWith("g2p "));
      const held = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)));
      return held.flat();
    });
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  const first = [await kept(), downloaded];
  server.close();
  server.closeAllConnections();
  await page.reload();
  const offline = await settled();
  await listening(port);
  // Another build's weights are there, and this one's are damaged: they come again, and alone.
  await page.evaluate(async (mine) => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith("g2p "));
    const cache = await caches.open(name);
    await cache.put(mine, new Response("damaged"));
    await cache.put("https://weights.invalid/0ld", new Response("old"));
  }, first[0][0]);
  await page.reload();
  const mended = await settled();
  console.log(JSON.stringify({ shown: found, downloaded: first[1], offline, mended, kept: [first[0], await kept()], logged }));
} finally {
  await browser.close();
  server.close();
}
