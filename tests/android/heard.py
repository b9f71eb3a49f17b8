"""LIBRARY WEIGHTS VOICES PHONEMES SPEED SEED [early]: what the runtime says with a library without a manifest."""

import sys
from pathlib import Path

from g2p_build.runtime import tts_library

library, weights, voices = map(Path, sys.argv[1:4])
phonemes, speed, seed = sys.argv[4], float(sys.argv[5]), int(sys.argv[6])
model = tts_library.open_model(library, weights, voices, 1)
pieces = list(model.speak(phonemes, {"first": 1.0}, speed, seed, 0, "early" in sys.argv[7:], False))
starts = [len(phonemes[:place].encode()) for place in range(len(phonemes))]
for piece in pieces:
    for timing in piece.timings:
        print(starts[timing.place], timing.first, timing.samples)
print(flush=True)
sys.stdout.buffer.write(b"".join(piece.samples for piece in pieces))
