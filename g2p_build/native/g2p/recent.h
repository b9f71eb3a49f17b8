/* What the model said of some words lately, so that it need not say it again. */
#ifndef G2P_RECENT_H
#define G2P_RECENT_H

#include "core.h"
#include "g2p.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

struct g2p_recent;

/* What is kept of a word, but for its ids. */
struct g2p_said {
  size_t ids_count;
  float score;
  bool scored, truncated, repeats;
};

/* Memory for so many words; NULL where there is none. */
struct g2p_recent *g2p_recent_begin(const g2p_allocator *allocator, const struct g2p_traits *traits, uint32_t words);

/* NULL is nothing. */
void g2p_recent_end(const g2p_allocator *allocator, struct g2p_recent *recent);

/* Finds a word by its input ids. `ids` has room for traits->output_len. A word that was kept without a score is not found
 * where one is wanted. */
bool g2p_recent_find(struct g2p_recent *recent, const int32_t *input, size_t input_count, bool scored, int32_t *ids,
                     struct g2p_said *said);

/* Keeps a word, in place of itself, or of the one that was used least lately where there is no room. */
void g2p_recent_add(struct g2p_recent *recent, const int32_t *input, size_t input_count, const int32_t *ids,
                    const struct g2p_said *said);

#pragma GCC visibility pop
#endif
