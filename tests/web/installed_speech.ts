// Compiled, never run: what an app of the npm package may write, and what its compiler must refuse.
import { G2PError, loadSpeech, type LoadOptions, type Progress, type Speech } from "tts-kokoro-small";
import * as core from "tts-kokoro-small/core";
import { loadSpeech as loadInWorker, type Piece, type WorkerSpeech } from "tts-kokoro-small/worker";

export async function used(bar: (part: number) => void): Promise<number> {
  const options: LoadOptions = { progress: ({ loaded, total }: Progress) => bar(loaded / total), voices: "/voices.tar" };
  const direct: Speech = await loadSpeech(options);
  const speech: WorkerSpeech = await loadInWorker({ ...options, weights: new URL("https://example.org/weights.tar") });
  const pieces: Piece[] = [];
  for await (const piece of speech.speak(speech.read([], "eng-us"), { voice: "a", signal: AbortSignal.timeout(9) })) pieces.push(piece);
  const sound: Float32Array = await speech.say("hI", { mix: { a: 1, b: 2 } });
  const other: core.Speech = await core.loadSpeech("weights.safetensors", "voices.safetensors");
  await speech.trim();
  speech.close();
  return sound.length + pieces.length + direct.limits.frame + other.voices.length + Number(new Error() instanceof G2PError);
}

export async function refused(): Promise<void> {
  const speech = await loadInWorker();
  // @ts-expect-error a promise is waited for
  speech.say("hI", { voice: "a" }).length;
  // @ts-expect-error a misspelt option
  await loadSpeech({ voice: "voices.tar" });
  // @ts-expect-error progress is a function
  await loadSpeech({ progress: true });
}
