/* A request's words: checked, ordered by length, handed to the threads. */
#include "model.h"

#include <string.h>

#include "text.h"

/* Words are numbered by 32 bits, and no table has more than 16 bytes for each. */
#define MOST_WORDS (SIZE_MAX / 32 < UINT32_MAX ? SIZE_MAX / 32 : UINT32_MAX)

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
  if (request->flags & ~(uint32_t)(G2P_LOGITS | G2P_SCORES | G2P_EACH | G2P_MODEL))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request's flags %z hold one that does not exist",
                    (size_t)request->flags);
  return G2P_OK;
}

/* What pronounces a request's words before the model is asked. */
struct lexicons {
  const struct g2p_lexicon *data;
  size_t count;
  bool asked;
};

static struct lexicons lexicons_for(g2p *model, const g2p_request *request) {
  return (struct lexicons){model->lexicons, __atomic_load_n(&model->lexicons_count, __ATOMIC_ACQUIRE),
                           !(request->flags & (G2P_MODEL | G2P_LOGITS))};
}

/* Checks a word. `*count` becomes how many input ids it has: 0 where it is known, and `known` then says how. */
static g2p_status check_word(const struct g2p_traits *traits, const struct lexicons *lexicons,
                             const g2p_request *request, size_t word, const char *checked, int32_t *ids, int32_t *count,
                             struct g2p_known *known, g2p_error *error) {
  const char *lang = g2p_language_of(request, word);
  g2p_text text = request->words[word];
  g2p_status status = G2P_OK;
  *count = 0;
  if (!lang)
    status = g2p_fail(error, G2P_INVALID_ARGUMENT, "the word's language is a null pointer");
  else if (!text.data && text.size)
    status = g2p_fail(error, G2P_INVALID_ARGUMENT, "the word is a null pointer");
  else if (lang != checked)
    status = g2p_check_language(traits, lang, error);
  if (status != G2P_OK) return status;
  if (lexicons->asked && g2p_is_word(text) && g2p_find_word(lexicons->data, lexicons->count, traits, text, lang, known))
    return G2P_OK;
  return g2p_encode(traits, text, lang, ids, count, error);
}

/* Checks every word and notes how many input ids it has: 0 where it does not reach the model, because it is known or,
 * with G2P_EACH, because it is wrong. */
static g2p_status check_words(const struct g2p_traits *traits, const struct lexicons *lexicons,
                              const g2p_request *request, int32_t *ids, int32_t *lengths, g2p_error *error) {
  const char *checked = NULL; /* the last language that was found good */
  struct g2p_known known;
  for (size_t word = 0; word < request->count; word++) {
    g2p_status status = check_word(traits, lexicons, request, word, checked, ids, &lengths[word], &known, error);
    if (status == G2P_OK) {
      checked = g2p_language_of(request, word);
    } else if (request->flags & G2P_EACH) {
      lengths[word] = 0;
    } else {
      if (error) error->word = word;
      return status;
    }
  }
  g2p_no_error(error);
  return G2P_OK;
}

static bool is_cancelled(const g2p_request *request) {
  return request->cancel && __atomic_load_n(request->cancel, __ATOMIC_RELAXED);
}

/* Hands over a word's pronunciations from a lexicon: the answer, and with a search the others too. */
static int deliver_known(const struct g2p_known *known, const g2p_search *search, g2p_result *result,
                         g2p_callback callback, void *user) {
  const char *at = known->text, *end = at + known->size;
  size_t left = search ? search->count : 1, size = known->first;
  result->source = known->source;
  while (true) {
    result->phonemes = (g2p_text){at, size};
    int stopped = callback(user, result);
    at += size;
    if (stopped || !--left || at == end) return stopped;
    at++;
    const char *comma = memchr(at, ',', (size_t)(end - at));
    size = (size_t)((comma ? comma : end) - at);
  }
}

/* Hands over the words that do not reach the model. */
static g2p_status deliver_others(const struct g2p_traits *traits, const struct lexicons *lexicons,
                                 const g2p_request *request, const g2p_search *search, int32_t *ids,
                                 const int32_t *lengths, g2p_callback callback, void *user) {
  struct g2p_known known;
  g2p_error wrong;
  int32_t count;
  for (size_t word = 0; word < request->count; word++) {
    if (lengths[word]) continue;
    if (is_cancelled(request)) return G2P_CANCELLED;
    g2p_result result = {.size = sizeof result, .word = word};
    result.status = check_word(traits, lexicons, request, word, NULL, ids, &count, &known, &wrong);
    if (result.status == G2P_OK) {
      if (deliver_known(&known, search, &result, callback, user) != 0) return G2P_CANCELLED;
      continue;
    }
    result.message = (g2p_text){wrong.message, strlen(wrong.message)};
    if (callback(user, &result) != 0) return G2P_CANCELLED;
  }
  return G2P_OK;
}

/* The words that reach the model, longest first, and of equal length in the request's order. `starts` has room for each
 * length up to `most`. Returns how many they are. */
static size_t sort_words(const int32_t *lengths, size_t count, size_t most, uint32_t *order, size_t *starts) {
  size_t before = 0;
  memset(starts, 0, (most + 1) * sizeof *starts);
  for (size_t word = 0; word < count; word++) starts[lengths[word]]++;
  for (size_t length = most + 1; length-- > 1;) {
    size_t here = starts[length];
    starts[length] = before;
    before += here;
  }
  for (size_t word = 0; word < count; word++)
    if (lengths[word]) order[starts[lengths[word]]++] = (uint32_t)word;
  return before;
}

/* What a request needs to find words in the model's cache, and to keep them there. */
struct caching {
  g2p *model;
  const g2p_request *request;
  int32_t *input, *ids; /* room for those of a word */
  char *text;           /* and for its phonemes */
  g2p_callback callback;
  void *user;
};

/* The input ids of a word, which has been checked. */
static size_t input_of(const struct caching *caching, size_t word) {
  const g2p_request *request = caching->request;
  int32_t count = 0;
  g2p_encode(caching->model->traits, request->words[word], g2p_language_of(request, word), caching->input, &count,
             NULL);
  return (size_t)count;
}

/* A callback that keeps what it hands on. It is called by one thread at a time. */
static int keep_and_call(void *user, const g2p_result *result) {
  const struct caching *caching = user;
  g2p *model = caching->model;
  struct g2p_said said = {.ids_count = result->ids_count,
                          .score = result->score,
                          .scored = caching->request->flags & G2P_SCORES,
                          .truncated = result->truncated,
                          .repeats = result->repeats};
  size_t count = input_of(caching, result->word);
  g2p_lock(&model->mutex);
  if (model->recent) g2p_recent_add(model->recent, caching->input, count, result->ids, &said);
  g2p_unlock(&model->mutex);
  return caching->callback(caching->user, result);
}

/* Hands over the words that are kept, and takes them out of the order. */
static g2p_status deliver_cached(const struct caching *caching, uint32_t *order, size_t *count) {
  g2p *model = caching->model;
  bool scored = caching->request->flags & G2P_SCORES;
  size_t left = 0;
  for (size_t i = 0; i < *count; i++) {
    if (is_cancelled(caching->request)) return G2P_CANCELLED;
    struct g2p_said said;
    size_t input = input_of(caching, order[i]);
    g2p_lock(&model->mutex);
    bool found = model->recent && g2p_recent_find(model->recent, caching->input, input, scored, caching->ids, &said);
    g2p_unlock(&model->mutex);
    if (!found) {
      order[left++] = order[i];
      continue;
    }
    g2p_result result = {.size = sizeof result, .word = order[i], .ids = caching->ids, .ids_count = said.ids_count};
    result.phonemes = (g2p_text){caching->text, g2p_decode(model->traits, caching->ids, said.ids_count, caching->text)};
    result.truncated = said.truncated;
    result.repeats = said.repeats;
    result.score = scored ? said.score : 0;
    if (caching->callback(caching->user, &result) != 0) return G2P_CANCELLED;
  }
  *count = left;
  return G2P_OK;
}

/* Whether a model keeps words, and a request is one whose words can be kept. */
static bool is_cached(g2p *model, const g2p_request *request) {
  bool whole = !request->most_ids || request->most_ids >= (size_t)model->traits->output_len - 1;
  g2p_lock(&model->mutex);
  bool keeps = model->recent != NULL;
  g2p_unlock(&model->mutex);
  return keeps && whole && !(request->flags & G2P_LOGITS);
}

const struct g2p_draft *g2p_draft_of(const g2p *model) {
  return __atomic_load_n(&model->drafts, __ATOMIC_ACQUIRE) ? &model->draft : NULL;
}

/* Has the model pronounce `count` words, which are ordered. */
static g2p_status decode_words(g2p *model, const g2p_request *request, const g2p_search *search, const uint32_t *order,
                               size_t count, const int32_t *lengths, g2p_callback callback, void *user,
                               g2p_error *error) {
  size_t bound = (size_t)model->traits->output_len - 1;
  uint32_t threads = request->threads ? request->threads : model->threads;
  if (threads > G2P_MOST_THREADS) threads = G2P_MOST_THREADS;
  if (threads > count) threads = (uint32_t)count;
  struct g2p_job job = {.request = request,
                        .search = search,
                        .callback = callback,
                        .user = user,
                        .threads = threads,
                        .most_ids =
                            (int32_t)(request->most_ids && request->most_ids < bound ? request->most_ids : bound),
                        .order = order,
                        .count = count,
                        .lengths = lengths,
                        .draft = g2p_draft_of(model),
                        .status = G2P_OK};
  g2p_status status = G2P_NO_MEMORY;
  if (g2p_mutex_begin(&job.mutex)) {
    if (g2p_mutex_begin(&job.delivery)) {
      g2p_run_job(model, &job);
      g2p_lock(&model->mutex);
      g2p_count(&model->statistics, &job.statistics);
      g2p_unlock(&model->mutex);
      g2p_mutex_end(&job.delivery);
      status = job.status;
    }
    g2p_mutex_end(&job.mutex);
  }
  if (status == G2P_NO_MEMORY) g2p_fail(error, status, "no memory to decode with: close a model, or use fewer threads");
  return status;
}

/* A request whose languages are the model's own codes, where they mean any. `codes` has room for one for each word. */
static g2p_request with_codes(const struct g2p_traits *traits, const g2p_request *request, const char **codes) {
  g2p_request asked = *request;
  if (!request->langs) {
    asked.lang = g2p_language(traits, request->lang);
    return asked;
  }
  for (size_t word = 0; word < request->count; word++) {
    bool again = word && request->langs[word] == request->langs[word - 1];
    codes[word] = again ? codes[word - 1] : g2p_language(traits, request->langs[word]);
  }
  asked.langs = codes;
  return asked;
}

/* Has the model pronounce words, which are ordered, as far as it has not kept them. `input` has room for a word's ids. */
static g2p_status decode_or_find(g2p *model, const g2p_request *request, const g2p_search *search, uint32_t *order,
                                 size_t count, const int32_t *lengths, int32_t *input, g2p_callback callback,
                                 void *user, g2p_error *error) {
  if (search || !is_cached(model, request))
    return decode_words(model, request, search, order, count, lengths, callback, user, error);
  size_t most = (size_t)model->traits->output_len, size = most * (sizeof(int32_t) + 1);
  int32_t *ids = g2p_allocate(model->allocator, size);
  if (!ids) return g2p_fail(error, G2P_NO_MEMORY, "no memory to find words with: use a smaller cache");
  struct caching caching = {model, request, input, ids, (char *)(ids + most), callback, user};
  g2p_status status = deliver_cached(&caching, order, &count);
  if (status == G2P_OK && count)
    status = decode_words(model, request, NULL, order, count, lengths, keep_and_call, &caching, error);
  g2p_release(model->allocator, ids, size);
  return status;
}

g2p_status g2p_run_request(g2p *model, const g2p_request *given, const g2p_search *search, g2p_callback callback,
                           void *user, g2p_error *error) {
  g2p_status status = g2p_check_request(given, error);
  if (status != G2P_OK || !given->count) return status;
  size_t count = given->count, most = (size_t)model->traits->input_len, langs = given->langs ? count : 0;
  size_t size = 2 * count * sizeof(uint32_t) + most * sizeof(int32_t) + (most + 1) * sizeof(size_t);
  size += langs * sizeof(char *);
  size_t *starts = g2p_allocate(model->allocator, size);
  if (!starts) return g2p_fail(error, G2P_NO_MEMORY, "no memory for a list of %z words", count);
  const char **codes = (const char **)(starts + most + 1);
  g2p_request asked = with_codes(model->traits, given, codes);
  const g2p_request *request = &asked;
  int32_t *ids = (int32_t *)(codes + langs);
  uint32_t *order = (uint32_t *)(ids + most);
  int32_t *lengths = (int32_t *)(order + count);
  struct lexicons lexicons = lexicons_for(model, request);
  status = check_words(model->traits, &lexicons, request, ids, lengths, error);
  if (status == G2P_OK) {
    size_t left = sort_words(lengths, count, most, order, starts);
    if (left < count) status = deliver_others(model->traits, &lexicons, request, search, ids, lengths, callback, user);
    if (status == G2P_OK && left)
      status = decode_or_find(model, request, search, order, left, lengths, ids, callback, user, error);
    if (status == G2P_CANCELLED) g2p_fail(error, status, "the call was cancelled");
  }
  g2p_release(model->allocator, starts, size);
  return status;
}
