// Compiled, never run: what an app may write, and what its compiler must refuse.
import { G2PError, loadSpeech, type Piece, type Source, type Speech, type SpeakOptions } from "./tts.mjs";

export async function spoken(phonemes: string, weights: Source): Promise<string> {
  const speech: Speech = await loadSpeech(weights, fetch("voices.tar"), { module: new Uint8Array(), signal: null });
  const options: SpeakOptions = { voice: speech.voices[0], speed: 1.2, seed: 2n ** 63n, early: true, skipUnknown: false };
  const sound: Float32Array = await speech.say(phonemes, { mix: { af_heart: 0.3, am_adam: 0.7 }, seed: 7 });
  let seconds = sound.length / speech.limits.sampleRate;
  try {
    for await (const { samples, timings, first } of speech.speak(phonemes, { ...options, signal: AbortSignal.timeout(9) })) {
      seconds += (samples.length + first) / speech.limits.sampleRate;
      for (const { place, symbol } of timings) console.log(place + 1, symbol.toUpperCase());
    }
  } catch (error) {
    if (error instanceof G2PError && error.code === "G2P_UNKNOWN_PHONEME") return `${error.place ?? error.message}`;
    throw error;
  }
  await speech.addVoices(new Blob([]), { signal: AbortSignal.timeout(9) });
  const pieces: Piece[] = [];
  for await (const piece of speech.speak(speech.read([], "eng-us"), options)) pieces.push(piece);
  speech.trim();
  speech.close();
  return `${seconds} ${speech.info.dtype === "float16"} ${speech.info.model.weights ?? "published"}`;
}

export async function refused(speech: Speech): Promise<void> {
  // @ts-expect-error somebody must speak
  speech.speak("hI");
  // @ts-expect-error a misspelt option
  await speech.say("hI", { voices: "af_heart" });
  // @ts-expect-error voices are a file of their own
  await loadSpeech("weights.safetensors");
  // @ts-expect-error a speed is a number
  speech.speak("hI", { voice: "af_heart", speed: "1" });
  // @ts-expect-error an utterance is an iterator, not a promise
  await speech.speak("hI", { voice: "af_heart" }).then();
}
