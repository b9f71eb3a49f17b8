// Uses the speech package that is installed where this file lies, by its name: node installed_speech.mjs. Prints JSON.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import * as core from "tts-kokoro-small/core";
import { G2PError, loadSpeech } from "tts-kokoro-small";
import { loadSpeech as loadInWorker } from "tts-kokoro-small/worker";

const files = ["weights", "voices"].map((file) => new URL(`${file}.tar`, import.meta.resolve("tts-kokoro-small")));
const found = {};
const server = createServer(({ url }, response) => {
  if (url === "/weights" || url === "/voices") return response.end(readFileSync(files[Number(url === "/voices")]));
  if (url === "/other") return response.end(Buffer.concat([readFileSync(files[1]), Buffer.alloc(512)]));
  if (url !== "/hangs") return response.writeHead(404).end();
  response.on("close", () => (found.left = true));
  return response.writeHead(200).write("weights");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const at = (path) => `http://127.0.0.1:${server.address().port}${path}`;

const plain = (error) => (error instanceof G2PError ? [error.code, error.place] : String(error?.message ?? error));
const failed = (call) => call().then(() => null, plain);
const same = (some, others) => some.length === others.length && some.every((value, index) => value === others[index]);
const hello = "həlˈO wˈɜɹld, hˈI ðˈɛɹ.";
const long = "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. ".repeat(40);
const first = { voice: "first" };

// Before the good files come, which Deno keeps as browsers do.
const early = {
  page: await failed(() => loadSpeech({ weights: at("/nothing") })),
  other: await failed(() => loadSpeech({ voices: at("/other") })),
  both: await failed(() => loadSpeech({ weights: at("/hangs"), voices: at("/other"), progress: () => {} })),
};
for (let waited = 0; !found.left && waited < 5000; waited += 10) await new Promise((resolve) => setTimeout(resolve, 10));
const told = [];
const direct = await loadSpeech({ progress: (progress) => told.push(progress) });
found.told = [told.length, told.at(-1).loaded === told.at(-1).total];
const served = await loadSpeech({ weights: at("/weights"), voices: at("/voices"), progress: ({ loaded, total }) => (found.served = loaded / total) });
const opened = await core.loadSpeech(...files);
const model = await loadInWorker({ progress: () => (found.toldInWorker = true) });
found.facts = [model.voices, model.limits.sampleRate, model.info.dtype];
const sound = await direct.say(hello, first);
found.sound = sound.length > 12_000 && sound.every(Number.isFinite);
found.same = [];
for (const each of [served, opened, model]) found.same.push(same(sound, await each.say(hello, first)));
found.read = model.read([{ text: "hi", start: 0, kind: "word", result: { phonemes: "ˈhaɪ", error: null } }], "eng-us");

// Pieces come in order, and two utterances at once are what each is alone.
const pieces = [];
for await (const piece of model.speak(long.slice(0, 200), { ...first, seed: 7n, early: true })) pieces.push(piece);
found.order = [pieces.length > 2, pieces.every(({ first }, index) => !index || first === pieces[index - 1].first + pieces[index - 1].samples.length)];
found.timed = pieces.flatMap(({ timings }) => timings.map(({ symbol }) => symbol)).join("") === long.slice(0, 200);
const both = await Promise.all([model.say(hello, first), model.say(hello, { voice: "second" })]);
found.both = same(both[0], sound) && !same(both[1], sound);

// A signal, and whoever leaves, stop the worker behind the piece that it makes.
const stop = new AbortController();
const heard = [];
found.stopped = await failed(async () => {
  for await (const { first } of model.speak(long, { voice: "first", signal: stop.signal })) {
    heard.push(first);
    if (heard.length === 2) stop.abort(new Error("enough"));
  }
});
found.heard = heard.length;
for await (const _ of model.speak(long, first)) break;
const started = performance.now();
found.next = same(await model.say(hello, first), sound);
found.soon = performance.now() - started < 10_000;

found.refused = {
  ...early,
  phoneme: await failed(() => model.say("hI⁂", first)),
  voice: await failed(() => model.say("hI", { voice: "nobody" })),
  nobody: await failed(() => model.say("hI")),
  option: await failed(async () => model.speak("hI", { loud: true })),
  load: await failed(() => loadInWorker({ weight: "x" })),
  file: await failed(() => loadInWorker({ voices: "nowhere.tar" })),
  signal: await failed(() => loadSpeech({ signal: AbortSignal.abort("no") })),
  progress: await failed(() =>
    loadSpeech({
      progress: () => {
        throw new Error("from progress");
      },
    }),
  ),
};
await model.addVoices(files[1]);
await model.trim();
const pending = model.say(long, first);
setTimeout(() => model.close(), 100);
found.closed = [await failed(() => pending), await failed(() => model.say("hI", first))];
server.close();
server.closeAllConnections();
console.log(JSON.stringify(found));
