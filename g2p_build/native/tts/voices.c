/* Voices: files of rows, found by their names, blended. */
#include <string.h>

#include "model.h"

struct taking {
  tts *model;
  g2p_error *error;
  uint32_t count; /* of voices with those of this file */
};

static bool has(const tts *model, uint32_t count, g2p_text name) {
  for (uint32_t i = 0; i < count; i++)
    if (model->voices[i].name.size == name.size && memcmp(model->voices[i].name.data, name.data, name.size) == 0)
      return true;
  return false;
}

static g2p_status take(void *user, const struct g2p_found *found) {
  struct taking *taking = user;
  const struct tts_traits *traits = taking->model->traits;
  g2p_text shown = {found->name.data + 1, found->name.size - 2};
  if (!g2p_json_is(found->dtype, "F32") || found->rank != 2 || found->shape[0] != (uint64_t)traits->voice_rows ||
      found->shape[1] != 2 * (uint64_t)traits->style_dim)
    return g2p_fail(taking->error, G2P_INVALID_VOICES, "the voice %t is not F32 [%d, %d]: give the file that was built",
                    &shown, (int)traits->voice_rows, (int)(2 * traits->style_dim));
  if (memchr(shown.data, '\\', shown.size) || !shown.size)
    return g2p_fail(taking->error, G2P_INVALID_VOICES, "a voice is named %t: plain letters are wanted", &shown);
  if (has(taking->model, taking->count, found->name)) return G2P_OK;
  if (taking->count == TTS_MOST_VOICES)
    return g2p_fail(taking->error, G2P_INVALID_ARGUMENT, "the model has %d voices already: give files with fewer",
                    TTS_MOST_VOICES);
  taking->model->voices[taking->count++] = (struct tts_voice){found->name, (const float *)(const void *)found->data};
  return G2P_OK;
}

/* On failure the mapping is the caller's again. */
static g2p_status add(tts *model, const char *data, size_t size, const struct g2p_mapping *mapping, g2p_error *error) {
  g2p_lock(&model->mutex);
  g2p_status status = G2P_OK;
  if (model->files_count == TTS_MOST_VOICE_FILES)
    status = g2p_fail(error, G2P_INVALID_ARGUMENT, "the model has %d files of voices already: put several into one",
                      TTS_MOST_VOICE_FILES);
  struct taking taking = {model, error, model->voices_count};
  if (status == G2P_OK) status = g2p_each_tensor(data, size, take, &taking, error);
  if (status == G2P_OK) {
    if (mapping) model->files[model->files_count++] = *mapping;
    __atomic_store_n(&model->voices_count, taking.count, __ATOMIC_RELEASE);
  }
  g2p_unlock(&model->mutex);
  if (status == G2P_INVALID_WEIGHTS && error) error->status = G2P_INVALID_VOICES;
  return status == G2P_INVALID_WEIGHTS ? G2P_INVALID_VOICES : status;
}

g2p_status tts_add_voices(tts *model, const char *path, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !path) return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_add_voices was given a null pointer");
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(path, &mapping, error);
  if (status != G2P_OK) return status;
  status = add(model, mapping.data, mapping.size, &mapping, error);
  if (status != G2P_OK) g2p_unmap(&mapping);
  return status;
}

g2p_status tts_add_voices_memory(tts *model, const void *data, size_t size, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !data) return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_add_voices_memory was given a null pointer");
  return add(model, data, size, NULL, error);
}

g2p_status tts_voices(tts *model, char *names, size_t capacity, size_t *needed, g2p_error *error) {
  g2p_no_error(error);
  if (!model || (!names && capacity))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_voices was given a null pointer");
  uint32_t count = __atomic_load_n(&model->voices_count, __ATOMIC_ACQUIRE);
  size_t size = 1;
  for (uint32_t i = 0; i < count; i++) size += model->voices[i].name.size - 1;
  if (needed) *needed = size;
  if (size > capacity)
    return g2p_fail(error, G2P_TOO_SMALL, "the names take %z bytes and the buffer has %z", size, capacity);
  for (uint32_t i = 0; i < count; i++) {
    g2p_text name = model->voices[i].name;
    memcpy(names, name.data + 1, name.size - 2);
    names += name.size - 2;
    *names++ = 0;
  }
  *names = 0;
  return G2P_OK;
}

const struct tts_voice *tts_find_voice(const tts *model, const char *name) {
  uint32_t count = __atomic_load_n(&model->voices_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; i++)
    if (g2p_json_is(model->voices[i].name, name)) return &model->voices[i];
  return NULL;
}

void tts_blend(const tts *model, const tts_share *mixture, size_t count, size_t symbols, float *style) {
  size_t width = 2 * (size_t)model->traits->style_dim, rows = (size_t)model->traits->voice_rows;
  size_t row = symbols < rows ? symbols - 1 : rows - 1;
  float total = 0;
  for (size_t i = 0; i < count; i++) total += mixture[i].weight;
  memset(style, 0, width * sizeof *style);
  for (size_t i = 0; i < count; i++) {
    const float *from = tts_find_voice(model, mixture[i].voice)->rows + row * width;
    float share = mixture[i].weight / total;
    for (size_t j = 0; j < width; j++) style[j] += share * from[j];
  }
}
