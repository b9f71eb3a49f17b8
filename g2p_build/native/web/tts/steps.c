/* An utterance step by step, for tts.mjs: between two steps a page draws and hears. A module has no threads. */
#include <stddef.h>

#include "model.h"

#define EXPORTED(name) __attribute__((export_name(#name))) name

/* tts.mjs reads and writes these structures by hand. */
_Static_assert(sizeof(g2p_error) == 248 && offsetof(g2p_error, message) == 8, "g2p_error");
_Static_assert(sizeof(tts_options) == 16, "tts_options");
_Static_assert(sizeof(tts_request) == 56 && offsetof(tts_request, voice) == 12, "tts_request");
_Static_assert(offsetof(tts_request, mixture_count) == 20 && offsetof(tts_request, speed) == 24, "tts_request");
_Static_assert(offsetof(tts_request, seed) == 32 && offsetof(tts_request, flags) == 44, "tts_request");
_Static_assert(sizeof(tts_share) == 8 && offsetof(tts_share, weight) == 4, "tts_share");
_Static_assert(sizeof(tts_piece) == 32 && offsetof(tts_piece, first) == 8, "tts_piece");
_Static_assert(offsetof(tts_piece, samples_count) == 20 && offsetof(tts_piece, timings_count) == 28, "tts_piece");
_Static_assert(sizeof(tts_timing) == 24 && offsetof(tts_timing, first) == 8, "tts_timing");
_Static_assert(offsetof(tts_timing, samples) == 16, "tts_timing");
_Static_assert(sizeof(tts_bounds) == 20 && offsetof(tts_bounds, slowest) == 12, "tts_bounds");
_Static_assert(TTS_SKIP_UNKNOWN == 1 && TTS_EARLY == 2 && TTS_MOST_MIXED == 8, "tts_request");

g2p_status EXPORTED(tts_step_begin)(tts *model, const tts_request *request, tts_utterance **begun, g2p_error *error) {
  g2p_no_error(error);
  return tts_begin(model, request, true, begun, error);
}

/* Does some milliseconds of work. The piece has no samples until it is complete; *ended says that none is left. */
g2p_status EXPORTED(tts_step_next)(tts_utterance *utterance, tts_piece *piece, int32_t *ended, g2p_error *error) {
  g2p_no_error(error);
  g2p_status status = tts_step(utterance, piece, error);
  *ended = tts_ended(utterance);
  return status;
}

void EXPORTED(tts_step_end)(tts_utterance *utterance) { tts_end(utterance); }
