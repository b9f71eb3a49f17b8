/* families WEIGHTS: what the libraries of two families say that are both in this program; with ONLY_G2P or ONLY_OTHER
 * one of them. */
#include <stdio.h>

#include "drivers.h"

#if !defined(ONLY_G2P)
#include "other.h"

static void say_sum(const char *weights) {
  static const int32_t ids[] = {63, 104, 113, 106, 48, 120, 118, 65, 61, 35, 110, 113, 108, 106, 107, 119};
  const int32_t count = sizeof ids / sizeof *ids;
  double sum;
  g2p_error error;
  CHECK(other_sum(weights, NULL, ids, count, &sum, &error) == G2P_OK);
  printf("%.17g\n", sum);
  CHECK(other_sum(weights, NULL, ids, 0, &sum, &error) == G2P_INVALID_ARGUMENT && error.message[0]);
}
#endif

#if !defined(ONLY_OTHER)
static void say_phonemes(const char *weights) {
  static const char *const words[] = {"knight", "pronounce", "families"};
  char phonemes[G2P_TEXT];
  g2p *model;
  CHECK(g2p_open(weights, NULL, &model, NULL) == G2P_OK);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    CHECK(g2p_pronounce(model, words[i], "eng-us", phonemes, sizeof phonemes, NULL) == G2P_OK);
    puts(phonemes);
  }
  g2p_close(model);
}
#endif

int main(int count, char **arguments) {
  CHECK(count == 2);
#if !defined(ONLY_OTHER)
  say_phonemes(arguments[1]);
#endif
#if !defined(ONLY_G2P)
  say_sum(arguments[1]);
#endif
  return 0;
}
