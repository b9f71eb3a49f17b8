#include "other.h"

#include <string.h>

#include "core.h"

#pragma GCC visibility push(hidden)
const other_variant *other_default(void);
#pragma GCC visibility pop

/* What model.inc defines. */
struct other_model {
  int32_t most_ids, width;
};

static void *memory_of(size_t size) { return g2p_allocate(&g2p_malloc, size); }

static double run(const struct g2p_program *program, const void *const *weights, int32_t width, const int32_t *ids,
                  int32_t count) {
  const struct g2p_function *encode = program->functions;
  while (strcmp(encode->role, "encode") != 0) encode++;
  void *arguments[16] = {NULL};
  size_t floats = (size_t)count * (size_t)width, size = (size_t)count * sizeof(int32_t);
  int32_t *input = memory_of(size), *length = memory_of(sizeof count);
  float *hidden = memory_of(floats * sizeof(float));
  char *arena = memory_of(encode->arena_bytes);
  memcpy(input, ids, size);
  *length = count;
  for (size_t i = 0; i < program->arguments_count; i++) {
    const char *name = program->arguments[i];
    arguments[i] = strcmp(name, "input_ids") == 0 ? (void *)input : NULL;
    if (strcmp(name, "length") == 0) arguments[i] = length;
    if (strcmp(name, "hidden") == 0) arguments[i] = hidden;
  }
  struct g2p_run call = {.rows = 1, .positions = count, .arena = arena, .weights = weights, .arguments = arguments};
  encode->run(&call);
  double sum = 0;
  for (size_t i = 0; i < floats; i++) sum += (double)hidden[i] * (double)(i + 1);
  g2p_release(&g2p_malloc, arena, encode->arena_bytes);
  g2p_release(&g2p_malloc, hidden, floats * sizeof(float));
  g2p_release(&g2p_malloc, length, sizeof count);
  g2p_release(&g2p_malloc, input, size);
  return sum;
}

g2p_status other_sum(const char *weights, const other_variant *variant, const int32_t *ids, int32_t count, double *sum,
                     g2p_error *error) {
  g2p_no_error(error);
  if (!variant) variant = other_default();
  g2p_status status = g2p_check_variant(variant, G2P_LAYOUT, error);
  if (status != G2P_OK) return status;
  const struct other_model *model = variant->model;
  if (count < 1 || count > model->most_ids)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "%d ids are not between 1 and %d", (int)count, (int)model->most_ids);
  struct g2p_mapping mapping;
  status = g2p_map(weights, &mapping, error);
  if (status != G2P_OK) return status;
  const void *pointers[256];
  status = g2p_find_weights(variant->program, mapping.data, mapping.size, pointers, error);
  if (status == G2P_OK) *sum = run(variant->program, pointers, model->width, ids, count);
  g2p_unmap(&mapping);
  return status;
}
