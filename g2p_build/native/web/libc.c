/* The C library functions that the core calls: memory and byte strings. A WebAssembly module has no other C library. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the heap. The memory that malloc returns begins behind this head. */
struct piece {
  size_t size;        /* includes this head */
  struct piece *next; /* in a free piece: the next free piece */
};

enum { ALIGNMENT = 16, HEAD = 16, PAGE = 65536, MOST_PAGES = 65535 }; /* the end of one more has no address */

/* Without this, the compiler turns the loop in strlen into a call of strlen. */
#define PLAIN __attribute__((no_builtin))

extern char __heap_base; /* set by the linker: the first free byte */

static struct piece *first; /* the first free piece; they are sorted by address */
static size_t end;          /* the end of the heap; 0 before the first call */

/* Frees a piece, and joins it with the free pieces that touch it. */
static void put_back(struct piece *piece) {
  struct piece *before = NULL, *behind = first;
  while (behind && behind < piece) {
    before = behind;
    behind = behind->next;
  }
  piece->next = behind;
  if (behind && (char *)piece + piece->size == (char *)behind) {
    piece->size += behind->size;
    piece->next = behind->next;
  }
  if (before && (char *)before + before->size == (char *)piece) {
    before->size += piece->size;
    before->next = piece->next;
  } else if (before) {
    before->next = piece;
  } else {
    first = piece;
  }
}

/* Grows the heap by at least `size` bytes. */
static bool grow(size_t size) {
  size_t memory = __builtin_wasm_memory_size(0) * (size_t)PAGE;
  size_t start = end ? end : ((size_t)&__heap_base + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (memory < start || memory - start < size) {
    size_t pages = (size - (memory - start) + PAGE - 1) / PAGE;
    if (memory / PAGE + pages > MOST_PAGES || __builtin_wasm_memory_grow(0, pages) == SIZE_MAX) {
      return false;
    }
    memory += pages * PAGE;
  }
  struct piece *piece = (struct piece *)start;
  piece->size = memory - start;
  end = memory;
  put_back(piece);
  return true;
}

PLAIN void *malloc(size_t size) {
  if (size > SIZE_MAX / 2) {
    return NULL;
  }
  size = (size + HEAD + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  do {
    for (struct piece **link = &first; *link; link = &(*link)->next) {
      struct piece *piece = *link;
      if (piece->size >= size) {
        if (piece->size - size >= 2 * HEAD) {
          struct piece *rest = (struct piece *)((char *)piece + size);
          rest->size = piece->size - size;
          rest->next = piece->next;
          piece->size = size;
          *link = rest;
        } else {
          *link = piece->next;
        }
        return (char *)piece + HEAD;
      }
    }
  } while (grow(size));
  return NULL;
}

PLAIN void free(void *memory) {
  if (memory) {
    put_back((struct piece *)((char *)memory - HEAD));
  }
}

PLAIN size_t strlen(const char *text) {
  size_t size = 0;
  while (text[size]) {
    size++;
  }
  return size;
}

PLAIN int strcmp(const char *one, const char *other) { return strncmp(one, other, SIZE_MAX); }

PLAIN int strncmp(const char *one, const char *other, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (one[i] != other[i] || !one[i]) {
      return (unsigned char)one[i] - (unsigned char)other[i];
    }
  }
  return 0;
}

PLAIN char *strchr(const char *text, int byte) {
  while (*text != (char)byte) {
    if (!*text++) {
      return NULL;
    }
  }
  return (char *)text;
}

PLAIN int memcmp(const void *one, const void *other, size_t size) {
  const unsigned char *a = one, *b = other;
  for (size_t i = 0; i < size; i++) {
    if (a[i] != b[i]) {
      return a[i] - b[i];
    }
  }
  return 0;
}

PLAIN void *memchr(const void *data, int byte, size_t size) {
  const unsigned char *at = data;
  for (size_t i = 0; i < size; i++) {
    if (at[i] == (unsigned char)byte) {
      return (void *)(at + i);
    }
  }
  return NULL;
}
