/* A program that is small enough to know every result beforehand, with odd shapes: three rows, caches in blocks. With TOY_CACHELESS it has no caches. An id depends on all of a word's input ids and on all ids before it, as
 * a model's would; so a row that got another's caches, or too few of them, gives another id than toy_ids. */
#include "toy.h"

#include <stdlib.h>
#include <string.h>

#include "traits.h"

enum { BATCH = 3, INPUT = 32, OUTPUT = TOY_IDS + 1, BLOCK = 4, HEADS = 2, ARENA = 256, TOKENS = 9 };

/* The program's arguments. */
enum { INPUT_IDS, LENGTH, HIDDEN, TOKEN, POSITION, DECODER_IDS, IDS, LOGITS };

static const char *const arguments[] = {"input_ids", "length",      "hidden", "token",
                                        "position",  "decoder_ids", "ids",    "logits"};

static const int32_t *given(const struct g2p_run *run, int argument) { return run->arguments[argument]; }

static float *hidden_of(const struct g2p_run *run) { return run->arguments[HIDDEN]; }

static uint32_t mix(uint32_t hash, int32_t id) { return (hash ^ (uint32_t)id) * 16777619u; }

static int32_t next_id(uint32_t hash) {
  hash ^= hash >> 15;
  return hash % 6 == 0 ? 1 : 3 + (int32_t)(hash / 6 % 256);
}

static size_t runs;

size_t toy_runs(void) { return __atomic_load_n(&runs, __ATOMIC_RELAXED); }

static void check(const struct g2p_run *run, size_t arena) {
  __atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
  if (run->rows < 1 || (uintptr_t)run->arena % G2P_ALIGNMENT) abort();
  if (*(const float *)run->weights[0] != 1) abort();
  memset(run->arena, 0xa5, arena); /* nothing lives there between two calls */
}

static void encode(const struct g2p_run *run) {
  check(run, ARENA);
  if (run->rows > BATCH) abort();
  const int32_t *length = given(run, LENGTH);
  int32_t positions = 0;
  for (int32_t row = 0; row < run->rows; row++) {
    if (length[row] < 1 || length[row] > INPUT) abort();
    positions += length[row];
  }
  if (run->positions != positions) abort();
  for (int32_t at = 0; at < positions; at++) hidden_of(run)[at] = (float)given(run, INPUT_IDS)[at];
}

/* Where a row's positions begin. */
static int32_t first_of(const struct g2p_run *run, int32_t row) {
  int32_t first = 0;
  for (int32_t before = 0; before < row; before++) first += given(run, LENGTH)[before];
  return first;
}

#if defined(TOY_CACHELESS)

static uint32_t read_hidden(const struct g2p_run *run, int32_t row) {
  uint32_t hash = 2166136261u;
  const float *hidden = hidden_of(run) + first_of(run, row);
  for (int32_t at = 0; at < given(run, LENGTH)[row]; at++) hash = mix(hash, (int32_t)hidden[at]);
  return hash;
}

static void decode(const struct g2p_run *run) {
  check(run, ARENA);
  if (run->rows > BATCH) abort();
  int32_t *ids = run->arguments[IDS];
  float *logits = run->arguments[LOGITS];
  memset(logits, 0, sizeof(float) * (size_t)run->rows * OUTPUT * TOY_VOCABULARY);
  for (int32_t row = 0; row < run->rows; row++) {
    uint32_t hash = read_hidden(run, row);
    for (int32_t at = 0; at < OUTPUT; at++) {
      hash = mix(hash, given(run, DECODER_IDS)[row * OUTPUT + at]);
      ids[row * OUTPUT + at] = next_id(hash);
      logits[(row * OUTPUT + at) * TOY_VOCABULARY + next_id(hash)] = 1;
    }
  }
}

#define STATES NULL
#define STATES_COUNT 0

#else

static const struct g2p_tensor states[] = {
    /* The input ids; the second head's are one greater. */
    {"cross_key", "F32", 5, {BATCH, HEADS, INPUT / BLOCK, 1, BLOCK}},
    /* The generated ids. */
    {"self_value", "F32", 4, {BATCH, 1, OUTPUT, 1}},
};

static void prefill(const struct g2p_run *run) {
  check(run, ARENA);
  if (run->rows > BATCH) abort();
  for (int32_t row = 0; row < run->rows; row++) {
    const float *hidden = hidden_of(run) + first_of(run, row);
    for (int32_t head = 0; head < HEADS; head++) {
      int32_t *cache = (int32_t *)run->states[0] + (row * HEADS + head) * INPUT;
      for (int32_t at = 0; at < given(run, LENGTH)[row]; at++) cache[at] = (int32_t)hidden[at] + head;
    }
  }
}

static void step(const struct g2p_run *run) {
  check(run, ARENA);
  const int32_t *token = given(run, TOKEN), *position = given(run, POSITION);
  int32_t *ids = run->arguments[IDS];
  float *logits = run->arguments[LOGITS];
  int32_t tokens = run->tokens;
  if (tokens < 1 || tokens > TOKENS || run->rows * tokens > BATCH * TOKENS) abort();
  memset(logits, 0, sizeof(float) * (size_t)run->rows * (size_t)tokens * TOY_VOCABULARY);
  for (int32_t row = 0; row < run->rows; row++) {
    const int32_t *first = (const int32_t *)run->states[0] + row * HEADS * INPUT, *second = first + INPUT;
    int32_t *own = (int32_t *)run->states[1] + row * OUTPUT;
    uint32_t hash = 2166136261u;
    if (position[row] < 0 || position[row] >= OUTPUT) abort();
    for (int32_t at = 0; at < given(run, LENGTH)[row]; at++) {
      if (second[at] != first[at] + 1) abort();
      hash = mix(hash, first[at]);
    }
    for (int32_t at = 0; at < position[row]; at++) hash = mix(hash, own[at]);
    for (int32_t i = row * tokens; i < (row + 1) * tokens; i++) {
      int32_t at = position[row] + i - row * tokens;
      if (at < OUTPUT) own[at] = token[i]; /* as in the kernels, a position outside writes nothing */
      hash = mix(hash, token[i]);
      ids[i] = next_id(hash);
      logits[i * TOY_VOCABULARY + ids[i]] = 1;
    }
  }
}

#define STATES states
#define STATES_COUNT 2

#endif

static const struct g2p_function functions[] = {
    {"encode", 0, ARENA, NULL, encode},
#if defined(TOY_CACHELESS)
    {"decode", 0, ARENA, NULL, decode},
#else
    {"prefill", 0, ARENA, NULL, prefill},
    {"step", TOKENS, ARENA, NULL, step},
#endif
};

static const struct g2p_tensor weights[] = {{"one", "F32", 0, {0}}};

static const struct g2p_program program = {
    .batch = BATCH,
    .arena_bytes = ARENA,
    .weights = weights,
    .weights_count = 1,
    .states = STATES,
    .states_count = STATES_COUNT,
    .arguments = arguments,
    .arguments_count = sizeof arguments / sizeof *arguments,
    .functions = functions,
    .functions_count = sizeof functions / sizeof *functions,
};

static const char *const languages[] = {"eng-us", "fin"};
static const char *const features[] = {"no-such-feature"};

static const struct g2p_traits traits = {
    .prompt = "{lang}:{word}",
    .languages = languages,
    .languages_count = 2,
    .byte_offset = 3,
    .eos_id = 1,
    .unk_id = 2,
    .input_len = INPUT,
    .output_len = OUTPUT,
    .vocabulary = TOY_VOCABULARY,
    .d_model = 1,
};

static const g2p_variant variant = {
    .layout = G2P_LAYOUT,
    .program = &program,
    .model = &traits,
    .model_digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",     /* of {} */
    .functions_digest = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945", /* of [] */
    .info = "{}",
    .features = features,
#if defined(TOY_FEATURE)
    .features_count = 1,
#endif
};

const g2p_variant *g2p_default(void);

const g2p_variant *g2p_default(void) { return &variant; }

uint32_t toy_begin(g2p_text word, const char *lang) {
  uint32_t state = 2166136261u;
  for (const char *at = lang; *at; at++) state = mix(state, (unsigned char)*at + 3);
  state = mix(state, ':' + 3);
  for (size_t i = 0; i < word.size; i++) state = mix(state, (unsigned char)word.data[i] + 3);
  return state;
}

int32_t toy_next(uint32_t *state, int32_t id) {
  *state = mix(*state, id);
  return next_id(*state);
}

size_t toy_ids(g2p_text word, const char *lang, size_t most, int32_t *ids) {
  uint32_t state = toy_begin(word, lang);
  size_t count = 0;
  for (int32_t id = 0; id != 1 && count < most; ids[count++] = id) id = toy_next(&state, id);
  return count;
}

size_t toy_weights(char *data) {
  static const char header[] = "{\"one\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4]}}";
  const float one = 1;
  memset(data, ' ', TOY_WEIGHTS);
  memset(data, 0, 8);
  data[0] = 120;
  memcpy(data + 8, header, sizeof header - 1);
  memcpy(data + 128, &one, 4);
  return 132;
}
