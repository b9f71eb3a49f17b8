// Uses the page that speaks in a browser: node speech_page.mjs FOLDER BROWSER SCREENSHOT
//
// FOLDER is served from here. puppeteer-core is found where this file lies. Prints JSON: what the page read, what it said of its
// sound, the loudest that its meter was, what it showed when it was stopped and for a number, and whatever it logged.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import puppeteer from "puppeteer-core";

const [folder, executablePath, path] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const server = createServer(({ url }, response) => {
  const place = new URL(url, "http://localhost").pathname;
  const file = join(folder, place === "/" ? "index.html" : place);
  if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
  return createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const args = ["--no-sandbox", "--disable-gpu", "--mute-audio"];
const browser = await puppeteer.launch({ executablePath, args, defaultViewport: { width: 640, height: 700 } });
try {
  const page = await browser.newPage();
  const logged = [];
  page.on("console", (message) => logged.push(message.text()));
  page.on("pageerror", (error) => logged.push(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => !document.querySelector("#speak").disabled);
  const shown = (start) =>
    page.waitForFunction((start) => document.querySelector("#status").textContent.startsWith(start), {}, start);
  const text = (id) => page.evaluate((id) => document.querySelector(id).textContent, id);
  await page.evaluate(() => {
    globalThis.loudest = 0;
    setInterval(() => (globalThis.loudest = Math.max(loudest, document.querySelector("#level").value)), 5);
  });
  const write = (words) => page.evaluate((words) => (document.querySelector("#text").value = words), words);
  await page.click("#speak");
  await shown("made ");
  await page.waitForFunction(() => loudest > 0);
  const found = { phonemes: await text("#phonemes"), status: await text("#status"), loudest: await page.evaluate(() => loudest) };
  await page.screenshot({ path });
  await write("hello world. ".repeat(200));
  await page.click("#speak");
  await shown("speaking");
  await page.click("#speak");
  await shown("stopped");
  await write("2 days");
  await page.click("#speak");
  await shown("the text");
  console.log(JSON.stringify({ ...found, refused: await text("#status"), button: await text("#speak"), logged }));
} finally {
  await browser.close();
  server.close();
}
