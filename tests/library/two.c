/* two FIRST SECOND WORDS: pronounces words with two variants, whose libraries are both in this program, then prints
 * each one's phonemes and logits. alone FIRST WORDS, compiled with ALONE: with the one library that there is. */
#include <stdio.h>
#include <string.h>

#include "drivers.h"

#if defined(ALONE)
static const g2p_variant *first(void) { return NULL; }
#else
#define G2P_VARIANT first
#include FIRST
#define G2P_VARIANT second
#include SECOND
#endif

struct line {
  char phonemes[G2P_TEXT];
  uint64_t logits; /* a digest of their bits */
};

struct call {
  struct line *lines;
  size_t vocabulary;
};

static int keep(void *user, const g2p_result *result) {
  const struct call *call = user;
  struct line *line = &call->lines[result->word];
  const unsigned char *bytes = (const unsigned char *)result->logits;
  CHECK(result->phonemes.size < sizeof line->phonemes);
  memcpy(line->phonemes, result->phonemes.data, result->phonemes.size);
  line->phonemes[result->phonemes.size] = 0;
  line->logits = 14695981039346656037u; /* FNV-1a */
  for (size_t i = 0; i < result->ids_count * call->vocabulary * sizeof(float); i++)
    line->logits = (line->logits ^ bytes[i]) * 1099511628211u;
  return 0;
}

static g2p *opened(const char *weights, const g2p_variant *variant, g2p_status wanted) {
  g2p_options options = {.size = sizeof options, .threads = 1, .variant = variant};
  g2p_error error;
  g2p *model;
  g2p_status status = g2p_open(weights, &options, &model, &error);
  if (status != wanted) fprintf(stderr, "%s: status %d: %s\n", weights, status, error.message);
  CHECK(status == wanted && (model != NULL) == (status == G2P_OK));
  return model;
}

static void pronounce(g2p *model, const struct words *words) {
  static struct line lines[MOST_WORDS];
  struct call call = {lines, g2p_limits(model).vocabulary};
  g2p_request request = {
      .size = sizeof request, .words = words->texts, .langs = words->langs, .count = words->count, .flags = G2P_LOGITS};
  CHECK(g2p_stream(model, &request, keep, &call, NULL) == G2P_OK);
  for (size_t i = 0; i < words->count; i++)
    printf("%s %016llx\n", lines[i].phonemes, (unsigned long long)lines[i].logits);
}

int main(int count, char **arguments) {
  static struct words words;
  CHECK(count > 2);
  read_words(arguments[count - 1], &words);
  g2p *one = opened(arguments[1], first(), G2P_OK);
#if !defined(ALONE)
  /* Without a name it is the library that was linked first; it has another's weights refused. */
  g2p *other = opened(arguments[2], second(), G2P_OK);
  CHECK(first() != second() && strcmp(g2p_info(one), g2p_info(other)) != 0);
  opened(arguments[2], first(), G2P_INVALID_WEIGHTS);
  opened(arguments[2], NULL, G2P_INVALID_WEIGHTS);
  g2p_close(opened(arguments[1], NULL, G2P_OK));
  /* A variant whose structures have another form is not looked into. */
  const uint32_t newer[64] = {UINT32_MAX};
  opened(arguments[1], (const g2p_variant *)newer, G2P_UNSUPPORTED);
#endif
  pronounce(one, &words);
#if !defined(ALONE)
  pronounce(other, &words);
  g2p_close(other);
#endif
  g2p_close(one);
  return 0;
}
