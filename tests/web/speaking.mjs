// How speaking goes on, and stops: node speaking.mjs FOLDER. Prints JSON.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { loadSpeech } = await import(pathToFileURL(join(folder, "tts.mjs")));
const files = ["weights.safetensors", "voices.safetensors"].map((file) => join(folder, file));
const speech = await loadSpeech(...files);
const long = "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. ".repeat(40);
const found = {};

// Timers have their turn while a piece is made.
const piece = "hI ".repeat(160);
let ticks = 0;
const timer = setInterval(() => ticks++, 0);
await speech.speak(piece, { voice: "first" }).next();
clearInterval(timer);
found.turns = ticks > 3;

// A signal stops a piece in the middle.
const early = new AbortController();
setTimeout(() => early.abort(new Error("at once")), 20);
found.atOnce = await speech.speak(piece, { voice: "first", signal: early.signal }).next().catch(({ message }) => message);

const stop = new AbortController();
const heard = [];
try {
  for await (const { first } of speech.speak(long, { voice: "first", signal: stop.signal })) {
    heard.push(first);
    if (heard.length === 2) stop.abort(new Error("enough"));
  }
} catch (error) {
  heard.push(error.message);
}
found.stopped = [heard.length, heard.at(-1)];
found.before = await speech.say("hI", { voice: "first", signal: AbortSignal.abort("no") }).catch((reason) => reason);

// Two utterances at once are what each is alone.
const same = (some, others) => some.every((value, index) => value === others[index]);
const alone = await Promise.all(["first", "second"].map((voice) => loadSpeech(...files).then((one) => one.say(long.slice(0, 100), { voice }))));
const together = await Promise.all(["first", "second"].map((voice) => speech.say(long.slice(0, 100), { voice })));
found.together = together.every((sound, index) => sound.length === alone[index].length && same(sound, alone[index]));
found.differ = !same(together[0], together[1]);

// A model that is closed while it speaks.
const speaking = (await loadSpeech(...files)).speak(long, { voice: "first" });
await speaking.next();
await speaking.return();
const other = await loadSpeech(...files);
const closing = other.speak(long, { voice: "first" });
await closing.next();
other.close();
found.closed = await closing.next().then(String, ({ code }) => code);

// Memory is that of the longest piece, however often it is spoken and whoever leaves in the middle.
const { instantiate } = WebAssembly;
let memory;
WebAssembly.instantiate = async (module) => {
  const instance = await instantiate(module);
  memory = instance.exports.memory;
  return instance;
};
const steady = await loadSpeech(...files);
const sizes = [];
for (let round = 0; round < 12; round++) {
  for await (const _ of steady.speak(long, { voice: "first" })) break;
  await steady.say("\u0000", { voice: "first" }).catch(() => {});
  sizes.push(memory.buffer.byteLength);
}
found.grown = sizes.at(-1) - sizes[2];
console.log(JSON.stringify(found));
