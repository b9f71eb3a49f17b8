// What a page has in globalThis.said: node said.mjs URL BROWSER
//
// puppeteer-core is found where this file lies. Prints JSON.

import puppeteer from "puppeteer-core";

const [url, executablePath] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.said);
  console.log(JSON.stringify(await page.evaluate(() => globalThis.said)));
} finally {
  await browser.close();
}
