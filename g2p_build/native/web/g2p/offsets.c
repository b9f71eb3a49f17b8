/* What g2p.mjs has to know of g2p.h: it reads and writes these structures by hand. */
#include <stddef.h>

#include "g2p.h"

_Static_assert(sizeof(g2p_error) == 248 && offsetof(g2p_error, message) == 8, "g2p_error");
_Static_assert(sizeof(g2p_request) == 36 && offsetof(g2p_request, lang) == 12, "g2p_request");
_Static_assert(offsetof(g2p_request, flags) == 24, "g2p_request");
_Static_assert(sizeof(g2p_text) == 8 && sizeof(g2p_texts) == 12 && offsetof(g2p_texts, count) == 8, "g2p_text");
_Static_assert(sizeof(g2p_options) == 20 && offsetof(g2p_options, flags) == 4, "g2p_options");
_Static_assert(sizeof(g2p_results) == 12 && offsetof(g2p_results, count) == 4, "g2p_results");
_Static_assert(sizeof(g2p_search) == 16 && offsetof(g2p_search, count) == 4, "g2p_search");
_Static_assert(offsetof(g2p_search, beams) == 8 && offsetof(g2p_search, early) == 12, "g2p_search");
_Static_assert(offsetof(g2p_result, word) == 4 && offsetof(g2p_result, phonemes) == 8, "g2p_result");
_Static_assert(offsetof(g2p_result, ids_count) == 20, "g2p_result");
_Static_assert(offsetof(g2p_result, status) == 28 && offsetof(g2p_result, source) == 32, "g2p_result");
_Static_assert(offsetof(g2p_result, truncated) == 36 && offsetof(g2p_result, repeats) == 40, "g2p_result");
_Static_assert(offsetof(g2p_result, score) == 44 && offsetof(g2p_result, message) == 48, "g2p_result");
_Static_assert(offsetof(g2p_result, passes) == 56 && offsetof(g2p_result, accepted) == 64, "g2p_result");
_Static_assert(sizeof(g2p_statistics) == 80 && offsetof(g2p_statistics, words) == 8, "g2p_statistics");
_Static_assert(offsetof(g2p_statistics, accepted) == 40, "g2p_statistics");
_Static_assert(G2P_NO_LEXICON == 2 && G2P_NO_DRAFT == 4 && G2P_SCORES == 2 && G2P_EACH == 4, "flags");
_Static_assert(G2P_FROM_LEXICON == 1 && G2P_FROM_USER == 2 && G2P_FROM_LETTERS == 3, "g2p_source");
