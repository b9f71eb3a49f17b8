/* text WORDS VOICE TEXT: what is spoken for an English text. The weights are of a G2P library and of a speech library, which
 * are both in this program, each with its header. */
#include <stdio.h>
#include <string.h>

#include "g2p.h"
#include "tts.h"

int main(int count, char **arguments) {
  g2p *words;
  tts *voice;
  g2p_error error;
  g2p_text phonemes;
  if (count != 4 || g2p_open(arguments[1], NULL, &words, &error) != G2P_OK ||
      tts_open(arguments[2], NULL, &voice, &error) != G2P_OK) {
    return 2;
  }
  tts_text_request request = {.size = sizeof request,
                              .text = {arguments[3], strlen(arguments[3])},
                              .lang = "eng-us",
                              .g2p = words,
                              .next_part = g2p_next_part,
                              .pronounce = g2p_pronounce};
  g2p_status status = tts_text(voice, &request, &phonemes, &error);
  if (status == G2P_OK) {
    printf("%.*s\n", (int)phonemes.size, phonemes.data);
    tts_free_text(voice, &phonemes);
  } else {
    printf("%s %zu %s\n", g2p_status_name(status), error.word, error.message);
  }
  tts_close(voice);
  g2p_close(words);
  return 0;
}
