/* A variant for the core whose results are known. */
#ifndef TOY_H
#define TOY_H

#include <stdbool.h>

#include "g2p.h"
#include "program.h"

enum { TOY_IDS = 12, TOY_VOCABULARY = 300, TOY_WEIGHTS = 192 };

/* The ids of a word, at most `most` of them and TOY_IDS: how many. */
size_t toy_ids(g2p_text word, const char *lang, size_t most, int32_t *ids);

/* The same, an id at a time: a state in which no id was generated, and from a state and the id that was generated last (0: none)
 * the next state and id. Its logit is 1, all others are 0. */
uint32_t toy_begin(g2p_text word, const char *lang);
int32_t toy_next(uint32_t *state, int32_t id);

/* Writes the program's weights file to TOY_WEIGHTS bytes; how many it takes. */
size_t toy_weights(char *data);

/* How many calls of the program's functions have begun, in all threads. */
size_t toy_runs(void);

#endif
