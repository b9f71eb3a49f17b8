// One word at a time through g2p.wasm and through onnxruntime-web, in turn, in one process.
//
// Beside it lie what the build's archives hold, the three graphs, words.json and node_modules with onnxruntime-web.
// Prints JSON: for each contender the milliseconds of each round, and whether all agreed.

import { readFileSync } from "node:fs";

const here = (name) => new URL(name, import.meta.url);
const { words, rounds } = JSON.parse(readFileSync(here("words.json"), "utf8"));
const contract = JSON.parse(readFileSync(here("tokenizer.json"), "utf8"));

async function standalone() {
  const { load } = await import("./g2p.mjs");
  const model = await load(here("weights.safetensors"));
  return async ({ word, lang }) => model.pronounce([word], lang)[0];
}

async function onnxruntime() {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
  const open = (name) => ort.InferenceSession.create(readFileSync(here(`${name}.onnx`)), options);
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

const contenders = { g2p: await standalone(), "onnxruntime-web": await onnxruntime() };
const said = {};
const times = {};
for (let round = -1; round < rounds; round++) {
  for (const [name, pronounce] of Object.entries(contenders)) {
    const started = performance.now();
    const phonemes = [];
    for (const word of words) phonemes.push(await pronounce(word));
    const passed = (performance.now() - started) / words.length;
    said[name] ??= phonemes;
    if (round >= 0) (times[name] ??= []).push(passed); // the first one warms up
  }
}
const agree = words.every((_, at) => said.g2p[at] === said["onnxruntime-web"][at]);
console.log(JSON.stringify({ agree, times, versions: { node: process.version } }));
process.exit(0);
