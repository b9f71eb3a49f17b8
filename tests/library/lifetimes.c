/* lifetimes WEIGHTS MANIFEST WORDS COUNT: opens and closes a model so many times, in each of the three ways. */
#include <stdio.h>
#include <stdlib.h>

#include "drivers.h"

int main(int count, char **arguments) {
  static struct words words;
  struct counter counter = {0};
  g2p_allocator allocator = counting(&counter);
  CHECK(count == 5);
  read_words(arguments[3], &words);
  size_t size, rounds = strtoull(arguments[4], NULL, 10), files = 0, early = 0;
  void *weights = guarded_file(arguments[1], &size);
  for (size_t round = 0; round < rounds; round++) {
    g2p *model;
    g2p_options options = {
        .size = sizeof options, .threads = 1 + round % 3, .allocator = round % 2 ? &allocator : NULL};
    g2p_status status = round % 5 == 0   ? g2p_open_manifest(arguments[2], &options, &model, NULL)
                        : round % 5 == 1 ? g2p_open_memory(weights, size, &options, &model, NULL)
                                         : g2p_open(arguments[1], &options, &model, NULL);
    CHECK(status == G2P_OK);
    if (round % 8 == 0) {
      g2p_texts texts;
      g2p_request request = {
          .size = sizeof request, .words = words.texts, .count = round / 8 % 6, .langs = words.langs};
      CHECK(g2p_pronounce_all(model, &request, &texts, NULL) == G2P_OK);
      g2p_free_texts(model, &texts);
    }
    g2p_close(model);
    CHECK(counter.live == 0);
    if (round == rounds / 4) {
      files = open_files();
      early = resident();
    }
  }
  CHECK(open_files() == files && running_threads() == 1);
  printf("%zu kB more in memory\n", resident() > early ? (resident() - early) / 1024 : 0);
  return 0;
}
