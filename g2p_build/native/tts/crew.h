/* The threads of one call, which share the work of its kernels. */
#ifndef TTS_CREW_H
#define TTS_CREW_H

#include <stdbool.h>

#include "program.h"
#include "threads.h"

#pragma GCC visibility push(hidden)

enum { TTS_MOST_CREW = 64 };

struct tts_crew {
  g2p_mutex mutex;
  g2p_condition work, done;
  const struct g2p_run *run;
  g2p_shared *function;
  int32_t parts, next;
  uint32_t round; /* how often there was work */
  uint32_t active;
  bool open, closing;
  const volatile int32_t *cancel; /* not 0: what is left of the work is not done; or NULL */
  bool stepping;                  /* a run does one part of the work, and the next run the next one; without helpers */
  bool worked;                    /* this run did its part */
  uint32_t shares, finished;      /* pieces of work that this run came by, and that are done with all their parts */
  uint32_t count;                 /* of helpers that were started */
  struct tts_helper {
    struct tts_crew *crew;
    int32_t thread;
    g2p_thread handle;
  } helpers[TTS_MOST_CREW];
};

/* Starts threads - 1 helpers, or as many as the system gives; false where it gives no lock. */
bool tts_crew_begin(struct tts_crew *crew, uint32_t threads);
void tts_crew_end(struct tts_crew *crew);

/* Runs a function, or with `stepping` one part of its work. Whether all of its work is done. */
bool tts_crew_run(struct tts_crew *crew, const struct g2p_function *function, const struct g2p_run *run);

/* What a run's `share` is; its `sharer` is the crew. */
void tts_crew_share(const struct g2p_run *run, int32_t parts, g2p_shared *work);

#pragma GCC visibility pop
#endif
