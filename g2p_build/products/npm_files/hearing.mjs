// The worker's side of asking.mjs: hears what is asked, and answers one message after the other.

import { G2PError } from "./loading.mjs";

const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
const port = threads?.parentPort ?? globalThis;
const running = new Map();

// `answer` takes a call's name, its arguments, and { signal, told }: what is told is progress.
export function hear(answer) {
  if (threads?.parentPort) port.on("message", (message) => heard(answer, message));
  else port.onmessage = ({ data }) => heard(answer, data);
}

// An error as a message can hold it.
function plain({ code, message, word, place }) {
  return { code, message, word, place };
}

function withPlainError(value) {
  if (Array.isArray(value)) return value.map(withPlainError);
  if (value?.result) return { ...value, result: withPlainError(value.result) };
  return value?.error ? { ...value, error: plain(value.error) } : value;
}

async function heard(answer, { id, name, args, stop }) {
  if (stop) return running.get(stop)?.abort();
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const told = (progress) => port.postMessage({ id, progress });
    const value = await answer(name, args, { signal: controller.signal, told });
    const buffers = value?.samples ? [value.samples.buffer] : []; // sound is moved, not copied
    port.postMessage({ id, value: Array.isArray(value) ? withPlainError(value) : value }, buffers);
  } catch (error) {
    port.postMessage(error instanceof G2PError ? { id, error: plain(error) } : { id, thrown: String(error) });
  } finally {
    running.delete(id);
  }
}
