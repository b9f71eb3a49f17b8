import { load } from "./g2p.mjs";

const [text, language, phonemes, status] = ["text", "language", "phonemes", "status"].map((id) =>
  document.getElementById(id),
);

const origins = {
  model: "by the model",
  lexicon: "from the lexicon",
  user: "from a list of yours",
  letters: "by the names of its letters",
};

function show(model) {
  const started = performance.now();
  const parts = model.text(text.value, language.value);
  const took = `${(performance.now() - started).toFixed(1)} ms`;
  const results = parts.flatMap(({ result }) => result ?? []);
  phonemes.value = parts.map((part) => part.result?.phonemes || part.text).join("");
  const wrong = results.find(({ error }) => error);
  const origin = results.length === 1 ? origins[results[0].source] : `${results.length} words`;
  status.textContent = wrong?.error.message ?? `${origin}, ${took}`;
}

try {
  const model = await load("weights.tar");
  for (const code of model.languages ?? ["eng-us"]) language.add(new Option(code));
  for (const field of [text, language]) field.addEventListener("input", () => show(model));
  show(model);
} catch (error) {
  status.textContent = error.message;
}
