/* golden WEIGHTS WORDS OUT THREADS SEED: writes each word's ids, phonemes and logits, in the words' order.
 *
 * SEED 0: one word a call. Else all in one call, in an order that the number makes. Says how many bytes of memory it
 * took at most. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"

struct kept {
  int32_t *ids;
  char *text;
  float *logits;
  size_t count, size;
};

struct call {
  struct kept *kept;
  const size_t *order;
  size_t vocabulary;
};

static void *copy_of(const void *data, size_t size) { return memcpy(malloc(size + 1), data, size); }

static int keep(void *user, const g2p_result *result) {
  const struct call *call = user;
  struct kept *kept = &call->kept[call->order[result->word]];
  CHECK(!kept->ids);
  *kept = (struct kept){copy_of(result->ids, result->ids_count * sizeof(int32_t)),
                        copy_of(result->phonemes.data, result->phonemes.size),
                        copy_of(result->logits, result->ids_count * call->vocabulary * sizeof(float)),
                        result->ids_count, result->phonemes.size};
  return 0;
}

/* The same words through the other calls: the same results. */
static void check_others(g2p *model, g2p_request request, const struct call *call) {
  g2p_texts texts;
  g2p_ids ids;
  request.flags = 0;
  CHECK(g2p_pronounce_all(model, &request, &texts, NULL) == G2P_OK && texts.count == request.count);
  CHECK(g2p_tokens(model, &request, &ids, NULL) == G2P_OK && ids.count == request.count);
  for (size_t i = 0; i < request.count; i++) {
    const struct kept *kept = &call->kept[call->order[i]];
    CHECK(texts.offsets[i + 1] - texts.offsets[i] == kept->size);
    CHECK(memcmp(texts.data + texts.offsets[i], kept->text, kept->size) == 0);
    CHECK(ids.offsets[i + 1] - ids.offsets[i] == kept->count);
    CHECK(memcmp(ids.data + ids.offsets[i], kept->ids, kept->count * sizeof(int32_t)) == 0);
  }
  if (request.count == 1) {
    char word[G2P_TEXT] = "", text[G2P_TEXT];
    memcpy(word, request.words->data, request.words->size);
    CHECK(g2p_pronounce(model, word, *request.langs, text, sizeof text, NULL) == G2P_OK);
    CHECK(strlen(text) == texts.offsets[1] && memcmp(text, texts.data, texts.offsets[1]) == 0);
  }
  g2p_free_texts(model, &texts);
  g2p_free_ids(model, &ids);
}

int main(int count, char **arguments) {
  static struct words words, shuffled;
  static struct kept kept[MOST_WORDS];
  static size_t order[MOST_WORDS];
  CHECK(count == 6);
  read_words(arguments[2], &words);
  uint64_t seed = strtoull(arguments[5], NULL, 10);
  bool together = seed;
  shuffled.count = words.count;
  for (size_t i = 0; i < words.count; i++) order[i] = i;
  for (size_t i = words.count - 1; together && i > 0; i--) {
    size_t other = below(&seed, i + 1), index = order[i];
    order[i] = order[other], order[other] = index;
  }
  for (size_t i = 0; i < words.count; i++) {
    shuffled.texts[i] = words.texts[order[i]];
    shuffled.langs[i] = words.langs[order[i]];
  }

  struct counter counter = {0};
  g2p_allocator allocator = guarded(&counter);
  g2p_options options = {.size = sizeof options, .threads = (uint32_t)atoi(arguments[4]), .allocator = &allocator};
  g2p *model;
  g2p_error error;
  size_t size, step = together ? words.count : 1;
  void *weights = guarded_file(arguments[1], &size);
  CHECK(g2p_open_memory(weights, size, &options, &model, &error) == G2P_OK);
  size_t vocabulary = g2p_limits(model).vocabulary;
  for (size_t i = 0; i < words.count; i += step) {
    struct call call = {kept, order + i, vocabulary};
    g2p_request request = {.size = sizeof request,
                           .words = shuffled.texts + i,
                           .count = step,
                           .langs = shuffled.langs + i,
                           .flags = G2P_LOGITS};
    if (g2p_stream(model, &request, keep, &call, &error)) check_failed(__FILE__, __LINE__, error.message);
    check_others(model, request, &call);
  }
  g2p_close(model);
  CHECK(counter.live == 0);
  printf("%zu\n", counter.peak);

  FILE *out = fopen(arguments[3], "wb");
  CHECK(out);
  for (size_t i = 0; i < words.count; i++) {
    uint32_t sizes[2] = {(uint32_t)kept[i].count, (uint32_t)kept[i].size};
    fwrite(sizes, sizeof sizes, 1, out);
    fwrite(kept[i].ids, sizeof(int32_t), kept[i].count, out);
    fwrite(kept[i].text, 1, kept[i].size, out);
    fwrite(kept[i].logits, sizeof(float), kept[i].count * vocabulary, out);
    free(kept[i].ids), free(kept[i].text), free(kept[i].logits);
  }
  CHECK(fclose(out) == 0);
  return 0;
}
