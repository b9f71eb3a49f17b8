/* Any bytes as a word in any form: idempotent, bounded, and the same in less room or not at all. How to run it:
 * fuzz_main.c. */
#include <stdlib.h>
#include <string.h>

#include "form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct g2p_pair pairs[] = {{0x60, '\''}, {0xb4, '\''},  {0x2bc, '\''}, {0x327, 0x326},
                                        {0x640, 0},   {0x2010, '-'}, {0x2019, '\''}};
static const struct g2p_range letters[] = {{'a', 'z'}, {0xe0, 0xff}, {0xe01, 0xe4e}};

/* Characters that something is done to, or that stand between those: what is invisible, white, looked around for;
 * marks of many classes; capitals; what composes, and with what; scripts with joiners. */
static const char mixed[] =
    "\xc2\xad\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xef\xbb\xbf \t\xc2\xa0\xe2\x80\x80\xe3\x80\x80'\xe2\x80\x99`.:"
    "\xc2\xb7\xcc\x80\xcc\x81\xcc\x87\xcc\x88\xcc\x95\xcc\x9b\xcc\xa3\xcc\xa7\xcc\xa8\xcc\xb8\xcd\x82\xcd\x85"
    "\xcd\x84\xd9\x93\xd9\x8b\xe0\xb8\xb8\xe0\xb9\x88\xe3\x82\x99\xef\xbe\x9e\xe0\xa4\xbc\xe0\xa5\x8dIJiljaAoOsS"
    "\xc4\xb0\xc4\xb1\xc4\xae\xc3\x8c\xc3\x8d\xc4\xa8\xce\xa3\xcf\x83\xcf\x82\xce\x91\xce\xb9\xce\x90\xe1\xbd\xa0"
    "\xe1\xbe\xa8\xe1\xbf\xad\xe2\x84\xa6\xe2\x84\xaa\xe2\x84\xab\xc7\x85\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"
    "\xea\xb0\x80\xea\xb0\x81\xef\xbd\xb6\xef\xbc\xa9\xef\xbd\x81\xef\xbc\x87\xef\xbe\xa1\xd8\xa7\xd8\xa2\xd9\x80"
    "\xe0\xa4\x95\xe0\xa5\x98\xe0\xb7\x99\xe0\xb7\x8f\xe0\xb7\x8a\xe0\xaf\x86\xe0\xae\xbe\xe1\xbb\x87\xe1\xba\xad"
    "\xf0\x9d\x85\xa0\xf0\x9d\x85\x98\xf0\x9d\x85\xa5\xf0\x90\x90\x80\xf0\x9e\xa4\x80\xf0\xaf\xa0\x80"
    "\xf0\x91\x82\x99\xf0\x91\x82\xba";

static void check(bool good) {
  if (!good) {
    abort();
  }
}

/* Adds the characters of some bytes to a text and leaves out what is none. */
static void add_characters(char *text, size_t *size, const char *at, const char *end) {
  for (uint32_t code; at < end;) {
    size_t more = g2p_utf8(at, end, &code);
    memcpy(text + *size, at, more);
    *size += more;
    at += more ? more : 1;
  }
}

/* A character of `mixed` for each byte. */
static void add_mixed(char *text, size_t *size, const uint8_t *data, size_t count) {
  for (size_t i = 0; i < count; i++) {
    size_t at = data[i] * (sizeof mixed - 1) / 256;
    while ((mixed[at] & 0xc0) == 0x80) {
      at--;
    }
    uint32_t code;
    size_t more = g2p_utf8(mixed + at, mixed + sizeof mixed - 1, &code);
    memcpy(text + *size, mixed + at, more);
    *size += more;
  }
}

static void check_word(const struct g2p_form *form, g2p_text word, size_t less) {
  struct g2p_alphabet alphabet = {letters, sizeof letters / sizeof *letters};
  size_t room = G2P_FORM_GROWTH * word.size + G2P_FORM_SLACK, checked = 0;
  char *out = malloc(room), *again = malloc(room), *small = malloc(less ? less : 1);
  g2p_text once = {out, g2p_form_word(form, word, out, room)};
  check(once.size <= G2P_FORM_GROWTH * word.size);
  add_characters(again, &checked, once.data, once.data + once.size);
  check(checked == once.size); /* it is UTF-8 */
  check(g2p_form_word(form, once, again, once.size + G2P_FORM_SLACK) == once.size);
  check(!memcmp(out, again, once.size));
  size_t fits = g2p_form_word(form, word, small, less);
  check(fits == SIZE_MAX ? once.size + G2P_FORM_SLACK > less : fits == once.size && !memcmp(out, small, fits));
  uint32_t code;
  size_t offset = g2p_foreign(&alphabet, once, &code);
  size_t origin = g2p_form_origin(form, word, again, room, offset);
  check(!memcmp(out, again, once.size)); /* without the short cut for words that stay as they are */
  check(!word.size || (origin < word.size && ((unsigned char)word.data[origin] & 0xc0) != 0x80));
  free(small);
  free(again);
  free(out);
}

/* The first byte says what the form is, the second how much room there is and what the others are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) {
    return 0;
  }
  struct g2p_form form = {data[0] & 1, data[0] & 2, data[0] & 4, data[0] & 8, data[0] >> 4 & 3, pairs, 0};
  form.pairs_count = data[0] & 64 ? sizeof pairs / sizeof *pairs : 0;
  form.lower = !form.nfc && form.lower > G2P_LOWER ? G2P_LOWER : form.lower;
  size_t count = size - 2, less = data[1] & 127;
  g2p_text bytes = {(const char *)data + 2, count};
  char *out = malloc(less ? less : 1), *text = malloc(4 * count + 1);
  g2p_form_word(&form, bytes, out, less); /* whatever they are, it does no harm */
  g2p_text word = {text, 0};
  if (data[1] & 128) {
    add_mixed(text, &word.size, data + 2, count);
  } else {
    add_characters(text, &word.size, bytes.data, bytes.data + count);
  }
  check_word(&form, word, less);
  free(text);
  free(out);
  return 0;
}
