/* Quantiles of the normal distribution: noise_table.c is generated. */
#ifndef TTS_NOISE_TABLE_H
#define TTS_NOISE_TABLE_H

#include <stdint.h>

enum { TTS_OCTAVES = 27, TTS_STEP_BITS = 4, TTS_STEPS = 1 << TTS_STEP_BITS };

#pragma GCC visibility push(hidden)
extern const int32_t tts_quantiles[TTS_OCTAVES * (TTS_STEPS + 1)]; /* in 24 binary places */
#pragma GCC visibility pop

#endif
