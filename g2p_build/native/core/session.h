/* One thread's buffers: everything that decoding writes to, in one piece of memory. */
#ifndef G2P_SESSION_H
#define G2P_SESSION_H

#include "core.h"

#pragma GCC visibility push(hidden)

struct row {
  uint32_t word;  /* of the request */
  int32_t length; /* input ids */
  int32_t count;  /* generated ids */
  int32_t *ids;   /* [output_len]: the start id, then the generated ones */
  float *logits;  /* [output_len][vocabulary] */
};

struct g2p_session {
  const g2p_allocator *allocator;
  const void *const *weights;
  size_t size; /* of this memory */
  char *arena;
  void **states, **staged; /* caches; in the stage only those of cross-attention */
  float *hidden, *step_logits;
  int32_t *input_ids, *length, *token, *position, *decoder_ids, *ids;
  struct row *rows;
  int32_t live;
  int32_t positions; /* of the inputs in input_ids and hidden, which are packed */
  /* The group that was claimed last, of which words from `waiting` on have no row yet. */
  uint32_t *group;
  int32_t waiting, claimed;
  char *text;
  float *logits; /* what rows' logits are kept in, while a job asks for them */
};

/* NULL where no memory is left. The memory is not cleared: what was not written is not used, and a large batch costs one
 * word nothing. */
struct g2p_session *g2p_session_begin(const g2p_allocator *allocator, const void *const *weights);
void g2p_session_end(struct g2p_session *session);

#pragma GCC visibility pop
#endif
