/* Words with their pronunciations: tables that the build made, and lists that a caller adds. docs/lexicon.md has the
 * table's format. */
#ifndef G2P_LEXICON_H
#define G2P_LEXICON_H

#include "core.h"
#include "g2p.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

enum {
  G2P_MOST_KEY = 255,            /* bytes of a word in a lexicon */
  G2P_MOST_PRONUNCIATIONS = 1000 /* bytes of a word's pronunciations with the commas between them; less than G2P_TEXT */
};

/* Exactly one of table and list is there. */
struct g2p_lexicon {
  g2p_source source;          /* of what is found here */
  const unsigned char *table; /* mapped, or the caller's */
  size_t size;
  struct g2p_mapping mapping; /* of the table; empty where it is the caller's */
  struct g2p_list *list;
};

/* Makes a lexicon of a table or of a list, whichever the data are. A list is copied, and its words are of `lang`.
 *
 * `name` is what messages call the data. */
g2p_status g2p_lexicon_begin(const g2p_allocator *allocator, const struct g2p_traits *traits, const char *name,
                             g2p_text data, const char *lang, struct g2p_lexicon *lexicon, g2p_error *error);

/* Frees a lexicon's list and unmaps its table. */
void g2p_lexicon_end(const g2p_allocator *allocator, struct g2p_lexicon *lexicon);

struct g2p_known {
  char text[G2P_TEXT]; /* all pronunciations with commas between them; no zero ends it */
  size_t size;
  size_t first; /* bytes of the first one, the answer */
  g2p_source source;
};

/* Finds a word in lexicons, the last one first, and else spells it where it is one to be spelled. The word is UTF-8 and
 * not empty, the language one that the model takes. */
bool g2p_find_word(const struct g2p_lexicon *lexicons, size_t count, const struct g2p_traits *traits, g2p_text word,
                   const char *lang, struct g2p_known *known);

#pragma GCC visibility pop
#endif
