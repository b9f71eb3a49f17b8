// Compiled, never run: what an app may write, and what its compiler must refuse.
import { G2PError, load, type Model, type Source } from "./g2p.mjs";

const sources: Source[] = ["weights.safetensors", new URL("https://example.org/w"), new ArrayBuffer(8), new Uint8Array()];

export async function pronounced(word: string): Promise<string> {
  const model: Model = await load(sources[0]!, { module: new Uint8Array() });
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

export async function refused(): Promise<void> {
  // @ts-expect-error a language is needed
  (await load("weights.safetensors")).pronounce(["knight"]);
  // @ts-expect-error a number is no source
  await load(3);
  // @ts-expect-error there is no such code
  if (new G2PError("G2P_NO_FILE", "").code === "NO_SUCH_CODE") return;
}
