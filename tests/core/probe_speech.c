/* Calls what speech is made of, for the tests: noise, and where utterances are split. */
#include <string.h>

#include "model.h"
#include "tts.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void probe_noise(uint64_t seed, uint32_t stream, uint32_t harmonic, float *numbers, size_t count) {
  size_t cut = count / 8 * 4;
  tts_noise(seed, stream, harmonic, cut, numbers + cut, count - cut);
  tts_noise(seed, stream, harmonic, 0, numbers, cut);
}

/* The symbols of some phonemes: their ids are the code points' last seven bits. -1: a status, with the byte in the error. */
static const struct tts_symbol symbols[] = {
    {' ', 1}, {'!', 2}, {',', 3}, {'.', 4}, {';', 5}, {'?', 6}, {'a', 7}, {'b', 8}, {0x2c8, 9}, {0x2026, 10},
};

static const struct tts_traits traits = {
    .symbols = symbols, .symbols_count = sizeof symbols / sizeof *symbols, .max_symbols = 510};

EXPORT int64_t probe_pieces(const char *phonemes, size_t size, int32_t skip, int32_t early, size_t *ends,
                            g2p_error *error) {
  static struct tts_spoken spoken[1 << 16];
  size_t count, pieces = 0;
  g2p_status status = tts_read(&traits, (g2p_text){phonemes, size}, skip, spoken, &count, error);
  if (status != G2P_OK) return -(int64_t)status;
  for (size_t at = 0; at < count; pieces++) {
    at += tts_next_piece(&traits, spoken + at, count - at, early && !pieces);
    ends[pieces] = spoken[at - 1].start + spoken[at - 1].size;
  }
  return (int64_t)pieces;
}

/* A function of pieces of work, which writes down what is done: the piece's number and the part's. */
struct noted {
  const int32_t *parts; /* of each piece of work; a negative number ends them */
  int32_t (*done)[2];
  size_t count, capacity;
};

static struct noted *noted;
static int32_t piece;

static void note(const struct g2p_run *run, int32_t first, int32_t end, int32_t thread) {
  (void)run, (void)thread;
  if (first >= end && noted->count < noted->capacity) noted->done[noted->count++][0] = piece, first = end;
  for (int32_t part = first; part < end && noted->count < noted->capacity; part++) {
    noted->done[noted->count][0] = piece;
    noted->done[noted->count++][1] = part;
  }
}

static void whole(const struct g2p_run *run) {
  for (piece = 0; noted->parts[piece] >= 0; piece++) g2p_share(run, noted->parts[piece], note);
}

/* Runs it until it is done; what was done, and how many runs that took. */
EXPORT size_t probe_crew(const int32_t *parts, int32_t stepping, int32_t (*done)[2], size_t capacity, size_t *runs) {
  struct noted own = {.parts = parts, .done = done, .capacity = capacity};
  struct tts_crew crew;
  struct g2p_function function = {.role = "whole", .run = whole};
  struct g2p_run run = {.rows = 1, .share = tts_crew_share, .sharer = &crew};
  noted = &own;
  if (!tts_crew_begin(&crew, 1)) return 0;
  crew.stepping = stepping;
  *runs = 1;
  while (!tts_crew_run(&crew, &function, &run)) ++*runs;
  tts_crew_end(&crew);
  return own.count;
}

const tts_variant *tts_default(void);
const tts_variant *tts_default(void) { return NULL; }
