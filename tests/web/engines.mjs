// Which module is taken in engines of every kind: node engines.mjs FOLDER
//
// An engine is WebAssembly with another dot product of bytes. Prints JSON: whether the module for relaxed SIMD is taken.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { relaxed } = await import(pathToFileURL(join(folder, "loading.mjs")));

// Four bytes times four: how the second one is read, and what becomes of the sum of two products.
const dotOf = (byte, pair) => (one, other) => {
  const products = [0, 8, 16, 24].map((at) => (((one >> at) << 24) >> 24) * byte((other >> at) & 255));
  return pair(products[0] + products[1]) + pair(products[2] + products[3]);
};
const signed = (byte) => (byte << 24) >> 24;
const unsigned = (byte) => byte;
const whole = (sum) => sum;
const saturated = (sum) => Math.max(-32768, Math.min(32767, sum));
const wrapped = (sum) => (sum << 16) >> 16;

const engine = (dot, supported = true) => ({
  validate: () => supported,
  Module: class {},
  Instance: class {
    exports = { dot };
  },
});
const forbidding = {
  validate: () => true,
  Module: class {
    constructor() {
      throw new Error("a policy");
    }
  },
};
const engines = {
  "signed, as ARM": engine(dotOf(signed, whole)),
  "signed, pairs of 16 bits": engine(dotOf(signed, wrapped)),
  "unsigned, as AVX-VNNI": engine(dotOf(unsigned, whole)),
  "unsigned and saturated, as SSSE3": engine(dotOf(unsigned, saturated)),
  "unsigned and wrapped": engine(dotOf(unsigned, wrapped)),
  "no relaxed SIMD": engine(dotOf(signed, whole), false),
  "a policy that forbids to compile": forbidding,
  "no WebAssembly": undefined,
};
const found = {};
for (const [name, value] of Object.entries(engines)) {
  globalThis.WebAssembly = value;
  found[name] = relaxed();
}
console.log(JSON.stringify(found));
