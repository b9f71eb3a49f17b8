/* How a session's memory is laid out: one block, each buffer aligned. */
#include "session.h"

#include <string.h>

#include "prices.h"

_Static_assert((int)G2P_MOST_DRAFTED <= (int)G2P_PRICED, "prices.h has all steps");

void *g2p_take(struct g2p_layout *layout, size_t size) {
  void *found = layout->memory ? layout->memory + layout->used : NULL;
  layout->used += (size + G2P_ALIGNMENT - 1) / G2P_ALIGNMENT * G2P_ALIGNMENT;
  return found;
}

static const struct g2p_function *find_step(const struct g2p_program *program) {
  for (size_t i = 0; i < program->functions_count; i++)
    if (strcmp(program->functions[i].role, "step") == 0) return &program->functions[i];
  return NULL;
}

/* Tokens of all rows that a call of the decoder takes at most. A row of a step of one token is a token. */
static size_t most_tokens(const struct g2p_program *program, const struct g2p_traits *traits) {
  const struct g2p_function *step = find_step(program);
  size_t rows = (size_t)program->batch;
  if (!step) return rows * (size_t)traits->output_len;
  size_t most = rows * (size_t)step->tokens;
  if (most > G2P_MOST_DRAFTED) most = G2P_MOST_DRAFTED;
  return most > rows ? most : rows;
}

/* Which prices are a variant's. Those of vectors of 16 bytes were measured in WebAssembly, whose two modules have their
 * own; where they are ARM's, which adds a product in one instruction, AVX2's are taken. */
static const uint16_t *prices_of(const struct g2p_variant *variant) {
  const struct g2p_program *program = variant->program;
#if defined(__aarch64__)
  const char *unit = "avx2";
#else
  const char *unit = "wasm";
#endif
  const char *dtype = "F32";
  for (size_t i = 0; i < variant->features_count; i++) {
    if (strcmp(variant->features[i], "avx2") == 0 && strcmp(unit, "wasm") == 0) unit = "avx2";
    if (strcmp(variant->features[i], "avx512f") == 0) unit = "avx512";
    if (strcmp(variant->features[i], "relaxed_simd") == 0) unit = "relaxed";
  }
  for (size_t i = 0; i < program->weights_count; i++)
    if (strcmp(program->weights[i].name, "lm_head") == 0) dtype = program->weights[i].dtype;
  if (strcmp(dtype, "BF16") == 0) dtype = "F16";
  for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
    if (strcmp(prices[i].unit, unit) == 0 && strcmp(prices[i].dtype, dtype) == 0) return prices[i].of;
  return prices[0].of;
}

/* Of a state of floats [B, H, blocks, d, positions of a block] or [B, H, positions, d]. */
static struct cache cache_of(const struct g2p_tensor *state) {
  static const char cross[] = "cross_";
  uint32_t positions = state->rank == 5 ? state->shape[4] : 1;
  size_t block_bytes = (size_t)state->shape[3] * positions * sizeof(float);
  return (struct cache){.cross = strncmp(state->name, cross, sizeof cross - 1) == 0,
                        .heads = (int32_t)state->shape[1],
                        .block_positions = (int32_t)positions,
                        .block_bytes = block_bytes,
                        .head_bytes = state->shape[2] * block_bytes};
}

/* The buffer that a program means by an argument's name. */
static void *argument_of(const struct g2p_session *session, const char *name) {
  const struct {
    const char *name;
    void *memory;
  } known[] = {
      {"input_ids", session->input_ids},
      {"length", session->length},
      {"hidden", session->hidden},
      {"token", session->token},
      {"position", session->position},
      {"decoder_ids", session->decoder_ids},
      {"ids", session->ids},
      {"logits", session->step_logits},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].name, name) == 0) return known[i].memory;
  return NULL;
}

static void lay_out(struct g2p_session *session, struct g2p_layout *layout, const struct g2p_variant *variant) {
  const struct g2p_program *program = variant->program;
  const struct g2p_traits *traits = variant->model;
  size_t batch = (size_t)program->batch, input = (size_t)traits->input_len, output = (size_t)traits->output_len;
  size_t tokens = most_tokens(program, traits);
  struct g2p_session shape = {.program = program, .traits = traits};
  g2p_take(layout, sizeof *session);
  shape.arena = g2p_take(layout, program->arena_bytes);
  shape.caches = g2p_take(layout, program->states_count * sizeof(struct cache));
  shape.states = g2p_take(layout, program->states_count * sizeof(void *));
  shape.staged = g2p_take(layout, program->states_count * sizeof(void *));
  shape.arguments = g2p_take(layout, program->arguments_count * sizeof(void *));
  for (size_t i = 0; i < program->states_count; i++) {
    struct cache cache = cache_of(&program->states[i]);
    size_t bytes = batch * (size_t)cache.heads * cache.head_bytes;
    void *memory = g2p_take(layout, bytes);
    void *second = cache.cross && batch > 1 ? g2p_take(layout, bytes) : NULL;
    if (layout->memory) {
      shape.caches[i] = cache;
      shape.states[i] = memory;
      shape.staged[i] = second;
    }
  }
  shape.hidden = g2p_take(layout, batch * input * (size_t)traits->d_model * sizeof(float));
  shape.step_logits = g2p_take(layout, tokens * (size_t)traits->vocabulary * sizeof(float));
  shape.input_ids = g2p_take(layout, batch * input * sizeof(int32_t));
  shape.length = g2p_take(layout, tokens * sizeof(int32_t));
  shape.token = g2p_take(layout, tokens * sizeof(int32_t));
  shape.position = g2p_take(layout, tokens * sizeof(int32_t));
  shape.ids = g2p_take(layout, tokens * sizeof(int32_t));
  shape.decoder_ids = g2p_take(layout, batch * output * sizeof(int32_t));
  shape.rows = g2p_take(layout, batch * sizeof(struct row));
  shape.group = g2p_take(layout, batch * sizeof(uint32_t));
  shape.text = g2p_take(layout, output);
  uint32_t *letters = g2p_take(layout, batch * input * sizeof(uint32_t));
  uint8_t *chances = g2p_take(layout, batch * output);
  shape.room.costs = g2p_take(layout, 2 * (output + 1) * sizeof(uint16_t));
  shape.room.said = g2p_take(layout, 8 + output);
  if (layout->memory) {
    for (size_t row = 0; row < batch; row++) {
      shape.rows[row].ids = shape.decoder_ids + row * output;
      shape.rows[row].letters = letters + row * input;
      shape.rows[row].chances = chances + row * output;
    }
    shape.most_rows = (int32_t)tokens;
    shape.most_tokens = (int32_t)(tokens < G2P_MOST_DRAFTED ? tokens : G2P_MOST_DRAFTED);
    shape.prices = prices_of(variant);
    for (size_t i = 0; i < G2P_TRUSTS; i++) shape.trust[i] = 0.5F; /* nobody knows */
    shape.step = find_step(program);
    for (size_t i = 0; i < program->arguments_count; i++)
      shape.arguments[i] = argument_of(&shape, program->arguments[i]);
    *session = shape;
  }
}

struct g2p_session *g2p_session_begin(const g2p_allocator *allocator, const struct g2p_variant *variant,
                                      const void *const *weights) {
  struct g2p_layout layout = {NULL, 0};
  lay_out(NULL, &layout, variant);
  size_t size = layout.used;
  struct g2p_session *session = g2p_allocate(allocator, size);
  if (!session) return NULL;
  layout = (struct g2p_layout){(char *)session, 0};
  lay_out(session, &layout, variant);
  session->allocator = allocator;
  session->weights = weights;
  session->size = size;
  session->extension = g2p_extension_of(variant->program);
  return session;
}

void g2p_session_end(struct g2p_session *session) {
  g2p_release(session->allocator, session->beams, session->beams_size);
  g2p_release(session->allocator, session, session->size);
}
