/* Steps of a model, one after the other, for whoever times them. */
#include <string.h>

#include "model.h"

static g2p *model;
static struct g2p_session *session;

/* Opens a model, once, and fills its caches. 0: it is open. */
__attribute__((visibility("default"))) int32_t steps_begin(const void *weights, size_t size) {
  if (g2p_open_memory(weights, size, NULL, &model, NULL) != G2P_OK) return 1;
  session = g2p_session_begin(model->allocator, model->variant, model->weights);
  if (!session) return 1;
  for (size_t i = 0; i < session->program->states_count; i++) {
    const struct cache *cache = &session->caches[i];
    memset(session->states[i], 0, (size_t)session->program->batch * (size_t)cache->heads * cache->head_bytes);
  }
  for (int32_t i = 0; i < session->most_tokens; i++) session->token[i] = session->traits->byte_offset + 'a' + i % 26;
  session->position[0] = 4; /* of a word's, in the middle of what words have */
  session->length[0] = 20;
  return 0;
}

/* Makes a step of one row and some tokens, some times. */
__attribute__((visibility("default"))) void steps_run(int32_t tokens, int32_t times) {
  struct g2p_run run = {
      .rows = 1,
      .positions = session->length[0],
      .tokens = tokens,
      .arena = session->arena,
      .weights = session->weights,
      .states = session->states,
      .arguments = session->arguments,
      .extension = session->extension,
  };
  for (int32_t i = 0; i < times; i++) session->step->run(&run);
}
