/* scarce WEIGHTS WORDS THREADS allocator|system: what the library asks for fails, once, at each place in turn.
 *
 * "allocator": the caller's. "system": malloc, mmap, the calls that make a lock or start a thread; link with
 * -Wl,--wrap= for each of them. Every call gives the right result or G2P_NO_MEMORY, and the next one works. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"

enum { WORDS = 12 };

static size_t calls, fail_at; /* of the system; 0: none fails */

static bool fails(void) { return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == fail_at; }

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }

void *__real_mmap(void *at, size_t size, int protection, int flags, int file, long offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, long offset) {
  if (!fails()) return __real_mmap(at, size, protection, flags, file, offset);
  errno = ENOMEM;
  return (void *)-1;
}

int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  return fails() ? ENOMEM : __real_pthread_mutex_init(mutex, attributes);
}

int __real_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes) {
  return fails() ? ENOMEM : __real_pthread_cond_init(condition, attributes);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument) {
  return fails() ? EAGAIN : __real_pthread_create(thread, attributes, entry, argument);
}

static struct words words;
static char expected[WORDS][G2P_TEXT];

static int check_result(void *user, const g2p_result *result) {
  CHECK(strlen(expected[result->word]) == result->phonemes.size);
  CHECK(memcmp(expected[result->word], result->phonemes.data, result->phonemes.size) == 0 && result->logits);
  ++*(size_t *)user;
  return 0;
}

/* Each of the calls; how many of them had no memory. */
static int call_all(g2p *model, const g2p_request *given) {
  g2p_request request = *given;
  g2p_error error;
  g2p_texts texts;
  g2p_ids ids;
  char text[G2P_TEXT];
  size_t seen = 0;
  g2p_status statuses[4] = {
      g2p_pronounce(model, words.texts[0].data, words.langs[0], text, sizeof text, &error),
      g2p_pronounce_all(model, &request, &texts, NULL),
      g2p_tokens(model, &request, &ids, NULL),
  };
  request.flags = G2P_LOGITS;
  statuses[3] = g2p_stream(model, &request, check_result, &seen, &error);
  CHECK(statuses[0] != G2P_OK || strcmp(text, expected[0]) == 0);
  CHECK(statuses[1] != G2P_OK ? !texts.data && !texts.offsets : texts.count == WORDS);
  CHECK(statuses[2] != G2P_OK ? !ids.data && !ids.offsets : ids.count == WORDS);
  CHECK(statuses[3] != G2P_OK || seen == WORDS);
  for (size_t i = 0; i < texts.count; i++) {
    CHECK(texts.offsets[i + 1] - texts.offsets[i] == strlen(expected[i]));
    CHECK(memcmp(texts.data + texts.offsets[i], expected[i], strlen(expected[i])) == 0);
  }
  g2p_free_texts(model, &texts);
  g2p_free_ids(model, &ids);
  int refused = 0;
  for (int i = 0; i < 4; i++) {
    CHECK(statuses[i] == G2P_OK || statuses[i] == G2P_NO_MEMORY);
    refused += statuses[i] != G2P_OK;
  }
  return refused;
}

int main(int count, char **arguments) {
  struct counter counter = {0};
  g2p_allocator allocator = counting(&counter);
  g2p_options options = {.size = sizeof options};
  g2p_error error;
  g2p *model;
  CHECK(count == 5);
  bool system = strcmp(arguments[4], "system") == 0;
  read_words(arguments[2], &words);
  g2p_request request = {.size = sizeof request,
                         .words = words.texts,
                         .count = WORDS,
                         .langs = words.langs,
                         .threads = (uint32_t)atoi(arguments[3])};
  CHECK(g2p_open(arguments[1], NULL, &model, &error) == G2P_OK);
  for (size_t i = 0; i < WORDS; i++)
    CHECK(g2p_pronounce(model, words.texts[i].data, words.langs[i], expected[i], G2P_TEXT, NULL) == G2P_OK);
  g2p_close(model);

  if (!system) options.allocator = &allocator;
  size_t files = open_files(), refused = 0, survived = 0, *used = system ? &calls : &counter.calls;
  size_t *wanted = system ? &fail_at : &counter.fail_at, at = 0;
  /* With threads, how much is asked for depends on who comes first: a few rounds more are made. */
  for (int whole = 0; whole < (request.threads > 1 ? 5 : 1);) {
    *used = 0;
    *wanted = ++at;
    g2p_status status = g2p_open(arguments[1], &options, &model, &error);
    if (status == G2P_OK) {
      int here = call_all(model, &request);
      whole += *used < at;
      CHECK(here <= 1 && (here == 0 || *used >= at));
      refused += (size_t)here;
      survived += !here && *used >= at;
      *wanted = 0;
      CHECK(call_all(model, &request) == 0);
    } else {
      CHECK(status == G2P_NO_MEMORY && !model && error.message[0]);
      refused++;
    }
    *wanted = 0;
    g2p_close(model);
    CHECK(counter.live == 0 && open_files() == files && running_threads() == 1);
  }
  printf("%zu places: %zu refused, %zu done without\n", at - 1, refused, survived);
  return 0;
}
