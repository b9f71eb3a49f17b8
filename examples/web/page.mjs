import { G2PError, load } from "./g2p.mjs";

const [word, language, phonemes, status] = ["word", "language", "phonemes", "status"].map((id) =>
  document.getElementById(id),
);

function show(model) {
  const started = performance.now();
  try {
    [phonemes.value] = model.pronounce([word.value], language.value);
    status.textContent = `${(performance.now() - started).toFixed(1)} ms`;
  } catch (error) {
    if (!(error instanceof G2PError)) throw error;
    phonemes.value = "";
    status.textContent = error.message;
  }
}

try {
  const model = await load("weights.safetensors");
  for (const code of model.languages ?? ["eng-us"]) language.add(new Option(code));
  for (const field of [word, language]) field.addEventListener("input", () => show(model));
  show(model);
} catch (error) {
  status.textContent = error.message;
}
