/* Pronounces words one by one, and says of each when it is done: with one write(1, ...).
 *
 *   words WEIGHTS [DRAFT] < lines of a language, a tab and a word > "ready", then lines of phonemes, a tab and passes */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "g2p.h"

enum { MOST = 1000 };

static char lines[MOST][512];

static int say(const char *text, unsigned long long passes) {
  char line[G2P_TEXT + 32];
  int size = snprintf(line, sizeof line, "%s\t%llu\n", text, passes);
  return write(1, line, (size_t)size) == size;
}

int main(int count, char **arguments) {
  g2p *model;
  g2p_error error;
  g2p_statistics statistics = {.size = sizeof statistics};
  char phonemes[G2P_TEXT];
  int found = 0;
  if (count < 2 || g2p_open(arguments[1], NULL, &model, &error) != G2P_OK) goto failed;
  if (count > 2 && g2p_add_draft(model, arguments[2], &error) != G2P_OK) goto failed;
  while (found < MOST && fgets(lines[found], sizeof *lines, stdin)) found++;
  for (int i = -1; i < found; i++) { /* the first one twice, so that what is done only once does not count */
    char *lang = lines[i < 0 ? 0 : i], *tab = strchr(lang, '\t'), *word = tab + 1;
    *tab = 0;
    word[strcspn(word, "\n")] = 0;
    unsigned long long before = statistics.passes;
    if (g2p_pronounce(model, word, lang, phonemes, sizeof phonemes, &error) != G2P_OK) goto failed;
    if (g2p_get_statistics(model, &statistics, &error) != G2P_OK) goto failed;
    if (!say(i < 0 ? "ready" : phonemes, statistics.passes - before)) return 1;
    if (i < 0) *tab = '\t';
  }
  g2p_close(model);
  return 0;
failed:
  fprintf(stderr, "%s\n", count < 2 ? "arguments, please" : error.message);
  return 1;
}
