/* Any bytes as a language, a word and ids: a status, and text that is UTF-8. How to run it: fuzz_main.c. */
#include <stdlib.h>
#include <string.h>

#include "made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_utf8(const char *at, size_t size) {
  const char *end = at + size;
  for (uint32_t code; at < end;) {
    size_t more = g2p_utf8(at, end, &code);
    if (!more) {
      abort();
    }
    at += more;
  }
}

static void check_line(const g2p_error *error) {
  const char *end = memchr(error->message, 0, sizeof error->message);
  if (!end || strpbrk(error->message, "\r\n\t")) {
    abort();
  }
  check_utf8(error->message, (size_t)(end - error->message));
}

/* The first byte says how words are read; the language follows, ended by a zero or the end; the rest is the word. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) {
    return 0;
  }
  made_traits.append_eos = data[0] & 1;
  made_traits.prompt = data[0] & 2 ? "{word}" : "<{lang}>: {word}.";
  const char *const *languages = made_traits.languages;
  made_traits.languages = data[0] & 4 ? NULL : languages;
  const uint8_t *end = memchr(data + 1, 0, size - 1);
  size_t length = end ? (size_t)(end - data) - 1 : size - 1, left = end ? size - length - 2 : 0;
  char *lang = malloc(length + 1);
  memcpy(lang, data + 1, length);
  lang[length] = 0;
  g2p_error error = {.status = G2P_OK};
  g2p_text word = {(const char *)data + size - left, left};
  int32_t ids[64], count = 0;
  const char *known = g2p_language(&made_traits, lang);
  g2p_status status = g2p_check_language(&made_traits, known, &error);
  if (!status) {
    status = g2p_encode(&made_traits, word, known, ids, &count, &error);
  }
  if (status) {
    check_line(&error);
  } else {
    char text[64];
    size_t told = g2p_decode(&made_traits, ids, (size_t)count, text), wanted = (size_t)(count - (data[0] & 1));
    check_utf8(text, told);
    if (told != wanted || !left) { /* every byte comes back */
      abort();
    }
  }
  free(lang);
  made_traits.languages = languages;
  int32_t *any = malloc(left * sizeof *any + 1);
  char *text = malloc(left + 1);
  for (size_t i = 0; i < left; i++) {
    any[i] = (int32_t)((uint32_t)(unsigned char)word.data[i] + made_traits.byte_offset);
  }
  check_utf8(text, g2p_decode(&made_traits, any, left, text));
  free(text);
  free(any);
  return 0;
}
