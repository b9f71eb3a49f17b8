/* Pronounces words. It needs nothing but a library archive, unpacked, and a weights archive.
 *
 *   pronounce weights.tar eng-us knight pronounce
 *
 * Given a manifest instead of the weights, it also compares the digests. CMakeLists.txt builds this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "g2p.h"

static int failed(const g2p_error *error) {
  fprintf(stderr, "pronounce: %s\n", error->message);
  return 1;
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: %s WEIGHTS|MANIFEST LANGUAGE WORD...\n", arguments[0]);
    return 2;
  }
  g2p *model;
  g2p_error error;
  const char *ending = strrchr(arguments[1], '.');
  int manifest = ending && strcmp(ending, ".json") == 0;
  if ((manifest ? g2p_open_manifest : g2p_open)(arguments[1], NULL, &model, &error)) return failed(&error);

  size_t words = (size_t)count - 3;
  g2p_text *texts = calloc(words, sizeof *texts);
  if (!texts) return 1;
  for (size_t i = 0; i < words; i++) texts[i] = (g2p_text){arguments[i + 3], strlen(arguments[i + 3])};
  g2p_request request = {.size = sizeof request, .words = texts, .count = words, .lang = arguments[2]};
  g2p_texts found;
  if (g2p_pronounce_all(model, &request, &found, &error)) return failed(&error);
  for (size_t i = 0; i < words; i++)
    printf("%s\t%.*s\n", texts[i].data, (int)(found.offsets[i + 1] - found.offsets[i]), found.data + found.offsets[i]);
  g2p_free_texts(model, &found);
  g2p_close(model);
  free(texts);
}
