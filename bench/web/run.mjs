// One word at a time through g2p.wasm and through onnxruntime-web, in turn, in one process.
//
// Beside it lie a folder for each dtype with what the build's archives hold, graphs-float32/ and graphs-int8/ with three
// graphs each, words.json and node_modules with onnxruntime-web. Prints JSON: each contender's milliseconds a word, round by
// round, and how many words each said as the first.

import { readFileSync } from "node:fs";

const here = (name) => new URL(name, import.meta.url);
const { words, rounds, ours, theirs } = JSON.parse(readFileSync(here("words.json"), "utf8"));
const contract = JSON.parse(readFileSync(here("float32/tokenizer.json"), "utf8"));

async function standalone([dtype, module, draft]) {
  const { load } = await import(`./${dtype}/g2p.mjs`);
  const model = await load(here(`${dtype}/weights.tar`), { module: here(`${dtype}/${module}`), draft, lexicon: false });
  return async ({ word, lang }) => model.pronounce([word], lang)[0];
}

async function onnxruntime(dtype) {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
  const open = (name) => ort.InferenceSession.create(readFileSync(here(`graphs-${dtype}/${name}.onnx`)), options);
  const [encoder, first, following] = [await open("encoder"), await open("decoder"), await open("decoder_with_past")];
  const tensor = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const utf8 = [new TextEncoder(), new TextDecoder()];

  return async ({ word, lang }) => {
    const prompt = contract.prompt.replace("{lang}", lang).replace("{word}", word);
    const ids = Array.from(utf8[0].encode(prompt), (byte) => byte + contract.byte_offset);
    if (contract.append_eos) ids.push(contract.eos_id);
    const mask = new ort.Tensor("float32", new Float32Array(ids.length).fill(1), [1, ids.length]);
    const feeds = { mask, ...(await encoder.run({ ids: tensor(ids), mask })) };
    const found = [];
    let token = contract.decoder_start_id;
    while (found.length < contract.max_output_len - 1) {
      const { logits, ...present } = await (found.length ? following : first).run({ ...feeds, token: tensor([token]) });
      token = greatest(logits.data);
      if (token === contract.eos_id) break;
      found.push(token);
      for (const [name, value] of Object.entries(present)) feeds[name.replace("present", "past")] = value;
    }
    return utf8[1].decode(Uint8Array.from(found.map((id) => id - contract.byte_offset).filter((byte) => byte >= 0)));
  };
}

function greatest(values) {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}

const contenders = {};
for (const [name, form] of Object.entries(ours)) contenders[name] = await standalone(form);
for (const dtype of theirs) contenders[`onnxruntime-web ${dtype}`] = await onnxruntime(dtype);
const names = Object.keys(contenders);
const times = Object.fromEntries(names.map((name) => [name, []]));
const said = {};
for (let round = -2; round < rounds; round++) {
  for (const name of names) {
    const before = process.cpuUsage();
    said[name] = [];
    for (const word of words) said[name].push(await contenders[name](word));
    const { user, system } = process.cpuUsage(before); // microseconds; what other processes take does not count
    const passed = (user + system) / 1000 / words.length;
    if (round >= 0) times[name].push(passed); // in the first two the code is compiled again for speed
  }
}
const same = (name) => words.filter((_, at) => said[name][at] === said[names[0]][at]).length;
const alike = Object.fromEntries(names.map((name) => [name, same(name)]));
console.log(JSON.stringify({ alike, times, node: process.version }));
process.exit(0);
