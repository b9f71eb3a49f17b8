import { load } from "./g2p/package/worker.mjs";
import { loadSpeech } from "./tts/package/worker.mjs";

const [text, language, voice, speak, phonemes, level, status] = [
  ...["text", "language", "voice", "speak", "phonemes", "level", "status"].map((id) => document.getElementById(id)),
];
const playing = new Set();
let [audio, speaking] = [null, null];

const progress = ({ loaded, total }) => (status.textContent = `Loading: ${Math.round((100 * loaded) / total)} %`);
const [g2p, speech] = await Promise.all([load(), loadSpeech({ progress })]);
for (const code of Object.keys(speech.info.model.languages)) if (g2p.languages.includes(code)) language.add(new Option(code));
for (const name of speech.voices) voice.add(new Option(name));
speak.addEventListener("click", () => (speaking ? speaking.abort() : spoken()));
speak.disabled = false;
status.textContent = "";

async function spoken() {
  speaking = new AbortController();
  speak.textContent = "Stop";
  try {
    await said(speaking.signal);
  } catch (error) {
    status.textContent = speaking.signal.aborted ? "stopped" : error.message;
    for (const source of playing) source.stop();
  }
  speaking = null;
  speak.textContent = "Speak";
}

async function said(signal) {
  const started = performance.now();
  const { sampleRate } = speech.limits;
  const output = opened();
  const parts = await g2p.text(text.value, language.value, { signal });
  phonemes.textContent = speech.read(parts, language.value);
  let [at, first, samples] = [0, null, 0];
  for await (const piece of speech.speak(phonemes.textContent, { voice: voice.value, early: true, signal })) {
    at = played(piece.samples, sampleRate, output, at);
    first ??= performance.now() - started;
    samples += piece.samples.length;
    status.textContent = `speaking; the first sound came after ${(first / 1000).toFixed(1)} s`;
  }
  const [seconds, took] = [samples / sampleRate, (performance.now() - started) / 1000];
  const figures = `${seconds.toFixed(1)} s of sound in ${took.toFixed(1)} s, the first after ${(first / 1000).toFixed(1)} s`;
  status.textContent = `made ${figures}`;
}

// Where sound goes: through a meter to the loudspeaker. A browser lets a page open it when somebody clicks.
function opened() {
  if (!audio) {
    const context = new AudioContext();
    audio = new AnalyserNode(context, { fftSize: 2048 });
    audio.connect(context.destination);
    const heard = new Float32Array(audio.fftSize);
    const show = () => {
      audio.getFloatTimeDomainData(heard);
      level.value = heard.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      requestAnimationFrame(show);
    };
    show();
  }
  audio.context.resume();
  return audio;
}

// Plays samples behind those that are playing, and returns when they will have ended.
function played(samples, sampleRate, output, at) {
  const { context } = output;
  const buffer = context.createBuffer(1, samples.length, sampleRate);
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(output);
  source.onended = () => playing.delete(source);
  playing.add(source);
  const start = Math.max(at, context.currentTime);
  source.start(start);
  return start + buffer.duration;
}
