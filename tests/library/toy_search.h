/* What a search finds with toy.c's program, found by ranking everything. */
#ifndef TOY_SEARCH_H
#define TOY_SEARCH_H

#include "toy.h"

struct toy_found {
  int32_t ids[TOY_IDS];
  size_t count;
  double score; /* mean of the log-probabilities */
};

/* The pronunciations of a word, the best first: as many as there are beams. */
void toy_search(g2p_text word, const char *lang, size_t most, const g2p_search *search, struct toy_found *found);

#endif
