/* An open model: what its calls share. */
#ifndef G2P_MODEL_H
#define G2P_MODEL_H

#include "core.h"
#include "decode.h"
#include "draft.h"
#include "lexicon.h"
#include "recent.h"
#include "threads.h"

#pragma GCC visibility push(hidden)

enum { G2P_MOST_THREADS = 256 };

/* A call that other threads may help with; it lives on its caller's stack. */
struct g2p_task {
  struct g2p_job *job;
  uint32_t wanted; /* helpers that may still join */
  uint32_t active; /* helpers that work on it */
  struct g2p_task *next;
};

/* default.c, which is generated: the variant of the library that was linked first. */
const g2p_variant *g2p_default(void);

struct g2p {
  const g2p_variant *variant;
  const struct g2p_traits *traits; /* the variant's model */
  const g2p_allocator *allocator;
  g2p_allocator own;                              /* a copy of the caller's */
  uint32_t threads;                               /* of a call that does not say */
  struct g2p_mapping mapping;                     /* of the weights; empty where they are the caller's memory */
  const void **weights;                           /* in the order of the program's */
  struct g2p_lexicon lexicons[G2P_MOST_LEXICONS]; /* the last one comes first */
  uint32_t lexicons_count;                        /* read and written atomically; those before it stay as they are */
  struct g2p_draft draft;
  uint32_t drafts; /* 1: it is there; read and written atomically, and then it stays as it is */

  g2p_mutex mutex; /* guards what follows */
  g2p_statistics statistics;
  struct g2p_recent *recent; /* words that are kept; NULL: none */
  g2p_condition work, done;
  struct g2p_session *idle[G2P_MOST_THREADS]; /* sessions that nobody uses, to be used again */
  uint32_t idle_count, kept;                  /* how many there are, and may be */
  struct g2p_task *tasks;                     /* that want helpers */
  g2p_thread helpers[G2P_MOST_THREADS];
  uint32_t helpers_count;
  bool closing;
};

/* pool.c */

/* Works on a job with up to job->threads threads, this one among them; the job's status says how it ended. */
void g2p_run_job(g2p *model, struct g2p_job *job);

/* Frees the sessions that nobody uses. */
void g2p_pool_trim(g2p *model);

/* Ends the helpers and frees the sessions. */
void g2p_pool_end(g2p *model);

/* list.c */

/* The table that words are guessed by; NULL: there is none. */
const struct g2p_draft *g2p_draft_of(const g2p *model);

/* Whether a request can be read, and has what it must have. Its count is then one that sizes do not overflow with. */
g2p_status g2p_check_request(const g2p_request *request, g2p_error *error);

/* Checks a request's words, orders them and has them pronounced. With a search, which has been checked, each is delivered
 * several times, the best first. */
g2p_status g2p_run_request(g2p *model, const g2p_request *request, const g2p_search *search, g2p_callback callback,
                           void *user, g2p_error *error);

#pragma GCC visibility pop
#endif
