/* Calls what speech is made of, for the tests: noise, and where utterances are split. */
#include <string.h>

#include "model.h"
#include "tts.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void probe_noise(uint64_t seed, uint32_t stream, uint32_t harmonic, float *numbers, size_t count) {
  tts_noise(seed, stream, harmonic, numbers, count);
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

const tts_variant *tts_default(void);
const tts_variant *tts_default(void) { return NULL; }
