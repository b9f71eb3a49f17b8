/* Words to ids and ids to phonemes. */
#ifndef G2P_TEXT_H
#define G2P_TEXT_H

#include "core.h"
#include "language.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

/* How the words of a language are written; NULL: nobody says. */
const struct g2p_writing *g2p_writing_of(const struct g2p_traits *traits, const char *lang);

/* Whether a text is UTF-8 with something in it besides white space, and without control characters. */
bool g2p_is_word(g2p_text text);

/* Whether a text could be a language's code: UTF-8, not empty and without control characters. */
bool g2p_is_code(g2p_text text);

/* Whether a text is UTF-8 and nothing but white space. */
bool g2p_is_blank(g2p_text text);

/* Refuses what is no word in any language: what g2p_is_word is false of. */
g2p_status g2p_check_word(g2p_text word, g2p_error *error);

/* The input ids of a word: at most traits->input_len of them go to `ids`. The language has been checked. */
g2p_status g2p_encode(const struct g2p_traits *traits, g2p_text word, const char *lang, int32_t *ids, int32_t *count,
                      g2p_error *error);

/* The letters of a word that has been encoded, as code points of its form: at most traits->input_len. `room` has space for
 * as many ids. Returns how many letters there are. */
size_t g2p_letters(const struct g2p_traits *traits, g2p_text word, const char *lang, int32_t *room, uint32_t *letters);

/* The text of generated ids: special ids and ids of no byte are dropped, and so is broken UTF-8. `text` has room for
 * one byte for each id; no zero ends it. */
size_t g2p_decode(const struct g2p_traits *traits, const int32_t *ids, size_t count, char *text);

#pragma GCC visibility pop
#endif
