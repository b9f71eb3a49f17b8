/* The words of one call. */
#include "job.h"

#include "text.h"

void g2p_count(g2p_statistics *all, const g2p_statistics *more) {
  all->words += more->words;
  all->ids += more->ids;
  all->passes += more->passes;
  all->drafted += more->drafted;
  all->accepted += more->accepted;
  all->encode_ns += more->encode_ns;
  all->prefill_ns += more->prefill_ns;
  all->step_ns += more->step_ns;
  all->draft_ns += more->draft_ns;
}

const char *g2p_language_of(const g2p_request *request, size_t word) {
  return request->langs ? request->langs[word] : request->lang;
}

void g2p_stop(struct g2p_job *job, g2p_status reason) {
  g2p_lock(&job->mutex);
  if (job->status == G2P_OK) job->status = reason;
  g2p_unlock(&job->mutex);
}

bool g2p_has_words(struct g2p_job *job) {
  g2p_lock(&job->mutex);
  bool left = job->status == G2P_OK && job->next < job->count;
  g2p_unlock(&job->mutex);
  return left;
}

bool g2p_stopped(struct g2p_job *job) {
  if (job->request->cancel && __atomic_load_n(job->request->cancel, __ATOMIC_RELAXED)) g2p_stop(job, G2P_CANCELLED);
  g2p_lock(&job->mutex);
  bool stop = job->status != G2P_OK;
  g2p_unlock(&job->mutex);
  return stop;
}

void g2p_claim(struct g2p_session *session, struct g2p_job *job, size_t most) {
  g2p_lock(&job->mutex);
  size_t left = job->count - job->next, share = (left + job->threads - 1) / job->threads;
  if (most > share) most = share;
  for (size_t i = 0; i < most; i++) session->group[i] = job->order[job->next++];
  g2p_unlock(&job->mutex);
  session->claimed = (int32_t)most;
  session->waiting = 0;
}

/* Whether the ids end in one part, of three or more, four times or more. No pronunciation in the dictionaries of six
 * languages does. */
static bool ends_in_loop(const int32_t *ids, size_t count) {
  for (size_t part = 3; part <= count / 4; part++) {
    size_t same = 0;
    while (same < 3 * part && ids[count - 1 - same] == ids[count - 1 - same - part]) same++;
    if (same == 3 * part) return true;
  }
  return false;
}

bool g2p_deliver(struct g2p_session *session, struct g2p_job *job, const struct g2p_generated *generated) {
  const int32_t *ids = generated->ids;
  size_t count = generated->count;
  bool ended = count && ids[count - 1] == session->traits->eos_id;
  g2p_result result = {.size = sizeof result,
                       .word = generated->word,
                       .phonemes = {session->text, g2p_decode(session->traits, ids, count, session->text)},
                       .ids = ids,
                       .ids_count = count,
                       .logits = generated->logits,
                       .truncated = !ended,
                       .repeats = ends_in_loop(ids, ended ? count - 1 : count),
                       .score = count ? (float)(generated->score / (double)count) : 0,
                       .passes = generated->passes,
                       .drafted = generated->drafted,
                       .accepted = generated->accepted};
  session->statistics.ids += count;
  g2p_lock(&job->delivery);
  bool proceed = !g2p_stopped(job);
  if (proceed && job->callback(job->user, &result) != 0) {
    g2p_stop(job, G2P_CANCELLED);
    proceed = false;
  }
  g2p_unlock(&job->delivery);
  return proceed;
}
