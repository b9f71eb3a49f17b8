/* The files of a speech model, cut off where anything begins or ends, and around it: a status, and nothing read behind.
 *
 * usage: WEIGHTS VOICES; built with the address sanitizer, which is told that the rest is not there. */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tts.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

static char *read_file(const char *path, size_t *size) {
  char *data = NULL;
  FILE *file = fopen(path, "rb");
  CHECK(file);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  CHECK(posix_memalign((void **)&data, 64, *size) == 0 && fread(data, 1, *size, file) == *size);
  fclose(file);
  return data;
}

/* The status of a file's first bytes: as weights, or as voices of a model. */
static g2p_status status_of(tts *model, char *data, size_t size, size_t whole) {
  g2p_error error;
  tts *opened = NULL;
  ASAN_POISON_MEMORY_REGION(data + size, whole - size);
  g2p_status status =
      model ? tts_add_voices_memory(model, data, size, &error) : tts_open_memory(data, size, NULL, &opened, &error);
  ASAN_UNPOISON_MEMORY_REGION(data + size, whole - size);
  CHECK(error.status == status && !error.message[0] == (status == G2P_OK));
  tts_close(opened);
  return status;
}

/* Cuts a file off at every byte of its header's beginning, and around every place that its header names. How many cuts. */
static size_t cut(tts *model, char *data, size_t size, g2p_status wanted) {
  size_t header = 8, cuts = 0, last = 0;
  for (int i = 0; i < 3; i++) header += (size_t)(uint8_t)data[i] << 8 * i;
  for (size_t at = 0; at < 300 && at < header; at++, cuts++) CHECK(status_of(model, data, at, size) == wanted);
  for (char *at = strstr(data + 8, "data_offsets"); at && at < data + header; at = strstr(at, "data_offsets")) {
    at = strchr(strchr(at, '['), ',') + 1; /* behind where it begins, which is another's end */
    size_t place = header + (size_t)strtoull(at, &at, 10);
    if (place > last) last = place;
    for (size_t end = place - 1; end <= place && end < size; end++, cuts++) {
      g2p_status status = status_of(model, data, end, size);
      CHECK(status == wanted || (status == G2P_OK && end >= last));
    }
  }
  CHECK(status_of(model, data, header - 1, size) == wanted && status_of(model, data, header, size) == wanted);
  CHECK(status_of(model, data, last - 1, size) == wanted && status_of(model, data, size, size) == G2P_OK);
  return cuts;
}

int main(int count, char **arguments) {
  size_t weights_size, voices_size;
  tts *model;
  if (count != 3) return 2;
  char *weights = read_file(arguments[1], &weights_size), *voices = read_file(arguments[2], &voices_size);
  size_t cuts = cut(NULL, weights, weights_size, G2P_INVALID_WEIGHTS);
  CHECK(tts_open_memory(weights, weights_size, NULL, &model, NULL) == G2P_OK);
  cuts += cut(model, voices, voices_size, G2P_INVALID_VOICES);
  tts_close(model);
  free(weights);
  free(voices);
  printf("%zu cuts\n", cuts);
  return 0;
}
