/* What a speech model is besides its program: its symbols and its bounds. Generated from the checkpoint as model.inc. */
#ifndef TTS_VOICE_TRAITS_H
#define TTS_VOICE_TRAITS_H

#include <stddef.h>
#include <stdint.h>

struct tts_symbol {
  uint32_t code; /* Unicode's */
  int32_t id;
};

struct tts_traits {
  const struct tts_symbol *symbols; /* by their codes, ascending */
  size_t symbols_count;
  int32_t edge_id;     /* stands before the first symbol and behind the last one */
  int32_t most;        /* symbols of a piece */
  int32_t style;       /* numbers of half a voice's row: first those for the decoder, then those for the predictor */
  int32_t rows;        /* of a voice: the n-th is for n + 1 symbols */
  int32_t hidden;      /* numbers of a token between the programs */
  int32_t harmonics;   /* sines of the source */
  int32_t frame;       /* samples of a frame */
  int32_t sample_rate; /* hertz */
};

#endif
