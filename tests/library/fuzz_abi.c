/* Any bytes as calls of the ABI, with toy.c's program: the results are those that are known, or a status.
 *
 * How to run it: ../core/fuzz_main.c. Sources: fuzz_abi.c, toy.c (with TOY_CACHELESS too), toy_search.c, all of g2p_build/native/{core,g2p}. */
#include <stdlib.h>
#include <string.h>

#include "toy.h"
#include "toy_search.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes { /* that are still to be used */
  const uint8_t *at, *end;
};

static unsigned next(struct bytes *bytes, unsigned bound) { return bytes->at < bytes->end ? *bytes->at++ % bound : 0; }

static unsigned last(struct bytes *bytes, unsigned bound) { /* so that a seed's calls stay where they are */
  return bytes->at < bytes->end ? *--bytes->end % bound : 0;
}

static void *copy_of(const void *data, size_t size) { /* of the exact size: what is read beside it is seen */
  void *copy = malloc(size);
  if (size) memcpy(copy, data, size);
  return copy;
}

static size_t live; /* blocks of the allocator below */

static void *allocate(void *user, size_t size, size_t alignment) {
  int32_t *left = user; /* allocations that still work; below 0: all */
  void *memory = NULL;
  int32_t before = __atomic_load_n(left, __ATOMIC_RELAXED);
  while (before > 0 &&
         !__atomic_compare_exchange_n(left, &before, before - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  if (before == 0 || size > 1 << 24 || posix_memalign(&memory, alignment, size)) return NULL;
  memset(memory, 0xa5, size);
  __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
  return memory;
}

static void release(void *user, void *memory, size_t size) {
  (void)user;
  memset(memory, 0x5a, size);
  __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
  free(memory);
}

struct request {
  g2p_request *given;
  g2p_request request;
  g2p_text words[16];
  char *langs[16];
  bool sure; /* nothing is wrong with it */
  int32_t cancel;
};

static const char *const codes[] = {"eng-us", "fin", "eng", "", "\xff"};

static g2p_text word_of(struct bytes *bytes, bool *sure) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzaeiou";
  unsigned kind = next(bytes, 8), size = next(bytes, 28);
  if (kind == 0) {
    *sure = false;
    size = size < (size_t)(bytes->end - bytes->at) ? size : (unsigned)(bytes->end - bytes->at);
    g2p_text raw = {copy_of(bytes->at, size), size};
    bytes->at += size;
    return raw;
  }
  if (kind == 1 && size < 4) {
    *sure = false;
    return (g2p_text){NULL, size % 2};
  }
  size = size % 25 + 1; /* with "eng-us:" at most 32 */
  char *made = malloc(size);
  unsigned seed = next(bytes, 256);
  for (unsigned i = 0; i < size; i++) made[i] = letters[(seed + i * (seed | 1)) % 31];
  return (g2p_text){made, size};
}

static void begin(struct request *made, struct bytes *bytes) {
  memset(made, 0, sizeof *made);
  g2p_request *request = &made->request;
  unsigned odd = next(bytes, 256), options = next(bytes, 256);
  made->sure = true;
  request->size = sizeof *request;
  request->count = next(bytes, 17);
  request->words = made->words;
  request->lang = codes[options & 1];
  request->threads = options >> 1 & 3;
  request->flags = options >> 3 & 1;
  request->most_ids = options >> 4 & 1 ? next(bytes, 16) : 0;
  for (size_t i = 0; i < request->count; i++) made->words[i] = word_of(bytes, &made->sure);
  if (options >> 5 & 1) {
    for (size_t i = 0; i < request->count; i++) {
      unsigned code = next(bytes, 40);
      code = code < 35 ? code % 2 : code - 35;
      made->sure = made->sure && code < 2;
      made->langs[i] = copy_of(codes[code], strlen(codes[code]) + 1);
    }
    request->langs = (const char *const *)made->langs;
  }
  if (options >> 6 & 1) {
    made->cancel = odd == 1;
    request->cancel = &made->cancel;
    made->sure = made->sure && !made->cancel;
  }
  size_t size = sizeof *request;
  switch (odd) { /* seldom: something that is wrong with it */
    case 2: request->words = NULL; break;
    case 3: request->lang = NULL; break;
    case 4: request->flags = next(bytes, 256); break;
    case 5: request->count = SIZE_MAX / (1 + next(bytes, 256)), request->words = NULL; break;
    case 6: request->size = size = sizeof(size_t) + next(bytes, sizeof *request); break;
    case 7: request->threads = UINT32_MAX; break; /* as many as there are words */
    case 8: request->lang = codes[2 + next(bytes, 3)]; break;
    default: break;
  }
  made->sure = made->sure && (odd < 2 || odd > 8 || odd == 7);
  made->given = malloc(size);
  memcpy(made->given, request, size < sizeof *request ? size : sizeof *request);
}

static void end(struct request *made) {
  for (size_t i = 0; i < 16; i++) {
    free((char *)made->words[i].data);
    free(made->langs[i]);
  }
  free(made->given);
}

static void check(g2p_status status, const g2p_error *error, bool sure, size_t words) {
  CHECK(g2p_status_name(status));
  CHECK(!sure || status == G2P_OK);
  CHECK(error->status == status);
  CHECK(error->word == SIZE_MAX || (status != G2P_OK && error->word < words));
  CHECK(memchr(error->message, 0, sizeof error->message));
  CHECK(!error->message[0] == (status == G2P_OK));
}

static size_t expected(const g2p_request *request, size_t word, int32_t *ids) {
  size_t most = request->most_ids && request->most_ids < TOY_IDS ? request->most_ids : TOY_IDS;
  return toy_ids(request->words[word], request->langs ? request->langs[word] : request->lang, most, ids);
}

static void check_ids(const g2p_request *request, size_t word, const int32_t *ids, size_t count) {
  int32_t wanted[TOY_IDS];
  CHECK(word < request->count);
  CHECK(count == expected(request, word, wanted) && memcmp(ids, wanted, count * sizeof *ids) == 0);
}

static void check_result(const g2p_request *request, const g2p_result *result, size_t word) {
  CHECK(result->word == word);
  CHECK((result->status == G2P_OK) == !result->message.size);
  if (result->status != G2P_OK || result->source != G2P_FROM_MODEL) {
    CHECK(!result->ids_count && !result->score && !result->truncated && !result->repeats);
    CHECK(result->status == G2P_OK ? result->phonemes.size && !(request->flags & (G2P_MODEL | G2P_LOGITS))
                                   : request->flags & G2P_EACH && !result->phonemes.size);
    return;
  }
  check_ids(request, word, result->ids, result->ids_count);
  CHECK(result->truncated == (result->ids[result->ids_count - 1] != 1));
  CHECK(result->score <= 0 && (result->score < 0) == !!(request->flags & G2P_SCORES));
}

/* The results of a search: of each word as many as are asked for, and they are those that ranking everything finds. Words of
 * lexicons have fewer. */
static void check_best(const g2p_request *request, const g2p_search *search, const g2p_results *results) {
  static struct toy_found found[G2P_MOST_BEAMS];
  const g2p_result *result = results->data;
  size_t most = request->most_ids && request->most_ids < TOY_IDS ? request->most_ids : TOY_IDS;
  for (size_t word = 0; word < request->count; word++) {
    size_t rank = 0;
    for (; result < results->data + results->count && result->word == word; result++, rank++) {
      if (result->status != G2P_OK || result->source != G2P_FROM_MODEL) {
        CHECK(!result->ids_count && !result->score && (result->status == G2P_OK) == !result->message.size);
        continue;
      }
      const char *lang = request->langs ? request->langs[word] : request->lang;
      if (!rank) toy_search(request->words[word], lang, most, search, found);
      CHECK(result->ids_count == found[rank].count);
      CHECK(memcmp(result->ids, found[rank].ids, found[rank].count * sizeof *result->ids) == 0);
      CHECK(result->score == (float)found[rank].score &&
            result->truncated == (result->ids[result->ids_count - 1] != 1));
    }
    CHECK(rank && rank <= search->count);
    CHECK(rank == search->count || result[-1].status != G2P_OK || result[-1].source != G2P_FROM_MODEL);
  }
  CHECK(result == results->data + results->count);
}

/* A search with what is wrong with it now and then. With more than 27 beams a call of the toy's step does not take all. */
static void best(g2p *model, struct request *made, struct bytes *bytes, bool sure) {
  g2p_results results;
  g2p_error error;
  g2p_search search = {.size = sizeof search, .count = 1 + next(bytes, 3), .beams = 1 + next(bytes, 9)};
  unsigned odd = next(bytes, 64);
  search.early = odd & 1;
  switch (odd) {
    case 8: search.beams = 30; break;
    case 9: search.beams = G2P_MOST_BEAMS + next(bytes, 3); break;
    case 10: search.beams = 0; break;
    case 11: search.count = search.beams + 1; break;
    case 12: search.size = next(bytes, 64); break;
    case 13: search.count = 0; break;
    default: break;
  }
  bool fits = search.size == sizeof search && search.beams && search.beams <= G2P_MOST_BEAMS && search.count &&
              search.count <= search.beams;
#if defined(TOY_CACHELESS)
  fits = false;
#endif
  if (made->given->size == sizeof made->request) made->given->flags = made->request.flags = next(bytes, 8) << 1;
  g2p_status status = g2p_best(model, made->given, &search, &results, &error);
  check(status, &error, sure && fits && made->given->size == sizeof made->request, made->request.count);
  CHECK(status != G2P_OK || fits);
  if (status == G2P_OK && made->request.words) check_best(&made->request, &search, &results);
  g2p_free_results(model, &results);
}

struct stream {
  g2p *model;
  const g2p_request *request;
  size_t seen, stop; /* results so far; at which to stop */
  unsigned done;     /* a bit for each word */
  bool again, stopped;
};

static int take(void *user, const g2p_result *result) {
  struct stream *stream = user;
  CHECK(!stream->stopped); /* none comes after the one that stopped it */
  CHECK(result->size == sizeof *result);
  check_result(stream->request, result, result->word);
  CHECK(!(stream->done >> result->word & 1));
  stream->done |= 1u << result->word;
  CHECK(!result->logits == (result->status != G2P_OK || !(stream->request->flags & G2P_LOGITS)));
  for (size_t i = 0; result->logits && i < result->ids_count * TOY_VOCABULARY; i++)
    CHECK(result->logits[i] == (result->ids[i / TOY_VOCABULARY] == (int32_t)(i % TOY_VOCABULARY)));
  if (stream->again) { /* a call within a call */
    char text[TOY_IDS + 1];
    CHECK(g2p_pronounce(stream->model, "again", "fin", text, sizeof text, NULL) != G2P_INVALID_ARGUMENT);
  }
  stream->stopped = ++stream->seen == stream->stop;
  return stream->stopped;
}

/* A list that has some of the words, or whatever the bytes say. */
static void add_words(g2p *model, struct bytes *bytes) {
  bool good = true;
  g2p_text word = word_of(bytes, &good);
  unsigned code = next(bytes, 6);
  size_t size = good ? word.size + 4 : word.size;
  char *text = malloc(size + 1);
  if (word.size && word.data) memcpy(text, word.data, word.size);
  if (good) memcpy(text + word.size, "\ta,b", 4);
  g2p_error error;
  const char *lang = code < 5 ? codes[code] : NULL;
  g2p_status status = g2p_add_lexicon_memory(model, word.data ? text : NULL, size, lang, &error);
  check(status, &error, false, 0);
  free(text);
  free((char *)word.data);
}

static void pronounce(g2p *model, struct bytes *bytes, bool sure) {
  bool good = sure;
  g2p_text word = word_of(bytes, &good);
  unsigned code = next(bytes, 40), capacity = next(bytes, 4) ? TOY_IDS + 1 : next(bytes, TOY_IDS);
  char *ended = word.data ? calloc(word.size + 1, 1) : NULL, *text = malloc(capacity);
  if (word.data && word.size) memcpy(ended, word.data, word.size);
  code = code < 35 ? code % 2 : code - 35;
  g2p_error error;
  g2p_status status = g2p_pronounce(model, ended, codes[code], text, capacity, &error);
  check(status, &error, good && code < 2 && capacity > TOY_IDS, 1);
  if (status == G2P_OK) CHECK(memchr(text, 0, capacity));
  free(text);
  free(ended);
  free((char *)word.data);
}

static void call(g2p *model, struct bytes *bytes, bool sure) {
  struct request made;
  g2p_error error;
  g2p_texts texts;
  g2p_ids ids;
  g2p_results results;
  unsigned kind = next(bytes, 7);
  bool scarce = !sure; /* memory may be */
  if (kind == 0) {
    pronounce(model, bytes, sure);
    return;
  }
  if (kind == 4) {
    add_words(model, bytes);
    return;
  }
  begin(&made, bytes);
  sure = sure && made.sure;
  const g2p_request *request = &made.request;
  if (kind == 1) {
    g2p_status status = g2p_pronounce_all(model, made.given, &texts, &error);
    check(status, &error, sure, request->count);
    CHECK(texts.count == (status == G2P_OK ? request->count : 0) && !texts.offsets == (status != G2P_OK));
    for (size_t i = 0; i < texts.count; i++) CHECK(texts.offsets[i] <= texts.offsets[i + 1]);
    g2p_free_texts(model, &texts);
  } else if (kind == 2) {
    g2p_status status = g2p_tokens(model, made.given, &ids, &error);
    check(status, &error, sure, request->count);
    CHECK(ids.count == (status == G2P_OK ? request->count : 0) && !ids.offsets == (status != G2P_OK));
    for (size_t i = 0; i < ids.count; i++) {
      size_t found = ids.offsets[i + 1] - ids.offsets[i];
      if (found || !(request->flags & G2P_EACH)) check_ids(request, i, ids.data + ids.offsets[i], found);
    }
    g2p_free_ids(model, &ids);
  } else if (kind == 6) {
    best(model, &made, bytes, sure && !scarce);
  } else if (kind == 5) {
    bool whole = made.given->size == sizeof made.request;
    if (whole) made.request.flags = made.given->flags = next(bytes, 8) << 1;
    sure = whole && made.sure && !scarce;
    g2p_status status = g2p_results_all(model, made.given, &results, &error);
    check(status, &error, sure, request->count);
    CHECK(results.count == (status == G2P_OK ? request->count : 0));
    for (size_t i = 0; i < results.count; i++) check_result(request, &results.data[i], i);
    g2p_free_results(model, &results);
  } else {
    struct stream stream = {.model = model, .request = request, .stop = next(bytes, 24), .again = next(bytes, 4) == 1};
    g2p_status status = g2p_stream(model, made.given, take, &stream, &error);
    check(status, &error, sure && !stream.stopped, request->count);
    CHECK(status != G2P_OK || stream.seen == request->count);
    /* Of two threads one may be told to stop while the other finds no memory: either comes first. */
    CHECK(!stream.stopped || status == G2P_CANCELLED || (scarce && status == G2P_NO_MEMORY));
  }
  end(&made);
}

static uint64_t mix(uint64_t hash, uint64_t seen) { /* as in draft.c */
  hash = (hash ^ seen) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

static unsigned char *put(unsigned char *at, uint32_t number, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) *at++ = (unsigned char)(number >> 8 * i);
  return at;
}

enum { LETTERS = 27, ARRAYS = 6 }; /* a to z, and the end */

/* A draft table as docs/drafts.md has it, with which each letter is said as a byte of the model's own choice: what is guessed
 * is nearly always wrong. The bytes then change it, or cut it off. The table has to live as long as the model. */
static unsigned char *add_guesses(g2p *model, struct bytes *bytes) {
  static const uint32_t counts[ARRAYS] = {LETTERS + 1, LETTERS, LETTERS, 1, 1, LETTERS};
  static const uint32_t sizes[ARRAYS] = {8, 4, 2, 4, 4, 4}, more[ARRAYS] = {0, 0, 2 + LETTERS, 0, 4, 0};
  unsigned changes = last(bytes, 4), sure = last(bytes, 16), seed = last(bytes, 256);
  size_t size = 16 + 80, given;
  for (int i = 0; i < ARRAYS; i++) size += counts[i] * sizes[i] + more[i];
  unsigned char *table = malloc(size), *at = table, *end = table + size;
  memset(table, 0, size);
  memcpy(at, "g2pdrf\0\1", 8);
  at = put(put(at + 8, (uint32_t)size, 4), 1, 4);
  memcpy(at, codes[seed % 2], strlen(codes[seed % 2]));
  at += 32;
  uint32_t place = 16 + 80;
  for (int i = 0; i < ARRAYS; i++) {
    at = put(put(at, place, 4), counts[i], 4);
    place += counts[i] * sizes[i] + more[i];
  }
  for (uint32_t i = 0; i <= LETTERS; i++) at = put(put(at, i ? 'a' + i - 1 : 2, 4), i, 4);
  for (uint32_t i = 0; i < LETTERS; i++) at = put(at, i | 8u << 16, 4);
  for (uint32_t i = 0; i <= LETTERS; i++) at = put(at, i, 2);
  for (uint32_t i = 0; i < LETTERS; i++) at = put(at, seed + i * (seed | 1), 1);
  at = put(put(put(at, 0, 4), 0, 4), LETTERS, 4);
  for (uint32_t i = 0; i < LETTERS; i++)
    at = put(at, (uint32_t)(mix(1, i ? 'a' + i - 1 : 2) & 0x3ffff) | i << 18 | sure << 28, 4);
  CHECK(at == end);
  for (; changes; changes--)
    table[(last(bytes, 256) | last(bytes, 256) << 8) % size] ^= (unsigned char)(1 + last(bytes, 255));
  given = last(bytes, 16) ? size : last(bytes, 256);
  unsigned char *exact = copy_of(table, given < size ? given : size);
  free(table);
  g2p_error error;
  check(g2p_add_draft_memory(model, exact, given < size ? given : size, &error), &error, false, 0);
  return exact;
}

/* A model of the toy's weights, or of what the bytes make of them. */
static void open_toy(struct bytes *bytes) {
  bool sure;
  int32_t left = -1;
  char *weights;
  g2p *model = NULL;
  g2p_error error;
  g2p_allocator allocator = {allocate, release, &left};
  g2p_options options = {.size = sizeof options, .threads = next(bytes, 4), .allocator = &allocator};
  unsigned odd = next(bytes, 64);
  bool guessed = last(bytes, 4) != 1; /* with a draft table */
  unsigned char *table = NULL;
  if (posix_memalign((void **)&weights, 64, TOY_WEIGHTS)) abort();
  size_t size = toy_weights(weights), given = sizeof options;
  sure = odd == 0 || odd > 6;
  switch (odd) {
    case 1: weights[next(bytes, TOY_WEIGHTS)] = (char)next(bytes, 256); break;
    case 2: size = next(bytes, TOY_WEIGHTS); break;
    case 3: left = (int32_t)next(bytes, 40); break;
    case 4: options.flags = next(bytes, 4); break;
    case 5: options.size = given = sizeof(size_t) + next(bytes, sizeof options); break;
    case 6: allocator.release = NULL; break;
    default: break;
  }
  void *exact = malloc(given);
  memcpy(exact, &options, given < sizeof options ? given : sizeof options);
  g2p_status status = g2p_open_memory(weights, size, exact, &model, &error);
  check(status, &error, sure, 0);
  free(exact);
  if (status == G2P_OK && (*(const float *)(weights + 128) == 1)) {
    CHECK(model && g2p_limits(model).ids == TOY_IDS);
    /* Every other model keeps some words. */
    if (odd > 32) CHECK(g2p_cache_words(model, odd - 32, &error) == G2P_OK);
    if (guessed) table = add_guesses(model, bytes);
    while (bytes->at < bytes->end) call(model, bytes, sure);
  }
  CHECK(status == G2P_OK || !model);
  g2p_close(model);
  free(weights);
  free(table);
  CHECK(live == 0);
}

static void open_path(struct bytes *bytes) {
  char path[64] = "/nonexistent/";
  unsigned manifest = next(bytes, 2);
  size_t room = (size_t)(bytes->end - bytes->at);
  g2p *model;
  g2p_error error;
  memcpy(path + 13, bytes->at, room < 50 ? room : 50);
  g2p_status status = (manifest ? g2p_open_manifest : g2p_open)(path, NULL, &model, &error);
  check(status, &error, false, 0);
  CHECK(!model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes bytes = {data, data + size};
  if (size) (next(&bytes, 16) == 1 ? open_path : open_toy)(&bytes);
  return 0;
}
