#include "letters.h"

#include <string.h>

#include "classes.h"
#include "core.h"

#pragma GCC visibility push(hidden)
const letters_variant *letters_default(void);
#pragma GCC visibility pop

const char *letters_class(const letters_variant *variant, int32_t kind) {
  const struct letters_model *model = (variant ? variant : letters_default())->model;
  return kind >= 0 && kind < model->count ? model->classes[kind] : NULL;
}

static g2p_status run(const struct g2p_program *program, const void *const *weights, int32_t count, int32_t *letters,
                      int32_t *kinds, int32_t classes) {
  size_t floats = (size_t)count * (size_t)classes * sizeof(float);
  char *arena = g2p_allocate(&g2p_malloc, program->arena_bytes);
  float *logits = g2p_allocate(&g2p_malloc, floats);
  void *arguments[3] = {NULL};
  for (size_t i = 0; i < program->arguments_count; i++) {
    const char *name = program->arguments[i];
    arguments[i] = strcmp(name, "letters") == 0 ? (void *)letters : strcmp(name, "kinds") == 0 ? (void *)kinds : logits;
  }
  struct g2p_run call = {.rows = 1, .positions = count, .arena = arena, .weights = weights, .arguments = arguments};
  bool enough = logits && (arena || !program->arena_bytes);
  if (enough) program->functions->run(&call);
  g2p_release(&g2p_malloc, logits, floats);
  g2p_release(&g2p_malloc, arena, program->arena_bytes);
  return enough ? G2P_OK : G2P_NO_MEMORY;
}

g2p_status letters_classify(const char *weights, const letters_variant *variant, const char *text, int32_t *kinds,
                            g2p_error *error) {
  g2p_no_error(error);
  if (!variant) variant = letters_default();
  const struct letters_model *model = variant->model;
  size_t size = strlen(text);
  if (!size || size > (size_t)model->most)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "%z bytes are not between 1 and %d", size, (int)model->most);
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(weights, &mapping, error);
  if (status != G2P_OK) return status;
  const void *pointers[8];
  status = g2p_find_weights(variant->program, mapping.data, mapping.size, pointers, error);
  int32_t *letters = g2p_allocate(&g2p_malloc, size * sizeof *letters);
  int32_t *found = g2p_allocate(&g2p_malloc, size * sizeof *found);
  if (status == G2P_OK && !(letters && found)) status = G2P_NO_MEMORY;
  if (status == G2P_OK) {
    for (size_t i = 0; i < size; i++) letters[i] = (unsigned char)text[i];
    status = run(variant->program, pointers, (int32_t)size, letters, found, model->count);
    memcpy(kinds, found, size * sizeof *kinds);
  }
  g2p_release(&g2p_malloc, letters, size * sizeof *letters);
  g2p_release(&g2p_malloc, found, size * sizeof *found);
  g2p_unmap(&mapping);
  return status;
}
