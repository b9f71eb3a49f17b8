// Uses the demonstration in a browser: node page.mjs URL BROWSER SCREENSHOT
//
// puppeteer-core is found where this file lies. Prints what the page shows: at first, after a Finnish word was typed,
// after it was typed as a phone's keyboard would, after a word of another script, after a sentence; then whatever the page logged.

import puppeteer from "puppeteer-core";

const [url, executablePath, path] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-gpu"];
const browser = await puppeteer.launch({ executablePath, args, defaultViewport: { width: 640, height: 480 } });
try {
  const page = await browser.newPage();
  const logged = [];
  page.on("console", (message) => logged.push(message.text()));
  page.on("pageerror", (error) => logged.push(error.message));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("#status").textContent !== "Loading");
  const shown = () => page.evaluate(() => [phonemes.value, document.querySelector("#status").textContent]);
  const write = async (text) => {
    await page.click("#text", { count: 3 });
    await page.keyboard.type(text);
  };
  const found = [await shown()];
  await page.select("#language", "fin");
  await write("yhdyskunta");
  found.push(await shown());
  await page.screenshot({ path });
  await write("Yhdyskunta ");
  found.push(await shown());
  await write("знак");
  found.push(await shown());
  await write("Talo, 2 taloa!");
  found.push(await shown());
  console.log(JSON.stringify([...found, logged]));
} finally {
  await browser.close();
}
