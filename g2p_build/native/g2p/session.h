/* One thread's buffers: everything that decoding writes to, in one piece of memory. */
#ifndef G2P_SESSION_H
#define G2P_SESSION_H

#include "core.h"
#include "draft.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

/* A state: for each row `heads` parts, in each of which blocks of `block_positions` positions follow each other. */
struct cache {
  bool cross; /* filled by prefill, one position for each of the input; else by steps */
  int32_t heads, block_positions;
  size_t block_bytes, head_bytes; /* heads * head_bytes is a row */
};

enum {
  G2P_MOST_DRAFTED = 32, /* tokens of all rows in a step that checks guesses; with more, a step of one costs no less */
  G2P_TRUSTS = 16        /* languages that are told apart when their guesses turn out right or wrong */
};

/* The ids that a row has not yet generated are guessed where `ids` will have them. */
struct row {
  uint32_t word;  /* of the request */
  int32_t length; /* input ids */
  int32_t count;  /* generated ids */
  double score;   /* sum of the ids' log-probabilities, where they are asked for */
  int32_t *ids;   /* [output_len]: the start id, then the generated ones */
  float *logits;  /* [output_len][vocabulary] */
  uint32_t *letters;
  uint8_t *chances;                   /* [output_len] */
  struct g2p_draft_language language; /* of the table, where `drafts` */
  struct g2p_guess guess;
  bool drafts;                        /* whether the word is guessed at */
  bool stale;                         /* whether the guess is to be made, or made again */
  int32_t failures;                   /* steps that found nothing of the guess right */
  uint32_t passes, drafted, accepted; /* steps; ids that were guessed and checked; that were right */
};

struct g2p_session {
  const g2p_allocator *allocator;
  const struct g2p_program *program;
  const struct g2p_traits *traits;
  const void *const *weights;
  size_t size; /* of this memory */
  char *arena;
  struct cache *caches;    /* of each state */
  void **states, **staged; /* their memory; in the stage only that of cross-attention */
  void **arguments;        /* those of the buffers below that the program names, in its order */
  float *hidden, *step_logits;
  int32_t *input_ids, *length, *token, *position, *decoder_ids, *ids;
  struct row *rows;
  const struct g2p_function *step; /* NULL: the program is without caches */
  int32_t most_rows;               /* of a step of one token, where its states have as many: more than the batch */
  int32_t most_tokens;             /* of all rows, in a step that checks guesses */
  const uint16_t *prices;          /* what a step of so many tokens of all rows costs: prices.h */
  struct g2p_draft_room room;
  float trust[G2P_TRUSTS]; /* how much of what was thought right lately was right */
  int32_t live;
  int32_t extension; /* of the program, that the CPU has */
  int32_t positions; /* of the inputs in input_ids and hidden, which are packed */
  /* The group that was claimed last, of which words from `waiting` on have no row yet. */
  uint32_t *group;
  int32_t waiting, claimed;
  char *text;
  g2p_statistics statistics; /* of the job that the session works on */
  float *logits;             /* what rows' logits are kept in, while a job asks for them */
  char *beams;               /* memory of the last search, for the next; NULL: there was none */
  size_t beams_size;
};

/* Takes the next bytes of a block of memory; with a null block, only counts them. */
struct g2p_layout {
  char *memory;
  size_t used;
};

void *g2p_take(struct g2p_layout *layout, size_t size);

/* NULL where no memory is left. The memory is not cleared: what was not written is not used, and a large batch costs one
 * word nothing. */
struct g2p_session *g2p_session_begin(const g2p_allocator *allocator, const struct g2p_variant *variant,
                                      const void *const *weights);
void g2p_session_end(struct g2p_session *session);

#pragma GCC visibility pop
#endif
