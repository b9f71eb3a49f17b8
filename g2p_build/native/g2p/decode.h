/* Greedy decoding, with continuous batching: a finished word's row is taken by the next word at once. */
#ifndef G2P_DECODE_H
#define G2P_DECODE_H

#include "core.h"
#include "g2p.h"
#include "session.h"
#include "threads.h"

#pragma GCC visibility push(hidden)

/* The words of one call, and how far it has come. Threads that work on it share it. */
struct g2p_job {
  const g2p_request *request;
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

/* Adds counts and times. */
void g2p_count(g2p_statistics *all, const g2p_statistics *more);

/* Has every thread stop soon. The first reason stays. */
void g2p_stop(struct g2p_job *job, g2p_status reason);

/* Whether there are words that nobody has claimed, and the job is not to stop. */
bool g2p_has_words(struct g2p_job *job);

/* Works on a job until no word is left or it is to stop; the job's status says which. False, and nothing is claimed,
 * where there is no memory for logits. */
bool g2p_work(struct g2p_session *session, struct g2p_job *job);

#pragma GCC visibility pop
#endif
