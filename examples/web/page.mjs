import { load } from "./package/worker.mjs";

const [text, language, phonemes, status] = ["text", "language", "phonemes", "status"].map((id) =>
  document.getElementById(id),
);

const origins = {
  model: "by the model",
  lexicon: "from the lexicon",
  user: "from a list of yours",
  letters: "by the names of its letters",
};

let typed = new AbortController();

async function show(model) {
  typed.abort(); // what was typed before is no longer wanted
  const { signal } = (typed = new AbortController());
  const started = performance.now();
  try {
    const parts = await model.text(text.value, language.value, { signal });
    const took = `${(performance.now() - started).toFixed(1)} ms`;
    const results = parts.flatMap(({ result }) => result ?? []);
    phonemes.value = parts.map((part) => part.result?.phonemes || part.text).join("");
    const wrong = results.find(({ error }) => error);
    const origin = results.length === 1 ? origins[results[0].source] : `${results.length} words`;
    status.textContent = wrong?.error.message ?? `${origin}, ${took}`;
  } catch (error) {
    if (!signal.aborted) status.textContent = error.message;
  }
}

function loading({ loaded, total }) {
  status.textContent = `Loading: ${(loaded / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`;
}

try {
  // It keeps the page's files; load keeps the weights. From then on nothing is fetched.
  navigator.serviceWorker?.register("service-worker.mjs").catch(() => {});
  const model = await load({ progress: loading });
  for (const code of model.languages ?? ["eng-us"]) language.add(new Option(code));
  for (const field of [text, language]) field.addEventListener("input", () => show(model));
  await show(model);
} catch (error) {
  status.textContent = error.message;
}
