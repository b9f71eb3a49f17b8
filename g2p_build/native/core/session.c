/* How a session's memory is laid out: one block, each buffer aligned. */
#include "session.h"

#include <string.h>

/* Takes the next bytes of a block of memory; with a null block, only counts them. */
struct layout {
  char *memory;
  size_t used;
};

static void *take(struct layout *layout, size_t size) {
  void *found = layout->memory ? layout->memory + layout->used : NULL;
  layout->used += (size + G2P_ALIGNMENT - 1) / G2P_ALIGNMENT * G2P_ALIGNMENT;
  return found;
}

static size_t most_logits(const struct g2p_program *program) {
  size_t rows = (size_t)program->batch, words = (size_t)program->vocabulary;
  return rows * words * (program->states_count ? 1 : (size_t)program->output_len);
}

static void lay_out(struct g2p_session *session, struct layout *layout) {
  const struct g2p_program *program = &g2p_program;
  size_t batch = (size_t)program->batch, input = (size_t)program->input_len, output = (size_t)program->output_len;
  size_t results = program->states_count ? 1 : output; /* ids of a row that one call gives */
  struct g2p_session shape = {0};
  take(layout, sizeof *session);
  shape.arena = take(layout, program->arena_bytes);
  shape.states = take(layout, program->states_count * sizeof(void *));
  shape.staged = take(layout, program->states_count * sizeof(void *));
  for (size_t i = 0; i < program->states_count; i++) {
    const struct g2p_state *state = &program->states[i];
    size_t bytes = batch * (size_t)state->heads * state->head_bytes;
    void *memory = take(layout, bytes);
    void *second = state->cross && batch > 1 ? take(layout, bytes) : NULL;
    if (layout->memory) {
      shape.states[i] = memory;
      shape.staged[i] = second;
    }
  }
  shape.hidden = take(layout, batch * input * (size_t)program->d_model * sizeof(float));
  shape.step_logits = take(layout, most_logits(program) * sizeof(float));
  shape.input_ids = take(layout, batch * input * sizeof(int32_t));
  shape.length = take(layout, batch * sizeof(int32_t));
  shape.token = take(layout, batch * sizeof(int32_t));
  shape.position = take(layout, batch * sizeof(int32_t));
  shape.ids = take(layout, batch * results * sizeof(int32_t));
  shape.decoder_ids = take(layout, batch * output * sizeof(int32_t));
  shape.rows = take(layout, batch * sizeof(struct row));
  shape.group = take(layout, batch * sizeof(uint32_t));
  shape.text = take(layout, output);
  if (layout->memory) {
    for (size_t row = 0; row < batch; row++) shape.rows[row].ids = shape.decoder_ids + row * output;
    *session = shape;
  }
}

struct g2p_session *g2p_session_begin(const g2p_allocator *allocator, const void *const *weights) {
  struct layout layout = {NULL, 0};
  lay_out(NULL, &layout);
  size_t size = layout.used;
  struct g2p_session *session = g2p_allocate(allocator, size);
  if (!session) return NULL;
  layout = (struct layout){(char *)session, 0};
  lay_out(session, &layout);
  session->allocator = allocator;
  session->weights = weights;
  session->size = size;
  return session;
}

void g2p_session_end(struct g2p_session *session) { g2p_release(session->allocator, session, session->size); }
