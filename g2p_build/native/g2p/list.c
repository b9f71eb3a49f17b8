/* A request's words: checked, ordered by length, handed to the threads. */
#include "model.h"

#include <string.h>

#include "text.h"

/* Words are numbered by 32 bits, and no table has more than 16 bytes for each. */
#define MOST_WORDS (SIZE_MAX / 32 < UINT32_MAX ? SIZE_MAX / 32 : UINT32_MAX)

static const char *language_of(const g2p_request *request, size_t word) {
  return request->langs ? request->langs[word] : request->lang;
}

g2p_status g2p_check_request(const g2p_request *request, g2p_error *error) {
  if (!request) return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request is a null pointer");
  if (request->size != sizeof *request)
    return g2p_fail(error, G2P_INVALID_ARGUMENT,
                    "the request says that it has %z bytes, not %z: set its size to sizeof", request->size,
                    sizeof *request);
  if (request->count && !request->words)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request's words are a null pointer, and there are to be %z",
                    request->count);
  if (request->count && !request->lang && !request->langs)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request names no language: set lang or langs");
  if (request->count > MOST_WORDS)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "%z words are more than one request takes", request->count);
  if (request->flags & ~(uint32_t)G2P_LOGITS)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request's flags %z hold one that does not exist",
                    (size_t)request->flags);
  return G2P_OK;
}

/* Checks every word and notes how many input ids it has. */
static g2p_status check_words(const struct g2p_traits *traits, const g2p_request *request, int32_t *ids,
                              int32_t *lengths, g2p_error *error) {
  const char *checked = NULL; /* the last language that was found good */
  for (size_t word = 0; word < request->count; word++) {
    const char *lang = language_of(request, word);
    g2p_status status = G2P_OK;
    int32_t count = 0;
    if (!lang)
      status = g2p_fail(error, G2P_INVALID_ARGUMENT, "the word's language is a null pointer");
    else if (!request->words[word].data && request->words[word].size)
      status = g2p_fail(error, G2P_INVALID_ARGUMENT, "the word is a null pointer");
    else if (lang != checked)
      status = g2p_check_language(traits, lang, error);
    if (status == G2P_OK) status = g2p_encode(traits, request->words[word], lang, ids, &count, error);
    if (status != G2P_OK) {
      if (error) error->word = word;
      return status;
    }
    checked = lang;
    lengths[word] = count;
  }
  return G2P_OK;
}

/* Longest first, and of equal length in the request's order. `starts` has room for each length up to `most`. */
static void sort_words(const int32_t *lengths, size_t count, size_t most, uint32_t *order, size_t *starts) {
  size_t before = 0;
  memset(starts, 0, (most + 1) * sizeof *starts);
  for (size_t word = 0; word < count; word++) starts[lengths[word]]++;
  for (size_t length = most + 1; length-- > 0;) {
    size_t here = starts[length];
    starts[length] = before;
    before += here;
  }
  for (size_t word = 0; word < count; word++) order[starts[lengths[word]]++] = (uint32_t)word;
}

g2p_status g2p_run_request(g2p *model, const g2p_request *request, g2p_callback callback, void *user,
                           g2p_error *error) {
  g2p_status status = g2p_check_request(request, error);
  if (status != G2P_OK || !request->count) return status;
  size_t count = request->count, most = (size_t)model->traits->input_len;
  size_t size = 2 * count * sizeof(uint32_t) + most * sizeof(int32_t) + (most + 1) * sizeof(size_t);
  size_t *starts = g2p_allocate(model->allocator, size);
  if (!starts) return g2p_fail(error, G2P_NO_MEMORY, "no memory for a list of %z words", count);
  int32_t *ids = (int32_t *)(starts + most + 1);
  uint32_t *order = (uint32_t *)(ids + most);
  int32_t *lengths = (int32_t *)(order + count);
  status = check_words(model->traits, request, ids, lengths, error);
  if (status == G2P_OK) {
    sort_words(lengths, count, most, order, starts);
    uint32_t threads = request->threads ? request->threads : model->threads;
    if (threads > G2P_MOST_THREADS) threads = G2P_MOST_THREADS;
    if (threads > count) threads = (uint32_t)count;
    size_t bound = (size_t)model->traits->output_len - 1;
    struct g2p_job job = {.request = request,
                          .callback = callback,
                          .user = user,
                          .threads = threads,
                          .most_ids =
                              (int32_t)(request->most_ids && request->most_ids < bound ? request->most_ids : bound),
                          .order = order,
                          .lengths = lengths,
                          .status = G2P_OK};
    status = G2P_NO_MEMORY;
    if (g2p_mutex_begin(&job.mutex)) {
      if (g2p_mutex_begin(&job.delivery)) {
        g2p_run_job(model, &job);
        g2p_mutex_end(&job.delivery);
        status = job.status;
      }
      g2p_mutex_end(&job.mutex);
    }
    if (status == G2P_NO_MEMORY)
      g2p_fail(error, status, "no memory to decode with: close a model, or use fewer threads");
    if (status == G2P_CANCELLED) g2p_fail(error, status, "the call was cancelled");
  }
  g2p_release(model->allocator, starts, size);
  return status;
}
