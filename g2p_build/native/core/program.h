/* What is generated for a model (program.c from its Relax functions, contract.c from its tokenizer) and what the core
 * knows of it. */
#ifndef G2P_PROGRAM_H
#define G2P_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define G2P_HIDDEN
#else
#define G2P_HIDDEN __attribute__((visibility("hidden")))
#endif

/* Everything is aligned to this: the arena, tensors of the weights, states, arguments. */
#define G2P_ALIGNMENT 64

/* One call of a function: its input and its output, by name. What a function does not take is not read.
 * B is `rows`, M `positions`, K the function's tokens, O the program's output length. Inputs are packed: the first row's
 * positions, then the second's, and so on. */
struct g2p_run {
  int32_t rows;               /* of the batch that are computed: 1 up to the program's batch */
  int32_t positions;          /* encode, prefill, decode: the sum of `length` */
  char *arena;                /* the function's workspace: arena_bytes */
  const void *const *weights; /* in the order of the program's weights */
  void *const *states;        /* in the order of the program's states; row after row */
  const int32_t *input_ids;   /* encode: [M] */
  const int32_t *length;      /* [B], positions of each input: 1 up to the program's input length */
  const int32_t *token;       /* step: [B, K] */
  const int32_t *position;    /* step: [B], of each row's first token */
  const int32_t *decoder_ids; /* decode: [B, O] */
  float *hidden;              /* encode writes it, prefill and decode read it: [M, D] */
  int32_t *ids;               /* step: [B, K]; decode: [B, O] */
  float *logits;              /* step: [B, K, V]; decode: [B, O, V] */
};

enum g2p_role { G2P_ENCODE, G2P_PREFILL, G2P_STEP, G2P_DECODE };

struct g2p_function {
  enum g2p_role role;
  int32_t tokens; /* K of a step, else 0 */
  size_t arena_bytes;
  void (*run)(const struct g2p_run *run);
};

struct g2p_tensor {
  const char *name;
  const char *dtype; /* as safetensors spells it: "F32", "F16" */
  uint32_t rank;
  uint32_t shape[8];
};

/* A cache: for each row `heads` parts, in each of which blocks of `block_positions` positions follow each other. */
struct g2p_state {
  int32_t cross; /* 1: filled by prefill, one position for each of the input; 0: by steps */
  int32_t heads;
  int32_t block_positions;
  size_t block_bytes;
  size_t head_bytes; /* heads * head_bytes is a row */
};

struct g2p_program {
  int32_t batch;      /* most rows of a call */
  int32_t input_len;  /* most positions of an input */
  int32_t output_len; /* O, the start token included */
  int32_t d_model;    /* D */
  int32_t vocabulary; /* V */
  size_t arena_bytes; /* the most that a function needs */
  const struct g2p_tensor *weights;
  size_t weights_count;
  const struct g2p_state *states;
  size_t states_count;
  const struct g2p_function *functions; /* encode; prefill and steps of 1 token and more, or decode */
  size_t functions_count;
};

struct g2p_contract {
  const char *prompt;           /* with {word} once and {lang} at most once */
  const char *const *languages; /* NULL: any code is taken */
  size_t languages_count;
  int32_t append_eos, byte_offset, pad_id, eos_id, unk_id, decoder_start_id;
  const char *model_digest;     /* SHA-256, as hex, of the canonical JSON of the manifest's "model" */
  const char *functions_digest; /* and of its "functions" */
  const char *info;             /* JSON, as g2p_info gives it */
  const char *const *features;  /* of the CPU, named as in Linux's /proc/cpuinfo */
  size_t features_count;
};

extern const struct g2p_program G2P_HIDDEN g2p_program;
extern const struct g2p_contract G2P_HIDDEN g2p_contract;

#endif
