/* Any bytes as a lexicon, a table or a list, that is asked for a word. How to run it: fuzz_main.c. */
#include <stdlib.h>
#include <string.h>

#include "lexicon.h"
#include "made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
  if (!good) {
    abort();
  }
}

static void ask(const struct g2p_lexicon *lexicon, g2p_text word) {
  struct g2p_known known;
  for (size_t i = 0; i < made_traits.languages_count; i++) {
    if (!g2p_find_word(lexicon, 1, &made_traits, word, made_traits.languages[i], &known)) {
      continue;
    }
    check(known.source == lexicon->source);
    check(known.size && known.first <= known.size && known.size <= G2P_MOST_PRONUNCIATIONS);
    check(known.first == known.size || known.text[known.first] == ',');
  }
}

/* The first byte says how long the word at the end is; with its highest bit the rest is made to begin as a table does
 * and to say how long it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) {
    return 0;
  }
  size_t length = data[0] & 0x3f, left = size - 1;
  length = length < left ? length : left;
  size_t table = left - length;
  char *memory = malloc(table), *ended = malloc(length);
  memcpy(memory, data + 1, table);
  memcpy(ended, data + 1 + table, length);
  if (data[0] & 0x80 && table >= 16) {
    memcpy(memory, "g2plex\0\1", 8);
    for (int i = 0; i < 4; i++) {
      memory[8 + i] = (char)(table >> 8 * i);
    }
  }
  g2p_error error;
  struct g2p_lexicon lexicon;
  const char *lang = data[0] & 0x80 ? NULL : made_traits.languages[data[0] >> 6 & 1];
  g2p_text given = {memory, table}, word = {ended, length};
  g2p_status status = g2p_lexicon_begin(&g2p_malloc, &made_traits, "it", given, lang, &lexicon, &error);
  if (status == G2P_OK) {
    if (g2p_is_word(word)) {
      ask(&lexicon, word);
    }
    g2p_lexicon_end(&g2p_malloc, &lexicon);
  } else {
    check(memchr(error.message, 0, sizeof error.message) && error.message[0]);
  }
  free(ended);
  free(memory);
  return 0;
}
