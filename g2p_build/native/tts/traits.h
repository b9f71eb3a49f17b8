/* What a speech model is besides its program: its symbols and its bounds. Generated from the checkpoint as model.inc. */
#ifndef TTS_TRAITS_H
#define TTS_TRAITS_H

#include <stddef.h>
#include <stdint.h>

struct tts_symbol {
  uint32_t code; /* Unicode's */
  int32_t id;
};

/* How a G2P model's phonemes of a language become symbols. */
struct tts_language {
  const char *code;
  const char *vowels;            /* characters that a vowel begins with: stress moves before the next of them */
  const char *const (*pairs)[2]; /* phonemes and their symbols: the first that matches counts */
  size_t pairs_count;
};

struct tts_traits {
  const struct tts_symbol *symbols; /* by their codes, ascending */
  size_t symbols_count;
  const struct tts_language *languages;
  const char *const *codes; /* theirs */
  size_t languages_count;
  int32_t edge_id;       /* stands before the first symbol and behind the last one */
  int32_t max_symbols;   /* of a piece */
  int32_t voice_rows;    /* of a voice: the n-th is for n + 1 symbols */
  int32_t style_dim;     /* half a voice's row: first the half for the decoder, then the one for the predictor */
  int32_t hidden_dim;    /* numbers of a token between the programs */
  int32_t harmonics;     /* sines of the source */
  int32_t frame_samples; /* samples of a frame */
  int32_t sample_rate;   /* hertz */
};

#endif
