/* Speaks lines of phonemes, from several threads at the same time: a line's sound is the same whoever speaks beside it.
 *
 * usage: WEIGHTS VOICES VOICE PHONEMES_FILE OUT_FILE CALLERS THREADS; CALLERS callers speak the lines in different orders, each
 * with THREADS threads. Writes the float32 samples of all lines, one after the other, as the first caller has them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tts.h"

enum { MOST_LINES = 64, MOST_CALLERS = 8 };

#define CHECK(condition) ((condition) ? (void)0 : failed(__LINE__, #condition))

static void failed(int line, const char *condition) {
  fprintf(stderr, "speech.c:%d: not so: %s\n", line, condition);
  exit(1);
}

struct sound {
  float *samples;
  size_t count;
};

struct caller {
  tts *model;
  const char *voice, *lines[MOST_LINES];
  size_t count, first;
  uint32_t threads;
  struct sound sounds[MOST_LINES];
};

static int hear(void *user, const tts_piece *piece) {
  struct sound *sound = user;
  sound->samples = realloc(sound->samples, (sound->count + piece->samples_count) * sizeof(float));
  memcpy(sound->samples + sound->count, piece->samples, piece->samples_count * sizeof(float));
  sound->count += piece->samples_count;
  return 0;
}

static void *speak(void *user) {
  struct caller *caller = user;
  for (size_t i = 0; i < caller->count; i++) {
    size_t line = (i + caller->first) % caller->count;
    tts_request request = {.size = sizeof request, .voice = caller->voice, .seed = line, .threads = caller->threads};
    request.phonemes = (g2p_text){caller->lines[line], strlen(caller->lines[line])};
    g2p_error error;
    if (tts_speak(caller->model, &request, hear, &caller->sounds[line], &error) != G2P_OK) {
      fprintf(stderr, "%s\n", error.message);
      exit(1);
    }
  }
  return NULL;
}

int main(int count, char **arguments) {
  static struct caller callers[MOST_CALLERS];
  static char text[65536];
  pthread_t threads[MOST_CALLERS];
  g2p_error error;
  tts *model;
  CHECK(count == 8);
  size_t many = strtoull(arguments[6], NULL, 10);
  CHECK(many > 0 && many <= MOST_CALLERS);
  if (tts_open(arguments[1], NULL, &model, &error) != G2P_OK || tts_add_voices(model, arguments[2], &error) != G2P_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  FILE *file = fopen(arguments[4], "rb");
  CHECK(file && fread(text, 1, sizeof text - 1, file));
  fclose(file);
  callers[0] = (struct caller){.model = model, .voice = arguments[3], .threads = (uint32_t)atoi(arguments[7])};
  for (char *line = strtok(text, "\n"); line && callers[0].count < MOST_LINES; line = strtok(NULL, "\n"))
    callers[0].lines[callers[0].count++] = line;
  for (size_t i = 1; i < many; i++) {
    callers[i] = callers[0];
    callers[i].first = i;
  }
  for (size_t i = 0; i < many; i++) CHECK(pthread_create(&threads[i], NULL, speak, &callers[i]) == 0);
  for (size_t i = 0; i < many; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  FILE *out = fopen(arguments[5], "wb");
  CHECK(out);
  for (size_t line = 0; line < callers[0].count; line++) {
    struct sound first = callers[0].sounds[line];
    CHECK(fwrite(first.samples, sizeof(float), first.count, out) == first.count);
    for (size_t i = 0; i < many; i++) {
      struct sound other = callers[i].sounds[line];
      CHECK(other.count == first.count && memcmp(other.samples, first.samples, first.count * sizeof(float)) == 0);
    }
  }
  CHECK(fclose(out) == 0);
  for (size_t i = 0; i < many; i++)
    for (size_t line = 0; line < callers[0].count; line++) free(callers[i].sounds[line].samples);
  tts_close(model);
  return 0;
}
