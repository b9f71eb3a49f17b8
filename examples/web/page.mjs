import { load } from "./g2p.mjs";

const [word, language, phonemes, status] = ["word", "language", "phonemes", "status"].map((id) =>
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
  const [result] = model.results([word.value], language.value);
  const took = `${(performance.now() - started).toFixed(1)} ms`;
  phonemes.value = result.phonemes;
  status.textContent = result.error?.message ?? `${origins[result.source]}, ${took}`;
}

try {
  const model = await load("weights.tar");
  for (const code of model.languages ?? ["eng-us"]) language.add(new Option(code));
  for (const field of [word, language]) field.addEventListener("input", () => show(model));
  show(model);
} catch (error) {
  status.textContent = error.message;
}
