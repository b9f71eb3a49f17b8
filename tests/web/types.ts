// Compiled, never run: what an app may write, and what its compiler must refuse.
import { G2PError, load, type Model, type Result, type Source, type Statistics } from "./g2p.mjs";

const sources: Source[] = ["weights.safetensors", new URL("https://example.org/w"), new ArrayBuffer(8), new Uint8Array()];

export async function pronounced(word: string): Promise<string> {
  const model: Model = await load(sources[0]!, { module: new Uint8Array(), lexicon: false });
  try {
    const languages: readonly string[] | null = model.languages;
    const [phonemes] = model.pronounce(new Set([word]), languages?.[0] ?? "eng-us");
    return `${phonemes} ${model.info.dtype === "float16"}`;
  } catch (error) {
    if (error instanceof G2PError && error.code === "G2P_WORD_TOO_LONG") return `${error.word ?? error.message}`;
    throw error;
  } finally {
    model.close();
  }
}

export async function known(model: Model): Promise<string> {
  await model.addLexicon(new Blob(["a\tb"]), "eng-us");
  await model.addLexicon(fetch("lexicon.g2plex"));
  model.addWords({ tomato: ["təˈmeɪˌtoʊ", "təˈmɑˌtoʊ"], Nguyen: "ˈwɪn" }, "eng-us");
  model.addWords(new Map([["Nguyen", "ˈwɪn"]]), "eng-us");
  model.addWords([["Nguyen", "ˈwɪn"] as const], "eng-us");
  const results: Result[] = model.results(["knight"] as const, "eng-us", { scores: true });
  const [best]: Result[][] = model.best(["knight"], "eng-us", { count: 2, beams: 8, earlyStopping: true });
  if ((best?.[0]?.score ?? 0) < -1) return "unsure";
  const marked = results.map(({ word, phonemes, source, score, error }) =>
    error ? `${word}: ${error.message}` : `${phonemes} ${source === "user"} ${score?.toFixed(2)}`,
  );
  const { words, passes, accepted }: Statistics = model.statistics();
  const saved: number = words + passes + accepted + results.reduce((sum, { drafted }) => sum + drafted, 0);
  return [...marked, ...model.lookUp("tomato", "eng-us"), model.guess("knight", "eng-us"), saved].join();
}

export async function streamed(): Promise<string[]> {
  const controller = new AbortController();
  const model = await load(fetch("weights.tar"), { signal: controller.signal });
  await model.addLexicon("words.g2plex", null, { signal: AbortSignal.timeout(1000) });
  const found: string[] = model.pronounce(["knight", "tie"], ["eng-us", "fin"], { signal: controller.signal });
  for await (const { phonemes } of model.stream(["knight"], "eng-us", { scores: true, signal: controller.signal })) {
    found.push(phonemes);
  }
  const words: AsyncIterable<string> = (async function* () {
    yield "knight";
  })();
  for await (const result of model.stream(words, "eng-us")) if (result.error?.code === "G2P_FORBIDDEN") break;
  return found;
}

export async function refused(): Promise<void> {
  const model = await load("weights.safetensors");
  // @ts-expect-error a string is not a list of words
  model.pronounce("knight", "eng-us");
  // @ts-expect-error nor is it here
  model.results("knight", "eng-us");
  // @ts-expect-error a misspelt option
  model.results(["knight"], "eng-us", { score: true });
  // @ts-expect-error a misspelt option
  await load("weights.safetensors", { modul: new Uint8Array() });
  // @ts-expect-error a misspelt option
  model.best(["knight"], "eng-us", { n: 2 });
  // @ts-expect-error a controller is no signal
  await load("weights.safetensors", { signal: new AbortController() });
  // @ts-expect-error a string is not a list of words
  model.stream("knight", "eng-us");
  // @ts-expect-error a stream has one language
  model.stream(["knight"], ["eng-us"]);
  // @ts-expect-error words have a language
  model.addWords({ Nguyen: "ˈwɪn" });
  // @ts-expect-error there is no such source
  if (model.results([], "eng-us")[0]?.source === "guess") return;
  // @ts-expect-error a language is needed
  (await load("weights.safetensors")).pronounce(["knight"]);
  // @ts-expect-error a number is no source
  await load(3);
  // @ts-expect-error there is no such code
  if (new G2PError("G2P_NO_FILE", "").code === "NO_SUCH_CODE") return;
}
