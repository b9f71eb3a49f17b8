// Loads where WebAssembly may not be compiled, where there is none, and as it is: node --experimental-vm-modules forbidden.mjs FOLDER
//
// A context of V8 that generates no code is what a page's Content-Security-Policy makes. Prints the codes and messages.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SourceTextModule, createContext, runInContext } from "node:vm";

const [folder] = process.argv.slice(2);
const globals = { process, URL, TextEncoder, TextDecoder, performance };

async function loaded(wasm, setUp = "") {
  const context = createContext({ ...globals }, { codeGeneration: { wasm } });
  runInContext(setUp, context);
  const read = (name) => {
    const place = join(folder, name);
    const initializeImportMeta = (meta) => (meta.url = pathToFileURL(place).href);
    return new SourceTextModule(readFileSync(place, "utf8"), { context, initializeImportMeta });
  };
  const modules = Object.fromEntries(["g2p.mjs", "loading.mjs", "relaxed.mjs"].map((name) => [`./${name}`, read(name)]));
  const module = modules["./g2p.mjs"];
  await module.link((name) => modules[name]);
  await module.evaluate();
  try {
    await module.namespace.load(join(folder, "weights.safetensors"));
    return null;
  } catch ({ code, message }) {
    return [code, message];
  }
}

console.log(JSON.stringify([await loaded(false), await loaded(true, "delete globalThis.WebAssembly"), await loaded(true)]));
