/* Brings words into forms: requests come on standard input, answers go to standard output. Numbers are 4 bytes, native.
 *
 * A request is a letter, a form (nfc, visible, narrow, strip, lower), its pairs, an alphabet's ranges (each with their
 * number before them), a capacity and words (each with its length before it); it is answered when all of it was read.
 *   F: for each word its size in the form, or UINT32_MAX, and its bytes; then the first character that is not of the
 *      alphabet: where its letter begins in the word, and its code point, or UINT32_MAX and 0.
 *   S: for each word the ends of its segments, with their number before them; T: as the standard alone has them.
 *   K: for each word a byte for each character's kind, then the name of its last, each with its length before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "made.h"
#include "segment.h"

static bool get(void *data, size_t size) { return fread(data, 1, size, stdin) == size; }

static uint32_t number(void) {
  uint32_t value;
  if (!get(&value, sizeof value)) {
    abort();
  }
  return value;
}

static void put(uint32_t value) { fwrite(&value, 1, sizeof value, stdout); }

static void *some(size_t count, size_t size) {
  void *data = malloc(count * size);
  if (count && !get(data, count * size)) {
    abort();
  }
  return data;
}

static void bring(const struct g2p_form *form, const struct g2p_alphabet *alphabet, g2p_text word, size_t capacity) {
  char *out = malloc(capacity);
  size_t size = g2p_form_word(form, word, out, capacity);
  put(size == SIZE_MAX ? UINT32_MAX : (uint32_t)size);
  if (size != SIZE_MAX) {
    uint32_t code = 0;
    fwrite(out, 1, size, stdout);
    size_t offset = g2p_foreign(alphabet, (g2p_text){out, size}, &code);
    put(offset < size ? (uint32_t)g2p_form_origin(form, word, out, capacity, offset) : UINT32_MAX);
    put(offset < size ? code : 0);
  }
  free(out);
}

static void kinds(g2p_text word) {
  char *kinds = malloc(word.size + 1), name[9] = "";
  size_t count = 0;
  uint32_t code;
  for (const char *at = word.data, *end = at + word.size; at < end;) {
    at += g2p_utf8(at, end, &code);
    kinds[count++] = (char)g2p_kind_of(code);
    g2p_name_code(code, name);
  }
  put((uint32_t)count);
  fwrite(kinds, 1, count, stdout);
  put((uint32_t)strlen(name));
  fwrite(name, 1, strlen(name), stdout);
  free(kinds);
}

static void segments(g2p_text word, bool whole) {
  uint32_t *ends = malloc((word.size + 1) * sizeof *ends);
  size_t count = 0;
  for (size_t end = 0; end < word.size;) {
    end = g2p_segment_end(word, end, whole);
    ends[count++] = (uint32_t)end;
  }
  put((uint32_t)count);
  fwrite(ends, sizeof *ends, count, stdout);
  free(ends);
}

int main(void) {
  char letter;
  while (get(&letter, 1)) {
    uint32_t flags[5];
    for (size_t i = 0; i < 5; i++) {
      flags[i] = number();
    }
    struct g2p_form form = {flags[0], flags[1], flags[2], flags[3], (uint8_t)flags[4], NULL, number()};
    struct g2p_pair *pairs = some(form.pairs_count, sizeof *pairs);
    form.pairs = pairs;
    struct g2p_alphabet alphabet = {NULL, number()};
    struct g2p_range *ranges = some(alphabet.ranges_count, sizeof *ranges);
    alphabet.ranges = alphabet.ranges_count ? ranges : NULL;
    size_t capacity = number(), count = number();
    g2p_text *words = malloc(count * sizeof *words);
    for (size_t i = 0; i < count; i++) {
      words[i].size = number();
      words[i].data = some(words[i].size, 1);
    }
    for (size_t i = 0; i < count; i++) {
      if (letter == 'F') {
        bring(&form, &alphabet, words[i], capacity);
      } else if (letter == 'K') {
        kinds(words[i]);
      } else {
        segments(words[i], letter == 'S');
      }
      free((void *)(uintptr_t)words[i].data);
    }
    fflush(stdout);
    free(words);
    free(ranges);
    free(pairs);
  }
  return 0;
}
