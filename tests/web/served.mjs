// Runs a module that a server gives, as a page would: node --experimental-vm-modules served.mjs URL
//
// The module leaves a promise as globalThis.said. Prints what it gives, or the code and the message of its error. There
// is nothing of Node's in its globals.

import { SourceTextModule, createContext } from "node:vm";

const [entry] = process.argv.slice(2);
const element = () => ({ relList: { supports: () => true } });
const document = {
  baseURI: entry,
  currentScript: { tagName: "SCRIPT", src: entry },
  createElement: element,
  querySelector: () => null,
  querySelectorAll: () => [],
  getElementsByTagName: () => [],
};
const context = createContext({
  ...{ URL, Response, TextEncoder, TextDecoder, performance, MessageChannel, document, location: new URL(entry) },
  fetch: (place, options) => fetch(new URL(place, entry), options),
  MutationObserver: class {
    observe() {}
  },
});
context.window = context.self = context;

const modules = new Map();
async function moduleAt(url) {
  if (!modules.has(url)) {
    const response = await fetch(url);
    if (!/javascript/.test(response.headers.get("content-type"))) throw new Error(`${url} is no script`);
    const initializeImportMeta = (meta) => (meta.url = url);
    modules.set(url, new SourceTextModule(await response.text(), { context, identifier: url, initializeImportMeta }));
  }
  return modules.get(url);
}

const made = await moduleAt(entry);
await made.link((name, from) => moduleAt(new URL(name, from.identifier).href));
await made.evaluate();
console.log(JSON.stringify(await context.said.catch(({ code, message }) => [code, message])));
