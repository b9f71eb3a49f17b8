/* What the drivers share: checks that end the program, words from a file, an allocator that counts and may fail. */
#ifndef DRIVERS_H
#define DRIVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "g2p.h"

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
void check_failed(const char *file, int line, const char *condition);

enum { MOST_WORDS = 2000 };

struct words {
  g2p_text texts[MOST_WORDS];
  const char *langs[MOST_WORDS];
  size_t count;
};

/* Reads lines of a language, a tab and a word. */
void read_words(const char *path, struct words *words);

/* A random number below a bound; the state is any number but 0. */
size_t below(uint64_t *state, size_t bound);

struct counter {
  size_t fail_at;                  /* the allocation that gets nothing, from 1; 0: none */
  size_t calls, live, bytes, peak; /* allocations so far; blocks and bytes that are not released; most bytes at once */
};

/* Blocks are as long as asked for, filled with what is no number as a float, and must be released with their size. */
g2p_allocator counting(struct counter *counter);

/* As the above, but each block ends where no byte can be read or written: code without a sanitizer is seen too. */
g2p_allocator guarded(struct counter *counter);

/* A copy of a file that ends there likewise and begins at a multiple of 64. */
void *guarded_file(const char *path, size_t *size);

/* Bytes of this process that are in memory; its open files; its threads. */
size_t resident(void);
size_t open_files(void);
size_t running_threads(void);

#endif
