/* What is generated for a variant, and what the core knows of it: program.inc holds its Relax functions as C,
 * model.inc its family's own table, and variant.c, which includes both, joins them. Nothing of them is visible but the
 * variant. */
#ifndef G2P_PROGRAM_H
#define G2P_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Everything is aligned to this: the arena, tensors of the weights, states, arguments. */
#define G2P_ALIGNMENT 64

/* Which form the structures of this file and of the families' tables have, and the functions of core.h. A program that
 * links several libraries has the core of one and the variants of all, so whoever changes one of these raises it. */
enum { G2P_LAYOUT = 1 };

struct g2p_run;

/* Does the parts of a call's work from `first` up to `end`; `thread` says whose scratch memory it may use. */
typedef void g2p_shared(const struct g2p_run *run, int32_t first, int32_t end, int32_t thread);

/* One call of a function. Arguments are what it takes and gives besides weights and states, each in memory of its own;
 * what it neither takes nor gives is not looked at. Those with a row for each position of the inputs are packed: the
 * first row's positions, then the second's, and so on. */
struct g2p_run {
  int32_t rows;      /* that are computed: 1 up to the program's batch. Where a function takes tokens, any number
                                 for which rows * tokens is at most the batch times the function's, if states have them */
  int32_t positions; /* of all rows' inputs together */
  int32_t tokens;    /* that each row takes: 1 up to the function's; not looked at where it takes none */
  char *arena;       /* the function's workspace: arena_bytes */
  const void *const *weights; /* in the order of the program's weights */
  void *const *states;        /* in the order of the program's states; row after row */
  void *const *arguments;     /* in the order of the program's arguments */
  int32_t extension;          /* which of the program's extensions the CPU has: its number, from 1; 0: none */
  const int32_t *extents;     /* in the order of the program's extents */
  char *scratch;              /* the program's scratch_bytes for each thread that works on the call */
  /* Does the parts of a call's work, on any threads, each once, and returns when all are done. NULL: one thread does. */
  void (*share)(const struct g2p_run *run, int32_t parts, g2p_shared *work);
  void *sharer; /* for share alone */
};

static inline void g2p_share(const struct g2p_run *run, int32_t parts, g2p_shared *work) {
  if (run->share)
    run->share(run, parts, work);
  else
    work(run, 0, parts, 0);
}

struct g2p_function {
  const char *role;         /* as the family's program says */
  int32_t tokens;           /* that it takes a row at most; 0 where it takes none */
  size_t arena_bytes;       /* and for each extent of the program: */
  const size_t *arena_each; /* more of them for every one that it counts; NULL: no more */
  void (*run)(const struct g2p_run *run);
};

struct g2p_tensor {
  const char *name;
  char dtype[8]; /* as safetensors spells it: "F32", "BF16", "I8". No pointer: a shared library has to adjust each */
  uint32_t rank;
  uint32_t shape[8];
};

/* What a CPU may have beyond what all of a program's have: with all of these features some kernels have another form. */
struct g2p_extension {
  const char *features[4]; /* as in Linux's /proc/cpuinfo; after the last one NULL */
};

struct g2p_program {
  int32_t batch;      /* most rows of a call */
  size_t arena_bytes; /* the most that a function needs, without what extents add */
  const struct g2p_tensor *weights;
  size_t weights_count;
  const struct g2p_tensor *states; /* of the whole batch */
  size_t states_count;
  const char *const *arguments; /* their names */
  size_t arguments_count;
  const struct g2p_function *functions; /* in the order in which the family's program lists them */
  size_t functions_count;
  const struct g2p_extension *extensions; /* the least first; each has the features of those before it */
  size_t extensions_count;
  const char *const *extents; /* names of what calls say besides rows and positions: how much there is of each */
  size_t extents_count;
  size_t scratch_bytes; /* of each thread */
};

struct g2p_variant {
  uint32_t layout; /* G2P_LAYOUT: the first member, whatever the others become */
  const struct g2p_program *program;
  const void *model;            /* the family's own table */
  const char *model_digest;     /* SHA-256, as hex, of the canonical JSON of the manifest's "model" */
  const char *functions_digest; /* and of its "functions" */
  const char *info;             /* JSON, as g2p_info gives it */
  const char *const *features;  /* of the CPU, named as in Linux's /proc/cpuinfo */
  size_t features_count;
};

#endif
