/* Any bytes as a weights file: a status, and pointers that lead nowhere but into it. How to run it: fuzz_main.c. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const void *pointers[8];
  g2p_error error;
  void *memory = NULL;
  if (posix_memalign(&memory, G2P_ALIGNMENT, size)) {
    abort();
  }
  char *copy = size ? memcpy(memory, data, size) : memory;
  g2p_status status = g2p_find_weights(&made_program, copy, size, pointers, &error);
  if (status != G2P_OK && status != G2P_INVALID_WEIGHTS) {
    abort();
  }
  for (size_t i = 0; !status && i < made_program.weights_count; i++) {
    const struct g2p_tensor *tensor = &made_program.weights[i];
    size_t bytes = strcmp(tensor->dtype, "F16") == 0 ? 2 : 4;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
      bytes *= tensor->shape[axis];
    }
    size_t begin = (size_t)((const char *)pointers[i] - copy);
    if (begin % G2P_ALIGNMENT || begin > size || bytes > size - begin) {
      abort();
    }
  }
  free(memory);
  return 0;
}
