/* The caller's allocator, or malloc. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* More than is asked for, so that an aligned piece is in it; what malloc gave is written down before that piece. One
 * way for all platforms: they do not agree on a function for it. */
static void *aligned_allocate(void *user, size_t size, size_t alignment) {
  (void)user;
  if (size > SIZE_MAX - alignment - sizeof(void *)) {
    return NULL;
  }
  char *whole = malloc(size + alignment + sizeof(void *));
  if (!whole) {
    return NULL;
  }
  char *memory = whole + sizeof(void *);
  memory += (alignment - (uintptr_t)memory % alignment) % alignment;
  memcpy(memory - sizeof(void *), &whole, sizeof whole);
  return memory;
}

static void aligned_release(void *user, void *memory, size_t size) {
  (void)user, (void)size;
  char *whole;
  memcpy(&whole, (char *)memory - sizeof(void *), sizeof whole);
  free(whole);
}

const g2p_allocator g2p_malloc = {aligned_allocate, aligned_release, NULL};

void *g2p_allocate(const g2p_allocator *allocator, size_t size) {
  return allocator->allocate(allocator->user, size, G2P_ALIGNMENT);
}

void g2p_release(const g2p_allocator *allocator, void *memory, size_t size) {
  if (memory) {
    allocator->release(allocator->user, memory, size);
  }
}
