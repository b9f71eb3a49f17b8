/* Results of a whole request: kept as they come, in any order, then laid out in the request's. */
#include "model.h"

#include <string.h>

struct piece {
  size_t start, count;
};

struct gathered {
  const g2p_allocator *allocator;
  bool text;            /* phonemes, else ids */
  struct piece *pieces; /* of each word, in `data` */
  char *data;
  size_t used, capacity; /* bytes */
  bool no_memory;
};

static int keep(void *user, const g2p_result *result) {
  struct gathered *all = user;
  const void *data = all->text ? (const void *)result->phonemes.data : (const void *)result->ids;
  size_t bytes = all->text ? result->phonemes.size : result->ids_count * sizeof(int32_t);
  if (all->capacity - all->used < bytes) {
    size_t capacity = 2 * all->capacity + bytes;
    char *larger = all->capacity <= SIZE_MAX / 4 ? g2p_allocate(all->allocator, capacity) : NULL;
    if (!larger) {
      all->no_memory = true;
      return 1;
    }
    if (all->used) memcpy(larger, all->data, all->used);
    g2p_release(all->allocator, all->data, all->capacity);
    all->data = larger;
    all->capacity = capacity;
  }
  if (bytes) memcpy(all->data + all->used, data, bytes);
  all->pieces[result->word] = (struct piece){all->used, bytes};
  all->used += bytes;
  return 0;
}

static g2p_status out_of_memory(size_t words, g2p_error *error) {
  return g2p_fail(error, G2P_NO_MEMORY, "no memory for the results of %z words", words);
}

/* Gives the data and its offsets, in elements of `width` bytes; both are the allocator's. */
static g2p_status gather(g2p *model, const g2p_request *request, bool text, size_t width, void **data, size_t **offsets,
                         size_t *count, g2p_error *error) {
  *data = NULL;
  *offsets = NULL;
  *count = 0;
  g2p_status status = g2p_check_request(request, error);
  if (status != G2P_OK) return status;
  struct gathered all = {.allocator = model->allocator, .text = text};
  size_t words = request->count;
  if (words && !(all.pieces = g2p_allocate(model->allocator, words * sizeof *all.pieces)))
    return out_of_memory(words, error);
  status = g2p_run_request(model, request, keep, &all, error);
  if (status == G2P_CANCELLED && all.no_memory) status = out_of_memory(words, error);
  if (status == G2P_OK) {
    size_t *starts = g2p_allocate(model->allocator, (words + 1) * sizeof *starts);
    char *sorted = g2p_allocate(model->allocator, all.used + 1);
    if (starts && sorted) {
      size_t at = 0;
      for (size_t word = 0; word < words; word++) {
        starts[word] = at / width;
        if (all.pieces[word].count) memcpy(sorted + at, all.data + all.pieces[word].start, all.pieces[word].count);
        at += all.pieces[word].count;
      }
      starts[words] = at / width;
      *data = sorted;
      *offsets = starts;
      *count = words;
    } else {
      g2p_release(model->allocator, starts, (words + 1) * sizeof *starts);
      g2p_release(model->allocator, sorted, all.used + 1);
      status = out_of_memory(words, error);
    }
  }
  g2p_release(model->allocator, all.data, all.capacity);
  g2p_release(model->allocator, all.pieces, words * sizeof *all.pieces);
  return status;
}

g2p_status g2p_pronounce_all(g2p *model, const g2p_request *request, g2p_texts *phonemes, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !phonemes) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_pronounce_all was given a null pointer");
  void *data;
  g2p_status status = gather(model, request, true, 1, &data, &phonemes->offsets, &phonemes->count, error);
  phonemes->data = data;
  return status;
}

g2p_status g2p_tokens(g2p *model, const g2p_request *request, g2p_ids *ids, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !ids) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_tokens was given a null pointer");
  void *data;
  g2p_status status = gather(model, request, false, sizeof(int32_t), &data, &ids->offsets, &ids->count, error);
  ids->data = data;
  return status;
}

static void release(g2p *model, void *data, size_t width, size_t *offsets, size_t count) {
  if (!model || !offsets) return;
  g2p_release(model->allocator, data, offsets[count] * width + 1);
  g2p_release(model->allocator, offsets, (count + 1) * sizeof *offsets);
}

void g2p_free_texts(g2p *model, g2p_texts *texts) {
  if (!texts) return;
  release(model, texts->data, 1, texts->offsets, texts->count);
  *texts = (g2p_texts){NULL, NULL, 0};
}

void g2p_free_ids(g2p *model, g2p_ids *ids) {
  if (!ids) return;
  release(model, ids->data, sizeof(int32_t), ids->offsets, ids->count);
  *ids = (g2p_ids){NULL, NULL, 0};
}
