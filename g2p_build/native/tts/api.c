/* Opening and closing. */
#include <string.h>

#include "model.h"

uint32_t tts_abi_version(void) { return TTS_ABI_VERSION; }

void tts_cancel(volatile int32_t *cancel) {
  if (cancel) __atomic_store_n(cancel, 1, __ATOMIC_RELAXED);
}

static g2p_status take_options(const tts_options *given, tts_options *options, g2p_error *error) {
  *options = (tts_options){.size = sizeof *options};
  if (given && given->size != sizeof *options)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the options say that they have %z bytes, not %z: set size to sizeof",
                    given->size, sizeof *options);
  if (given) *options = *given;
  if (!options->variant) options->variant = tts_default();
  g2p_status status = g2p_check_variant(options->variant, G2P_LAYOUT, error);
  if (status != G2P_OK) return status;
  if (!options->allocator) options->allocator = &g2p_malloc;
  if (!options->allocator->allocate || !options->allocator->release)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the allocator lacks one of its functions");
  return G2P_OK;
}

static g2p_status open_data(const char *data, size_t size, const tts_options *options, tts **opened, g2p_error *error) {
  const struct g2p_variant *variant = options->variant;
  const char *lacking = g2p_missing_feature(variant);
  if (lacking)
    return g2p_fail(error, G2P_UNSUPPORTED_CPU,
                    "this processor lacks %s, which the library was built for: build it for "
                    "a lesser target.cpu",
                    lacking);
  size_t pointers = variant->program->weights_count * sizeof(void *);
  tts *model = g2p_allocate(options->allocator, sizeof *model + pointers);
  if (!model) return g2p_fail(error, G2P_NO_MEMORY, "no memory to open a model");
  memset(model, 0, sizeof *model);
  model->variant = variant;
  model->traits = variant->model;
  model->own = *options->allocator;
  model->allocator = &model->own;
  model->weights = (const void **)(model + 1);
  model->threads = options->threads ? options->threads : g2p_processors();
  model->extension = g2p_extension_of(variant->program);
  g2p_status status = g2p_find_weights(variant->program, data, size, model->weights, error);
  if (status == G2P_OK && !g2p_mutex_begin(&model->mutex))
    status = g2p_fail(error, G2P_NO_MEMORY, "the system gives no lock to open a model with");
  if (status == G2P_OK)
    *opened = model;
  else
    g2p_release(options->allocator, model, sizeof *model + pointers);
  return status;
}

g2p_status tts_open(const char *weights, const tts_options *options, tts **model, g2p_error *error) {
  g2p_no_error(error);
  if (model) *model = NULL;
  if (!weights || !model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_open was given a null pointer");
  tts_options taken;
  struct g2p_mapping mapping;
  g2p_status status = take_options(options, &taken, error);
  if (status == G2P_OK) status = g2p_map(weights, &mapping, error);
  if (status != G2P_OK) return status;
  status = open_data(mapping.data, mapping.size, &taken, model, error);
  if (status == G2P_OK)
    (*model)->mapping = mapping;
  else
    g2p_unmap(&mapping);
  return status;
}

g2p_status tts_open_memory(const void *weights, size_t size, const tts_options *options, tts **model,
                           g2p_error *error) {
  g2p_no_error(error);
  if (model) *model = NULL;
  if (!weights || !model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_open_memory was given a null pointer");
  tts_options taken;
  g2p_status status = take_options(options, &taken, error);
  return status == G2P_OK ? open_data(weights, size, &taken, model, error) : status;
}

void tts_close(tts *model) {
  if (!model) return;
  tts_trim(model);
  g2p_mutex_end(&model->mutex);
  for (uint32_t i = 0; i < model->files_count; i++) g2p_unmap(&model->files[i]);
  g2p_unmap(&model->mapping);
  g2p_allocator allocator = model->own;
  g2p_release(&allocator, model, sizeof *model + model->variant->program->weights_count * sizeof(void *));
}

tts_bounds tts_limits(const tts *model) {
  if (!model) return (tts_bounds){0};
  const struct tts_traits *traits = model->traits;
  return (tts_bounds){(size_t)traits->max_symbols, (uint32_t)traits->sample_rate, (uint32_t)traits->frame_samples,
                      0.25F, 4};
}

const char *tts_info(const tts *model) { return model ? model->variant->info : NULL; }
