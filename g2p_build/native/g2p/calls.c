/* Calls of a program's functions. */
#include "calls.h"

#include <string.h>

#include "text.h"

void g2p_call(struct g2p_session *session, const struct g2p_function *function, int32_t rows, int32_t tokens,
              void *const *states, uint64_t *spent) {
  struct g2p_run run = {
      .rows = rows,
      .positions = session->positions,
      .tokens = tokens,
      .arena = session->arena,
      .weights = session->weights,
      .states = states,
      .arguments = session->arguments,
      .extension = session->extension,
  };
  uint64_t started = g2p_nanoseconds();
  function->run(&run);
  *spent += g2p_nanoseconds() - started;
}

void g2p_call_role(struct g2p_session *session, const char *role, int32_t rows, void *const *states, uint64_t *spent) {
  const struct g2p_function *function = session->program->functions;
  while (strcmp(function->role, role) != 0) function++;
  g2p_call(session, function, rows, 1, states, spent);
}

void g2p_encode_group(struct g2p_session *session, struct g2p_job *job) {
  session->positions = 0;
  for (int32_t row = 0; row < session->claimed; row++) {
    uint32_t word = session->group[row];
    int32_t *ids = session->input_ids + session->positions, *count = &session->length[row];
    const char *lang = g2p_language_of(job->request, word);
    g2p_encode(session->traits, job->request->words[word], lang, ids, count, NULL); /* was checked */
    session->positions += *count;
  }
  g2p_call_role(session, "encode", session->claimed, NULL, &session->statistics.encode_ns);
}

void g2p_prefill_group(struct g2p_session *session, void *const *states) {
  g2p_call_role(session, "prefill", session->claimed, states, &session->statistics.prefill_ns);
}

void g2p_copy_caches(const struct g2p_session *session, void *const *from, int32_t from_row, void *const *to,
                     int32_t to_row, bool cross, int32_t positions) {
  for (size_t i = 0; i < session->program->states_count; i++) {
    const struct cache *cache = &session->caches[i];
    if (cache->cross != cross) continue;
    size_t row_bytes = (size_t)cache->heads * cache->head_bytes;
    size_t blocks = ((size_t)positions + (size_t)cache->block_positions - 1) / (size_t)cache->block_positions;
    const char *source = (const char *)from[i] + (size_t)from_row * row_bytes;
    char *target = (char *)to[i] + (size_t)to_row * row_bytes;
    for (int32_t head = 0; head < cache->heads; head++) {
      memcpy(target, source, blocks * cache->block_bytes);
      source += cache->head_bytes;
      target += cache->head_bytes;
    }
  }
}
