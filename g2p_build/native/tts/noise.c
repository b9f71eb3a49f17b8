/* Noise: random bits by Philox, made normal by a table of quantiles. All of it is in integers, until a last product
 * that is exact. */
#include "model.h"
#include "noise_table.h"

static void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    uint64_t first = (uint64_t)0xD2511F53 * counter[0], second = (uint64_t)0xCD9E8D57 * counter[2];
    uint32_t next0 = (uint32_t)(second >> 32) ^ counter[1] ^ key0, next2 = (uint32_t)(first >> 32) ^ counter[3] ^ key1;
    counter[1] = (uint32_t)second;
    counter[3] = (uint32_t)first;
    counter[0] = next0;
    counter[2] = next2;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

/* The lowest bit is the sign. The others are a share of the distribution's two tails: the table has a row for each
 * power of two of it, and between two entries a line. */
static float normal(uint32_t bits) {
  uint32_t share = bits >> 1;
  if (share < 16) share = 16;
  int octave = __builtin_clz(share) - 1, places = 30 - octave;
  uint32_t within = share - ((uint32_t)1 << places);
  uint32_t step = within >> (places - TTS_STEP_BITS);
  uint32_t rest = within & (((uint32_t)1 << (places - TTS_STEP_BITS)) - 1);
  const int32_t *entry = &tts_quantiles[octave * (TTS_STEPS + 1) + (int)step];
  int64_t down = (int64_t)(entry[0] - entry[1]) * rest >> (places - TTS_STEP_BITS);
  int32_t found = entry[0] - (int32_t)down;
  return (float)(bits & 1 ? -found : found) * 0x1p-24F;
}

void tts_noise(uint64_t seed, uint32_t stream, uint32_t harmonic, size_t first, float *numbers, size_t count) {
  for (size_t at = 0; at < count; at += 4) {
    uint64_t four = (first + at) / 4;
    uint32_t counter[4] = {(uint32_t)four, (uint32_t)(four >> 32), stream, harmonic};
    philox(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
    for (size_t i = 0; i < 4 && at + i < count; i++) numbers[at + i] = normal(counter[i]);
  }
}
