// Times steps in WebAssembly: node steps.mjs MODULE WEIGHTS MOST ROUNDS. Prints JSON: microseconds of steps of 1, 2, 3 ... tokens,
// "near" and "far", as __main__.py says.

import { readFileSync } from "node:fs";

const [module, weights, most, rounds] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));
const { malloc, memory, steps_begin, steps_run } = instance.exports;
const bytes = readFileSync(weights);
const place = Math.ceil(malloc(bytes.length + 64) / 64) * 64;
new Uint8Array(memory.buffer).set(bytes, place);
if (steps_begin(place, bytes.length)) throw new Error("the weights do not fit the module");

const other = new Float64Array(8 << 20);
let sum = 0;
function sweep() {
  for (let at = 0; at < other.length; at += 8) sum += other[at]++;
}

// One step, so that on a busy machine some are timed whole between two turns of other processes.
function timed(tokens) {
  const started = performance.now();
  steps_run(tokens, 1);
  return 1000 * (performance.now() - started);
}

const near = Array(+most).fill(Infinity);
const far = Array(+most).fill(Infinity);
for (let round = -20; round < rounds; round++) {
  for (let tokens = 1; tokens <= most; tokens++) {
    steps_run(tokens, 1);
    const found = timed(tokens);
    if (round >= 0) near[tokens - 1] = Math.min(near[tokens - 1], found); // before, the code is compiled again for speed
  }
}
for (let round = 0; round < rounds / 4; round++) {
  for (let tokens = 1; tokens <= most; tokens++) {
    sweep();
    far[tokens - 1] = Math.min(far[tokens - 1], timed(tokens));
  }
}
console.log(JSON.stringify({ near, far, sum }));
process.exit(0);
