/* What may happen while a callback runs, with toy.c's program. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers.h"
#include "toy.h"

enum { WORDS = 40 };

static g2p *model;
static g2p_request request;

static int count_one(void *user, const g2p_result *result) {
  (void)result;
  ++*(size_t *)user;
  return 0;
}

/* Others decode meanwhile: the first result is not let go before they have made some steps. */
static int wait_for_others(void *user, const g2p_result *result) {
  size_t before = toy_runs();
  (void)result;
  if (++*(size_t *)user == 1) {
    for (int tries = 0; toy_runs() < before + 5; tries++) {
      CHECK(tries < 10000);
      usleep(1000);
    }
  }
  return 0;
}

/* A call with threads of its own, of the same model. */
static int call_again(void *user, const g2p_result *result) {
  size_t inner = 0;
  (void)result;
  if (++*(size_t *)user % 8 == 0) {
    CHECK(g2p_stream(model, &request, count_one, &inner, NULL) == G2P_OK);
    CHECK(inner == WORDS);
  }
  return 0;
}

static size_t stream(g2p_callback callback, uint32_t threads) {
  size_t seen = 0;
  request.threads = threads;
  CHECK(g2p_stream(model, &request, callback, &seen, NULL) == G2P_OK);
  return seen;
}

int main(void) {
  static char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
  _Alignas(64) static char weights[TOY_WEIGHTS];
  g2p_text words[WORDS];
  for (size_t i = 0; i < WORDS; i++) words[i] = (g2p_text){letters + i % 26, 1 + i % 20};
  request = (g2p_request){.size = sizeof request, .words = words, .count = WORDS, .lang = "fin"};
  g2p_options options = {.size = sizeof options, .threads = 1};
  CHECK(g2p_open_memory(weights, toy_weights(weights), &options, &model, NULL) == G2P_OK);
  size_t threads = running_threads();
  CHECK(stream(count_one, 0) == WORDS && running_threads() == threads); /* none is ever started */
  CHECK(stream(wait_for_others, 2) == WORDS);
  CHECK(stream(call_again, 4) == WORDS);
  g2p_close(model);
  return 0;
}
