#include "drivers.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *condition) {
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
  exit(1);
}

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  CHECK(file);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *data = malloc(*size + 1);
  CHECK(data && fread(data, 1, *size, file) == *size);
  fclose(file);
  data[*size] = 0;
  return data;
}

void read_words(const char *path, struct words *words) {
  static char *kept; /* reachable until the end */
  size_t size;
  kept = read_file(path, &size);
  words->count = 0;
  for (char *line = strtok(kept, "\n"); line; line = strtok(NULL, "\n")) {
    char *tab = strchr(line, '\t');
    CHECK(tab && words->count < MOST_WORDS);
    *tab = 0;
    words->langs[words->count] = line;
    words->texts[words->count++] = (g2p_text){tab + 1, strlen(tab + 1)};
  }
}

size_t below(uint64_t *state, size_t bound) { /* xorshift64* */
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (size_t)((*state * 0x2545f4914f6cdd1d >> 33) % bound);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all counters */

static bool count_in(struct counter *counter, size_t size) {
  pthread_mutex_lock(&lock);
  bool granted = ++counter->calls != counter->fail_at;
  if (granted) {
    counter->live++;
    counter->bytes += size;
    if (counter->bytes > counter->peak) counter->peak = counter->bytes;
  }
  pthread_mutex_unlock(&lock);
  return granted;
}

static void count_out(struct counter *counter, size_t size) {
  pthread_mutex_lock(&lock);
  CHECK(counter->live && counter->bytes >= size);
  counter->live--;
  counter->bytes -= size;
  pthread_mutex_unlock(&lock);
}

static void *counting_allocate(void *user, size_t size, size_t alignment) {
  char *block;
  CHECK(alignment == 64 && size);
  if (!count_in(user, size)) return NULL;
  CHECK(posix_memalign((void **)&block, alignment, alignment + size) == 0);
  memcpy(block, &size, sizeof size);
  return memset(block + alignment, 0xff, size);
}

static void counting_release(void *user, void *memory, size_t size) {
  char *block = (char *)memory - 64;
  CHECK(memcmp(block, &size, sizeof size) == 0);
  count_out(user, size);
  free(block);
}

g2p_allocator counting(struct counter *counter) {
  return (g2p_allocator){counting_allocate, counting_release, counter};
}

static const size_t page = 4096;

static char *guarded_block(size_t size) {
  size_t pages = (size + page - 1) / page * page;
  char *block = mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(block != MAP_FAILED && mprotect(block + pages, page, PROT_NONE) == 0);
  return block + pages - (size + 63) / 64 * 64;
}

static void *guarded_allocate(void *user, size_t size, size_t alignment) {
  CHECK(alignment == 64 && size);
  return count_in(user, size) ? memset(guarded_block(size), 0xff, size) : NULL;
}

static void guarded_release(void *user, void *memory, size_t size) {
  size_t pages = (size + page - 1) / page * page;
  count_out(user, size);
  char *end = (char *)memory + (size + 63) / 64 * 64;
  CHECK(munmap(end - pages, pages + page) == 0);
}

g2p_allocator guarded(struct counter *counter) { return (g2p_allocator){guarded_allocate, guarded_release, counter}; }

void *guarded_file(const char *path, size_t *size) {
  char *data = read_file(path, size), *block = guarded_block(*size);
  memcpy(block, data, *size);
  free(data);
  return block;
}

size_t resident(void) {
  size_t whole, pages;
  malloc_trim(0); /* what is free is not the program's any more */
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file && fscanf(file, "%zu %zu", &whole, &pages) == 2);
  fclose(file);
  return pages * page;
}

static size_t entries(const char *path) {
  size_t count = 0;
  DIR *folder = opendir(path);
  CHECK(folder);
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

size_t open_files(void) { return entries("/proc/self/fd"); }

size_t running_threads(void) { return entries("/proc/self/task") - 2; }
