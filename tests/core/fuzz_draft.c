/* Any bytes as a draft table, with which a word is guessed after some of it was said. How to run it: fuzz_main.c. */
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
  if (!good) {
    abort();
  }
}

static void ask(const struct g2p_draft *draft, const char *lang, const uint8_t *word, size_t length, int32_t said) {
  struct g2p_draft_language language;
  if (!g2p_draft_language(draft, lang, &language)) {
    return;
  }
  /* Of exact sizes, so that what is read or written beside them is seen. */
  size_t output = (size_t)made_traits.output_len;
  uint32_t *letters = malloc(length * sizeof *letters);
  int32_t *ids = malloc((output - 1) * sizeof *ids);
  uint8_t *chance = malloc(output - 1);
  struct g2p_draft_room room = {malloc(2 * (output + 1) * sizeof(uint16_t)), malloc(8 + output)};
  for (size_t i = 0; i < length; i++) {
    letters[i] = word[i];
  }
  said = said < made_traits.output_len - 1 ? said : made_traits.output_len - 1;
  for (int32_t i = 0; i < said; i++) {
    ids[i] = (length ? word[(size_t)i % length] : 0) + made_traits.byte_offset;
  }
  struct g2p_guess guess = {letters, length, ids, chance, 0};
  g2p_draft_guess(&language, &made_traits, room, said, &guess);
  check(guess.count >= said && guess.count <= made_traits.output_len - 1);
  for (int32_t i = said; i < guess.count; i++) {
    check(guess.ids[i] >= 0 && guess.ids[i] < made_traits.vocabulary);
  }
  free(room.said);
  free(room.costs);
  free(chance);
  free(ids);
  free(letters);
}

/* The first byte says how long the word at the end is, the second how many ids were said; with the first one's highest
 * bit the rest is made to begin as a table does and to say how long it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) {
    return 0;
  }
  size_t length = data[0] & 0x1f, left = size - 2;
  length = length < left ? length : left;
  size_t table = left - length;
  char *memory = malloc(table);
  memcpy(memory, data + 2, table);
  if (data[0] & 0x80 && table >= 16) {
    memcpy(memory, "g2pdrf\0\1", 8);
    for (int i = 0; i < 4; i++) {
      memory[8 + i] = (char)(table >> 8 * i);
    }
  }
  g2p_error error;
  struct g2p_draft draft;
  if (g2p_draft_begin("it", (g2p_text){memory, table}, &draft, &error) == G2P_OK) {
    for (size_t i = 0; i < made_traits.languages_count; i++) {
      ask(&draft, made_traits.languages[i], data + 2 + table, length, data[1]);
    }
  } else {
    check(error.status == G2P_INVALID_DRAFT && memchr(error.message, 0, sizeof error.message) && error.message[0]);
  }
  free(memory);
  return 0;
}
