/* The words of one call: who claims them, what is handed over, when to stop. */
#ifndef G2P_JOB_H
#define G2P_JOB_H

#include "core.h"
#include "g2p.h"
#include "session.h"
#include "threads.h"

#pragma GCC visibility push(hidden)

/* A call's words, and how far it has come. Threads that work on it share it. */
struct g2p_job {
  const g2p_request *request;
  const g2p_search *search; /* NULL: each word gets the ids that are greatest */
  g2p_callback callback;
  void *user;
  uint32_t threads;              /* that may work on it */
  int32_t most_ids;              /* of a pronunciation */
  const uint32_t *order;         /* the words that the model pronounces, longest first */
  size_t count;                  /* of them */
  const int32_t *lengths;        /* input ids of each word */
  const struct g2p_draft *draft; /* NULL: nothing is guessed */

  g2p_mutex delivery; /* held while the callback runs; taken before the other */
  g2p_mutex mutex;    /* guards what follows */
  size_t next;        /* of `order`: the first word that nobody has claimed */
  g2p_status status;
  g2p_statistics statistics; /* of the threads that have ended */
};

/* What a model generated for a word. */
struct g2p_generated {
  uint32_t word; /* of the request */
  const int32_t *ids;
  size_t count;
  double score;        /* sum of the ids' log-probabilities */
  const float *logits; /* or NULL */
  uint32_t passes, drafted, accepted;
};

/* Adds counts and times. */
void g2p_count(g2p_statistics *all, const g2p_statistics *more);

/* The language of one of a request's words. */
const char *g2p_language_of(const g2p_request *request, size_t word);

/* Has every thread stop soon. The first reason stays. */
void g2p_stop(struct g2p_job *job, g2p_status reason);

/* Whether the job is to stop, because it was cancelled or for a reason that some thread gave. */
bool g2p_stopped(struct g2p_job *job);

/* Whether there are words that nobody has claimed, and the job is not to stop. */
bool g2p_has_words(struct g2p_job *job);

/* Claims the next words for a session's group: up to `most`, near the end no more than this thread's share. */
void g2p_claim(struct g2p_session *session, struct g2p_job *job, size_t most);

/* Hands over a pronunciation; false where the call is to stop. */
bool g2p_deliver(struct g2p_session *session, struct g2p_job *job, const struct g2p_generated *generated);

#pragma GCC visibility pop
#endif
