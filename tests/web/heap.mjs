// Takes and gives back memory of every size in a random order: node heap.mjs g2p.wasm
//
// Fails where two pieces overlap or one is not aligned. Prints the pages of memory: at first, after a first time
// through, and after ten more.

import { readFileSync } from "node:fs";

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(process.argv[2])));
const pages = () => exports.memory.buffer.byteLength / 65536;
let state = 1;
const random = (limit) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % limit;

function go() {
  const held = [];
  for (let turn = 0; turn < 4000; turn++) {
    if (held.length && random(100) < 45) {
      const [[start, size, mark]] = held.splice(random(held.length), 1);
      const piece = new Uint8Array(exports.memory.buffer, start, size);
      if (piece.some((byte) => byte !== mark)) throw new Error(`two pieces overlap at ${start}`);
      exports.free(start);
    } else {
      const size = random(8) ? random(300) : random(200_000);
      const start = exports.malloc(size);
      if (!start || start % 16) throw new Error(`${size} bytes at ${start}`);
      new Uint8Array(exports.memory.buffer, start, size).fill(turn % 251);
      held.push([start, size, turn % 251]);
    }
  }
  for (const [start] of held) exports.free(start);
}

const found = [pages()];
go();
state = 1;
found.push(pages());
for (let time = 0; time < 10; time++) {
  go();
  state = 1;
}
found.push(pages());
if (exports.malloc(2 ** 31 + 1) || exports.malloc(-1)) throw new Error("more than there can be was given");
exports.free(0);
console.log(JSON.stringify(found));
