/* What the files of this family share. Nothing here is exported. */
#ifndef TTS_MODEL_H
#define TTS_MODEL_H

#include "core.h"
#include "crew.h"
#include "threads.h"
#include "traits.h"
#include "tts.h"

#pragma GCC visibility push(hidden)

enum { TTS_MOST_VOICES = 512, TTS_MOST_THREADS = 64 };

const tts_variant *tts_default(void);

/* One voice: its name as JSON, with its quotes. */
struct tts_voice {
  g2p_text name;
  const float *rows; /* [rows][2 * style] */
};

struct tts_room { /* memory of a call, kept for the next one */
  char *memory;
  size_t size;
};

struct tts {
  const struct g2p_variant *variant;
  const struct tts_traits *traits;
  g2p_allocator own;
  const g2p_allocator *allocator;
  struct g2p_mapping mapping;
  uint32_t threads;
  int32_t extension; /* of the program, that the CPU has */
  g2p_mutex mutex;   /* of all that follows */
  struct tts_room idle;
  struct tts_voice voices[TTS_MOST_VOICES];
  uint32_t voices_count; /* read without the mutex, behind an acquire */
  struct g2p_mapping files[TTS_MOST_VOICE_FILES];
  uint32_t files_count;
  const void **weights;
};

/* voices.c */

/* Blends voices' rows for a number of symbols into 2 * style numbers; `mixture` was checked. */
void tts_blend(const tts *model, const tts_share *mixture, size_t count, size_t symbols, float *style);

const struct tts_voice *tts_find_voice(const tts *model, const char *name);

/* speak.c: an utterance, piece by piece. tts_speak is these functions in a loop. */

typedef struct tts_utterance tts_utterance;

/* The request, and all that it points to, stay where they are until tts_end. With `stepping` one thread speaks, and tts_step
 * does little at a time. */
g2p_status tts_begin(tts *model, const tts_request *request, bool stepping, tts_utterance **begun, g2p_error *error);

/* The next piece, which lives until the next call; one without samples where none is left. */
g2p_status tts_next(tts_utterance *utterance, tts_piece *piece, g2p_error *error);

/* As tts_next, but does only what comes next: the piece has no samples until it is complete. */
g2p_status tts_step(tts_utterance *utterance, tts_piece *piece, g2p_error *error);

/* Whether no piece is left. */
bool tts_ended(const tts_utterance *utterance);

void tts_end(tts_utterance *utterance);

/* pieces.c */

/* A symbol, and the character that it was. */
struct tts_spoken {
  int32_t id;
  uint32_t code;
  size_t start, size; /* bytes of the phonemes */
};

/* The symbols of some phonemes; `spoken` has room for one a byte. */
g2p_status tts_read(const struct tts_traits *traits, g2p_text phonemes, bool skip, struct tts_spoken *spoken,
                    size_t *count, g2p_error *error);

/* How many of the symbols the next piece has: at least 1, at most the model's bound. */
size_t tts_next_piece(const struct tts_traits *traits, const struct tts_spoken *spoken, size_t count, bool early);

/* noise.c */

/* Numbers of a normal distribution: the same for the same seed, stream and place, on every processor. The first place
 * is a multiple of 4.
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011: Philox 4x32 with 10 rounds.) */
void tts_noise(uint64_t seed, uint32_t stream, uint32_t harmonic, size_t first, float *numbers, size_t count);

#pragma GCC visibility pop
#endif
