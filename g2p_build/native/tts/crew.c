/* The threads of one call, which share the work of its kernels. */
#include "crew.h"

#include <string.h>

static bool cancelled(const struct tts_crew *crew) {
  return crew->cancel && __atomic_load_n(crew->cancel, __ATOMIC_RELAXED);
}

enum { GLANCES = 2000 }; /* 48 us on an AMD EPYC: without them, a clause on two threads takes 5 % longer */

static inline void pause_shortly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Waits shortly for a number to change, awake: most kernels follow the one before at once. */
static void watch(const uint32_t *number, uint32_t value) {
  for (int i = 0; i < GLANCES && __atomic_load_n(number, __ATOMIC_RELAXED) == value; i++) pause_shortly();
}

/* Both numbers that are watched change under the lock. */
static void set(uint32_t *number, uint32_t value) { __atomic_store_n(number, value, __ATOMIC_RELAXED); }

static void take_parts(struct tts_crew *crew, const struct g2p_run *run, g2p_shared *work, int32_t parts,
                       int32_t thread) {
  for (;;) {
    g2p_lock(&crew->mutex);
    int32_t part = crew->next++;
    g2p_unlock(&crew->mutex);
    if (part >= parts || cancelled(crew)) return;
    work(run, part, part + 1, thread);
  }
}

G2P_THREAD_MAIN(help, argument) {
  struct tts_helper *helper = argument;
  struct tts_crew *crew = helper->crew;
  uint32_t seen = 0;
  g2p_lock(&crew->mutex);
  for (;;) {
    while (!crew->closing && !(crew->open && crew->round != seen)) g2p_wait(&crew->work, &crew->mutex);
    if (crew->closing) break;
    seen = crew->round;
    const struct g2p_run *run = crew->run;
    g2p_shared *work = crew->function;
    int32_t parts = crew->parts;
    set(&crew->active, crew->active + 1);
    g2p_unlock(&crew->mutex);
    take_parts(crew, run, work, parts, helper->thread);
    g2p_lock(&crew->mutex);
    set(&crew->active, crew->active - 1);
    if (!crew->active) g2p_wake_all(&crew->done);
    g2p_unlock(&crew->mutex);
    watch(&crew->round, seen);
    g2p_lock(&crew->mutex);
  }
  g2p_unlock(&crew->mutex);
  return G2P_THREAD_END;
}

bool tts_crew_begin(struct tts_crew *crew, uint32_t threads) {
  memset(crew, 0, sizeof *crew);
  if (!g2p_mutex_begin(&crew->mutex)) return false;
  if (!g2p_condition_begin(&crew->work)) {
    g2p_mutex_end(&crew->mutex);
    return false;
  }
  if (!g2p_condition_begin(&crew->done)) {
    g2p_condition_end(&crew->work);
    g2p_mutex_end(&crew->mutex);
    return false;
  }
  while (crew->count + 1 < threads && crew->count < TTS_MOST_CREW) {
    struct tts_helper *helper = &crew->helpers[crew->count];
    helper->crew = crew;
    helper->thread = (int32_t)crew->count + 1;
    if (!g2p_start(&helper->handle, help, helper)) break;
    crew->count++;
  }
  return true;
}

void tts_crew_end(struct tts_crew *crew) {
  g2p_lock(&crew->mutex);
  crew->closing = true;
  set(&crew->round, crew->round + 1); /* whoever watches it looks up */
  g2p_wake_all(&crew->work);
  g2p_unlock(&crew->mutex);
  for (uint32_t i = 0; i < crew->count; i++) g2p_join(crew->helpers[i].handle);
  g2p_condition_end(&crew->done);
  g2p_condition_end(&crew->work);
  g2p_mutex_end(&crew->mutex);
}

bool tts_crew_run(struct tts_crew *crew, const struct g2p_function *function, const struct g2p_run *run) {
  crew->shares = 0;
  crew->worked = false;
  function->run(run);
  if (crew->stepping && crew->finished < crew->shares) return false;
  crew->finished = 0;
  return true;
}

/* A function whose extents are told does nothing but share work: so it can be run again, to come by what is done and to do
 * what comes next. */
static void step(struct tts_crew *crew, const struct g2p_run *run, int32_t parts, g2p_shared *work) {
  if (crew->shares++ < crew->finished || crew->worked) return;
  crew->worked = true;
  int32_t end = crew->next + 1 < parts ? crew->next + 1 : parts;
  work(run, crew->next, end, 0);
  crew->next = end < parts ? end : 0;
  crew->finished += end == parts;
}

void tts_crew_share(const struct g2p_run *run, int32_t parts, g2p_shared *work) {
  struct tts_crew *crew = run->sharer;
  if (cancelled(crew)) return;
  if (crew->stepping) {
    step(crew, run, parts, work);
    return;
  }
  if (parts < 2) {
    work(run, 0, parts, 0);
    return;
  }
  if (!crew->count) {
    crew->next = 0;
    take_parts(crew, run, work, parts, 0);
    return;
  }
  g2p_lock(&crew->mutex);
  crew->run = run;
  crew->function = work;
  crew->parts = parts;
  crew->next = 0;
  set(&crew->round, crew->round + 1);
  crew->open = true;
  g2p_wake_all(&crew->work);
  g2p_unlock(&crew->mutex);
  take_parts(crew, run, work, parts, 0);
  for (int i = 0; i < GLANCES && __atomic_load_n(&crew->active, __ATOMIC_RELAXED); i++) pause_shortly();
  g2p_lock(&crew->mutex);
  crew->open = false; /* who comes later finds nothing to do */
  while (crew->active) g2p_wait(&crew->done, &crew->mutex);
  g2p_unlock(&crew->mutex);
}
