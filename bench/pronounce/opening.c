/* Opens a model and pronounces one word: how long that took and what memory the library asked for.
 *
 *   opening WEIGHTS WORD LANG
 *
 * prints {"ms": ..., "open_ms": ..., "peak_bytes": ...}: from g2p_open to the word's phonemes, of that g2p_open, and the
 * most that its allocator had given out at one time. The mapped weights are not among that. */
#define _POSIX_C_SOURCE 200809L
#include <g2p.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct count {
  size_t now, most; /* bytes */
};

static void *allocate(void *user, size_t size, size_t alignment) {
  struct count *count = user;
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, size)) return NULL;
  count->now += size;
  if (count->now > count->most) count->most = count->now;
  return memory;
}

static void release(void *user, void *memory, size_t size) {
  struct count *count = user;
  count->now -= size;
  free(memory);
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  struct count count = {0, 0};
  const g2p_allocator counting = {allocate, release, &count};
  const g2p_options options = {.size = sizeof options, .threads = 1, .allocator = &counting};
  g2p *model;
  g2p_error error;
  static char phonemes[1 << 16];
  double started = milliseconds();
  if (g2p_open(argv[1], &options, &model, &error) != G2P_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  double opened = milliseconds();
  if (g2p_pronounce(model, argv[2], argv[3], phonemes, sizeof phonemes, &error) != G2P_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  double ended = milliseconds();
  printf("{\"ms\": %.6f, \"open_ms\": %.6f, \"peak_bytes\": %zu}\n", ended - started, opened - started, count.most);
  g2p_close(model);
  return 0;
}
