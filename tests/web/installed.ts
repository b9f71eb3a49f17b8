// Compiled, never run: what an app of the npm package may write, and what its compiler must refuse.
import { G2PError, load, type LoadOptions, type Model, type Progress } from "g2p-embedded";
import * as core from "g2p-embedded/core";
import { load as loadInWorker, type Result, type WorkerModel } from "g2p-embedded/worker";

export async function used(bar: (part: number) => void): Promise<string> {
  const options: LoadOptions = { progress: ({ loaded, total }: Progress) => bar(loaded / total), draft: false };
  const direct: Model = await load(options);
  const model: WorkerModel = await loadInWorker({ ...options, weights: new URL("https://example.org/weights.tar") });
  const [phonemes] = await model.pronounce(new Set(["tie"]), "fin", { signal: AbortSignal.timeout(1000) });
  const results: Result[] = await model.results(["tie"], ["fin"], { scores: true });
  for await (const { error } of model.stream(["tie"], "fin")) if (error instanceof G2PError) break;
  await model.addWords({ Nguyen: "ˈwɪn" }, "eng-us");
  const other: core.Model = await core.load("weights.safetensors");
  model.close();
  return `${phonemes} ${results[0]?.score} ${direct.info.dtype} ${other.languages}`;
}

export async function refused(): Promise<void> {
  const model = await loadInWorker();
  // @ts-expect-error a promise is waited for
  model.pronounce(["tie"], "fin").join();
  // @ts-expect-error a string is not a list of words
  await model.results("tie", "fin");
  // @ts-expect-error a misspelt option
  await load({ weight: "weights.tar" });
  // @ts-expect-error progress is a function
  await load({ progress: true });
}
