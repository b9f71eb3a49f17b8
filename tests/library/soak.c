/* soak WEIGHTS WORDS TOTAL count|plain: eight threads pronounce words on one model and on models of their own.
 *
 * They cancel each other's calls and their own, open and close models, call from within callbacks, keep words and drop
 * them. Whatever is not cancelled must be right. "count": through an allocator that counts, whose lock a thread sanitizer must not see. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"

enum { THREADS = 8, MOST = 24 };

static struct words words;
static char expected[MOST_WORDS][G2P_TEXT];
static const char *weights;
static g2p_options options = {.size = sizeof options, .threads = 3};
static g2p *shared;
static size_t total, done, opened, cancelled; /* words, models, calls */
static volatile int32_t flags[THREADS];       /* that stop each thread's calls */

static size_t more(size_t *counter, size_t by) { return __atomic_add_fetch(counter, by, __ATOMIC_RELAXED); }

struct call {
  g2p *model;
  const size_t *picked;
  size_t seen, stop, seed; /* results; at which to stop */
};

static int check_result(void *user, const g2p_result *result) {
  struct call *call = user;
  const char *text = expected[call->picked[result->word]];
  CHECK(result->phonemes.size == strlen(text) && memcmp(result->phonemes.data, text, result->phonemes.size) == 0);
  if (call->seed % 64 == 0) {
    char again[G2P_TEXT];
    CHECK(g2p_pronounce(call->model, words.texts[0].data, words.langs[0], again, sizeof again, NULL) == G2P_OK);
    CHECK(strcmp(again, expected[0]) == 0);
  }
  return ++call->seen == call->stop;
}

static void call_once(g2p *model, size_t number, uint64_t *random) {
  size_t picked[MOST], count = 1 + below(random, MOST);
  g2p_text texts[MOST];
  const char *langs[MOST];
  for (size_t i = 0; i < count; i++) {
    picked[i] = below(random, words.count);
    texts[i] = words.texts[picked[i]];
    langs[i] = words.langs[picked[i]];
  }
  __atomic_store_n(&flags[number], 0, __ATOMIC_RELAXED);
  g2p_request request = {.size = sizeof request,
                         .words = texts,
                         .count = count,
                         .langs = langs,
                         .cancel = &flags[number],
                         .threads = (uint32_t)below(random, 4)};
  g2p_status status;
  struct call call = {model, picked, 0, below(random, 3) ? 0 : 1 + below(random, MOST), below(random, 1024)};
  if (below(random, 6) == 0) g2p_cancel(&flags[below(random, THREADS)]);
  switch (below(random, 4)) {
    case 0: {
      char text[G2P_TEXT];
      count = 1;
      status = g2p_pronounce(model, texts[0].data, langs[0], text, sizeof text, NULL);
      CHECK(status == G2P_OK && strcmp(text, expected[picked[0]]) == 0);
      break;
    }
    case 1: {
      g2p_texts results;
      status = g2p_pronounce_all(model, &request, &results, NULL);
      for (size_t i = 0; i < results.count; i++) {
        const char *text = expected[picked[i]];
        CHECK(results.offsets[i + 1] - results.offsets[i] == strlen(text));
        CHECK(memcmp(results.data + results.offsets[i], text, strlen(text)) == 0);
      }
      CHECK(results.count == (status == G2P_OK ? count : 0));
      g2p_free_texts(model, &results);
      break;
    }
    case 2: {
      g2p_ids results;
      status = g2p_tokens(model, &request, &results, NULL);
      CHECK(results.count == (status == G2P_OK ? count : 0));
      g2p_free_ids(model, &results);
      break;
    }
    default:
      request.flags = below(random, 2) ? G2P_LOGITS : 0;
      status = g2p_stream(model, &request, check_result, &call, NULL);
      CHECK(status != G2P_OK || (call.seen == count && call.stop != count));
      CHECK(call.seen <= count && (!call.stop || call.seen <= call.stop));
      count = call.seen;
  }
  CHECK(status == G2P_OK || status == G2P_CANCELLED);
  bool stopped = __atomic_load_n(&flags[number], __ATOMIC_RELAXED) || (call.stop && call.seen == call.stop);
  CHECK(status == G2P_OK || stopped);
  more(&cancelled, status != G2P_OK);
  more(&done, status == G2P_OK || call.seen ? count : 0);
}

static void *work(void *argument) {
  size_t number = (size_t)(uintptr_t)argument;
  uint64_t random = 88172645463325252u + number;
  while (more(&done, 0) < total) {
    g2p *model = shared;
    bool own = below(&random, 4) == 0;
    if (own) {
      CHECK(g2p_open(weights, &options, &model, NULL) == G2P_OK);
      more(&opened, 1);
    }
    if (below(&random, 8) == 0) CHECK(g2p_cache_words(model, below(&random, 60), NULL) == G2P_OK);
    for (int i = 0; i < 3; i++) call_once(model, number, &random);
    if (own) g2p_close(model);
  }
  return NULL;
}

static void work_until(size_t words_done) {
  pthread_t threads[THREADS];
  total = words_done;
  CHECK(g2p_open(weights, &options, &shared, NULL) == G2P_OK);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) == 0);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  g2p_close(shared);
}

int main(int count, char **arguments) {
  struct counter counter = {0};
  g2p_allocator allocator = counting(&counter);
  CHECK(count == 5);
  mallopt(M_ARENA_MAX, 1); /* else what is free lies scattered over as many as there were threads */
  weights = arguments[1];
  read_words(arguments[2], &words);
  CHECK(g2p_open(weights, NULL, &shared, NULL) == G2P_OK);
  for (size_t i = 0; i < words.count; i++)
    CHECK(g2p_pronounce(shared, words.texts[i].data, words.langs[i], expected[i], G2P_TEXT, NULL) == G2P_OK);
  g2p_close(shared);
  if (strcmp(arguments[4], "count") == 0) options.allocator = &allocator;
  size_t all = strtoull(arguments[3], NULL, 10);
  work_until(all / 4);
  size_t early = resident(), files = open_files(), threads = running_threads();
  work_until(all);
  size_t late = resident();
  CHECK(counter.live == 0 && open_files() == files && running_threads() == threads);
  printf("%zu words, %zu models opened, %zu calls cancelled, %zu kB at most, %zu kB more in memory\n", done, opened,
         cancelled, counter.peak / 1024, late > early ? (late - early) / 1024 : 0);
  return 0;
}
