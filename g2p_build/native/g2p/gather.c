/* Results of a whole request: kept as they come, in any order, then laid out in the request's. */
#include "model.h"

#include <string.h>

struct piece {
  size_t start, count;
};

/* What one word takes of each kind of result. */
enum kind { TEXT, IDS, ALL };

struct gathered {
  const g2p_allocator *allocator;
  enum kind kind;
  struct piece *pieces; /* of each word, in `data` */
  g2p_result *results;  /* of each word, with ALL: pointers into `data` are left out */
  size_t each;          /* pieces and results that a word may have: 1, or as many as are searched for */
  uint32_t *found;      /* how many each word has; NULL where it has one */
  char *data;
  size_t used, capacity; /* bytes */
  bool no_memory;
};

static bool make_room(struct gathered *all, size_t bytes) {
  if (all->capacity - all->used >= bytes) return true;
  size_t capacity = 2 * all->capacity + bytes;
  char *larger = all->capacity <= SIZE_MAX / 4 ? g2p_allocate(all->allocator, capacity) : NULL;
  if (!larger) {
    all->no_memory = true;
    return false;
  }
  if (all->used) memcpy(larger, all->data, all->used);
  g2p_release(all->allocator, all->data, all->capacity);
  all->data = larger;
  all->capacity = capacity;
  return true;
}

static void append(struct gathered *all, const void *data, size_t bytes) {
  if (bytes) memcpy(all->data + all->used, data, bytes);
  all->used += bytes;
}

/* A word's ids come first, then its phonemes and its message; the next word's ids begin at a multiple of 4. */
static int keep(void *user, const g2p_result *result) {
  struct gathered *all = user;
  size_t ids = all->kind == TEXT ? 0 : result->ids_count * sizeof(int32_t);
  size_t text = all->kind == IDS ? 0 : result->phonemes.size, message = all->kind == ALL ? result->message.size : 0;
  if (!make_room(all, ids + text + message + sizeof(int32_t))) return 1;
  size_t place = result->word * all->each + (all->found ? all->found[result->word]++ : 0);
  all->pieces[place] = (struct piece){all->used, ids + text};
  append(all, result->ids, ids);
  append(all, result->phonemes.data, text);
  append(all, result->message.data, message);
  if (all->kind == ALL) {
    all->used = (all->used + sizeof(int32_t) - 1) / sizeof(int32_t) * sizeof(int32_t);
    all->results[place] = *result;
  }
  return 0;
}

static g2p_status out_of_memory(size_t words, g2p_error *error) {
  return g2p_fail(error, G2P_NO_MEMORY, "no memory for the results of %z words", words);
}

/* Has a request pronounced; on failure nothing is to be freed. A lexicon has no ids, so those are the model's. */
static g2p_status run(g2p *model, const g2p_request *request, const g2p_search *search, struct gathered *all,
                      g2p_error *error) {
  size_t words = request->count, pieces = words * all->each;
  g2p_request asked = *request;
  if (all->kind == IDS) asked.flags |= G2P_MODEL;
  if (words && !(all->pieces = g2p_allocate(model->allocator, pieces * sizeof *all->pieces)))
    return out_of_memory(words, error);
  g2p_status status = g2p_run_request(model, &asked, search, keep, all, error);
  if (status == G2P_CANCELLED && all->no_memory) status = out_of_memory(words, error);
  if (status != G2P_OK) {
    g2p_release(model->allocator, all->data, all->capacity);
    g2p_release(model->allocator, all->pieces, pieces * sizeof *all->pieces);
  }
  return status;
}

/* Gives the data and its offsets, in elements of `width` bytes; both are the allocator's. */
static g2p_status gather(g2p *model, const g2p_request *request, enum kind kind, size_t width, void **data,
                         size_t **offsets, size_t *count, g2p_error *error) {
  *data = NULL;
  *offsets = NULL;
  *count = 0;
  g2p_status status = g2p_check_request(request, error);
  if (status != G2P_OK) return status;
  struct gathered all = {.allocator = model->allocator, .kind = kind, .each = 1};
  size_t words = request->count;
  status = run(model, request, NULL, &all, error);
  if (status != G2P_OK) return status;
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
  g2p_release(model->allocator, all.data, all.capacity);
  g2p_release(model->allocator, all.pieces, words * sizeof *all.pieces);
  return status;
}

g2p_status g2p_pronounce_all(g2p *model, const g2p_request *request, g2p_texts *phonemes, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !phonemes) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_pronounce_all was given a null pointer");
  void *data;
  g2p_status status = gather(model, request, TEXT, 1, &data, &phonemes->offsets, &phonemes->count, error);
  phonemes->data = data;
  return status;
}

g2p_status g2p_tokens(g2p *model, const g2p_request *request, g2p_ids *ids, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !ids) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_tokens was given a null pointer");
  void *data;
  g2p_status status = gather(model, request, IDS, sizeof(int32_t), &data, &ids->offsets, &ids->count, error);
  ids->data = data;
  return status;
}

/* What g2p_results has as its memory; the results follow. */
struct held {
  size_t size; /* of this, with room for results that there are not */
  char *data;
  size_t capacity;
  g2p_result results[];
};

/* Has a request pronounced into `held`. `found` is where a search counts each word's results. */
static g2p_status hold(g2p *model, const g2p_request *request, const g2p_search *search, struct held *held,
                       uint32_t *found, g2p_results *results, g2p_error *error) {
  size_t words = request->count, each = search ? search->count : 1, count = 0;
  struct gathered all = {
      .allocator = model->allocator, .kind = ALL, .results = held->results, .each = each, .found = found};
  g2p_status status = run(model, request, search, &all, error);
  if (status != G2P_OK) return status;
  for (size_t place = 0; place < words * each; place++) {
    if (found && place % each >= found[place / each]) continue;
    g2p_result *result = &held->results[count++];
    *result = held->results[place];
    const char *piece = all.data + all.pieces[place].start, *text = piece + result->ids_count * sizeof(int32_t);
    result->ids = result->ids_count ? (const int32_t *)(const void *)piece : NULL;
    result->phonemes.data = text;
    result->message.data = text + result->phonemes.size;
    result->logits = NULL;
  }
  g2p_release(model->allocator, all.pieces, words * each * sizeof *all.pieces);
  held->data = all.data;
  held->capacity = all.capacity;
  *results = (g2p_results){held->results, count, held};
  return G2P_OK;
}

/* The results of a request, which has been checked. */
static g2p_status results_of(g2p *model, const g2p_request *request, const g2p_search *search, g2p_results *results,
                             g2p_error *error) {
  size_t words = request->count, each = search ? search->count : 1, counts = search ? words : 0;
  if (words > SIZE_MAX / 4 / sizeof(g2p_result) / each) return out_of_memory(words, error);
  size_t size = sizeof(struct held) + words * each * sizeof(g2p_result);
  struct held *held = g2p_allocate(model->allocator, size);
  uint32_t *found = held && counts ? g2p_allocate(model->allocator, counts * sizeof *found) : NULL;
  g2p_status status = G2P_OK;
  if (!held || (counts && !found)) {
    status = out_of_memory(words, error);
  } else {
    held->size = size;
    if (found) memset(found, 0, counts * sizeof *found);
    status = hold(model, request, search, held, found, results, error);
  }
  g2p_release(model->allocator, found, counts * sizeof *found);
  if (status != G2P_OK) g2p_release(model->allocator, held, size);
  return status;
}

g2p_status g2p_results_all(g2p *model, const g2p_request *request, g2p_results *results, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !results) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_results_all was given a null pointer");
  *results = (g2p_results){NULL, 0, NULL};
  g2p_status status = g2p_check_request(request, error);
  return status == G2P_OK ? results_of(model, request, NULL, results, error) : status;
}

/* Whether a search can be made. */
static g2p_status check_search(const g2p *model, const g2p_request *request, const g2p_search *search,
                               g2p_error *error) {
  if (search->size != sizeof *search)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the search says that it has %z bytes, not %z: set its size to sizeof",
                    search->size, sizeof *search);
  size_t beams = search->beams, count = search->count, half = (size_t)model->traits->vocabulary / 2;
  size_t most = half < G2P_MOST_BEAMS ? half : G2P_MOST_BEAMS;
  if (beams < 1 || beams > most) return g2p_fail(error, G2P_INVALID_ARGUMENT, "%z beams: give 1 to %z", beams, most);
  if (count < 1 || count > beams)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the best %z of %z beams: give 1 to %z, or more beams", count, beams,
                    beams);
  if (request->flags & G2P_LOGITS)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "a search gives no logits: leave out G2P_LOGITS");
  if (!model->variant->program->states_count)
    return g2p_fail(error, G2P_UNSUPPORTED,
                    "this variant was built with kv_cache=false, which has no search: build it with kv_cache=true");
  return G2P_OK;
}

g2p_status g2p_best(g2p *model, const g2p_request *request, const g2p_search *search, g2p_results *results,
                    g2p_error *error) {
  g2p_no_error(error);
  if (!model || !search || !results) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_best was given a null pointer");
  *results = (g2p_results){NULL, 0, NULL};
  g2p_status status = g2p_check_request(request, error);
  if (status == G2P_OK) status = check_search(model, request, search, error);
  return status == G2P_OK ? results_of(model, request, search, results, error) : status;
}

void g2p_free_results(g2p *model, g2p_results *results) {
  if (!model || !results || !results->memory) return;
  struct held *held = results->memory;
  g2p_release(model->allocator, held->data, held->capacity);
  g2p_release(model->allocator, held, held->size);
  *results = (g2p_results){NULL, 0, NULL};
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
