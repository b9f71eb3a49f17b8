/* Pronounces words one by one, then all of them together on two threads, which must say the same.
 *
 *   words WEIGHTS < lines of a language, a tab and a word > lines of phonemes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "g2p.h"

enum { MOST = 1000 };

static char lines[MOST][512], alone[MOST][G2P_TEXT];

int main(int count, char **arguments) {
  g2p *model;
  g2p_error error;
  static g2p_text words[MOST];
  static const char *langs[MOST];
  size_t found = 0;
  if (count != 2 || g2p_open(arguments[1], NULL, &model, &error) != G2P_OK) {
    fprintf(stderr, "%s\n", count == 2 ? error.message : "one argument, please");
    return 1;
  }
  for (; found < MOST && fgets(lines[found], sizeof *lines, stdin); found++) {
    char *word = strchr(lines[found], '\t');
    *word++ = 0;
    word[strcspn(word, "\n")] = 0;
    words[found] = (g2p_text){word, strlen(word)};
    langs[found] = lines[found];
    if (g2p_pronounce(model, word, langs[found], alone[found], G2P_TEXT, &error) != G2P_OK) {
      fprintf(stderr, "%s\n", error.message);
      return 1;
    }
    puts(alone[found]);
  }
  g2p_request request = {.size = sizeof request, .words = words, .count = found, .langs = langs, .threads = 2};
  g2p_texts texts;
  if (g2p_pronounce_all(model, &request, &texts, &error) != G2P_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (size_t i = 0; i < found; i++) {
    size_t size = texts.offsets[i + 1] - texts.offsets[i];
    if (size != strlen(alone[i]) || memcmp(texts.data + texts.offsets[i], alone[i], size)) {
      fprintf(stderr, "%.*s, but alone %s\n", (int)size, texts.data + texts.offsets[i], alone[i]);
      return 1;
    }
  }
  g2p_free_texts(model, &texts);
  g2p_close(model);
  return 0;
}
