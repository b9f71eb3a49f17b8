/* Guesses of what a model will say, from a table that the build made. A guess costs a microsecond, and many of its ids are
 * checked by one step of the model. docs/drafts.md has the table's format. */
#ifndef G2P_DRAFT_H
#define G2P_DRAFT_H

#include "core.h"
#include "g2p.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

struct g2p_draft {
  const unsigned char *table; /* mapped, or the caller's; NULL: there is none */
  size_t size;
  struct g2p_mapping mapping; /* of the table; empty where it is the caller's */
};

/* Takes a table. Only its header is read here; `name` is what messages call it. */
g2p_status g2p_draft_begin(const char *name, g2p_text data, struct g2p_draft *draft, g2p_error *error);

/* What a table has of one language: its arrays, each inside the table. */
struct g2p_draft_language {
  const unsigned char *letters, *others, *ends, *levels, *buckets, *entries;
  uint32_t letters_count, others_count, parts_count, levels_count, buckets_count, entries_count;
  uint32_t text_size; /* of the parts, which follow their ends */
  uint32_t number;    /* which of the table's languages */
};

/* False where the table has nothing of the language. */
bool g2p_draft_language(const struct g2p_draft *draft, const char *lang, struct g2p_draft_language *language);

/* A word that is guessed at, and the guess. */
struct g2p_guess {
  const uint32_t *letters; /* of the word in its form, as code points */
  size_t letters_count;
  int32_t *ids;    /* the guess: the id with the number i, of those that are generated, is ids[i] */
  uint8_t *chance; /* that it is right if those before it are: in 255ths */
  int32_t count;   /* of ids that have been generated or are guessed */
};

/* Memory to work in: 2 * (output_len + 1) costs and 8 + output_len bytes. */
struct g2p_draft_room {
  uint16_t *costs;
  unsigned char *said;
};

/* Guesses how a word goes on after its first `said` ids, which `guess->ids` has. */
void g2p_draft_guess(const struct g2p_draft_language *language, const struct g2p_traits *traits,
                     struct g2p_draft_room room, int32_t said, struct g2p_guess *guess);

#pragma GCC visibility pop
#endif
