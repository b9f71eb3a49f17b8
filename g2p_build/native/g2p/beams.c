/* Beam search, by the rules of transformers' generate with a length penalty of 1.
 *
 * A beam is a beginning of a pronunciation; its score is the sum of its ids' log-probabilities. A step continues each beam by
 * every id and ranks the results. Among the first twice as many as there are beams, those that do not end become the next
 * beams; those that end, or reach the bound, are whole, but only where they are among the first as many as there are beams. A
 * whole one's score is its mean, and the best are kept. Where that many are kept, and the best beam's mean is not above
 * the worst of them, the search is over. Equal scores: the better beam comes first, then the lower id, then what was
 * whole earlier.
 *
 * Each beam has a slot, a row of caches. The first beam that continues another takes over its slot; only further ones copy
 * it, to slots whose beams nobody continues. A step takes as many slots together as a call can, which is more than the
 * program's batch: the search has states of its own for them. Further groups of slots share the first one's caches of
 * cross-attention, which are the same for all beams. */
#include "beams.h"

#include <string.h>

#include "calls.h"
#include "score.h"

/* A beam, or a candidate for one. */
struct beam {
  double score;
  int32_t from; /* the beam that it continues */
  int32_t id;   /* by which */
  int32_t slot;
};

/* A whole pronunciation: the ids of a beam of the step `count - 1`, and one more. */
struct whole {
  double score, sum;
  int32_t from, id, count;
};

/* How a beam came to be. */
struct origin {
  int32_t from, id;
};

struct search {
  struct g2p_session *session;
  struct g2p_job *job;
  int32_t beams;    /* at most */
  int32_t width;    /* slots of a group: of a call */
  int32_t live;     /* 1 in the first step, then all */
  int32_t position; /* of the step: ids that each beam has */
  uint32_t steps;
  int32_t candidates_count, wholes_count;
  struct beam running[G2P_MOST_BEAMS], candidates[2 * G2P_MOST_BEAMS];
  struct whole wholes[G2P_MOST_BEAMS]; /* the best first */
  int32_t beam_in[G2P_MOST_BEAMS];     /* which beam a slot has */
  struct origin *origins;              /* [most_ids][beams]: of the beams after each step */
  void **states;                       /* [groups][states_count], of `width` rows */
};

/* The states of a slot's group. */
static void *const *states_of(const struct search *search, int32_t slot) {
  return search->states + (size_t)(slot / search->width) * search->session->program->states_count;
}

/* Lays out a search's memory; with a null block, only counts it. */
static struct search *lay_out(struct g2p_layout *layout, struct g2p_session *session, struct g2p_job *job) {
  struct search shape = {.session = session, .job = job, .beams = (int32_t)job->search->beams};
  shape.width = shape.beams < session->most_rows ? shape.beams : session->most_rows;
  size_t groups = (size_t)((shape.beams + shape.width - 1) / shape.width), states = session->program->states_count;
  struct search *search = g2p_take(layout, sizeof *search);
  shape.origins = g2p_take(layout, (size_t)job->most_ids * (size_t)shape.beams * sizeof(struct origin));
  shape.states = g2p_take(layout, groups * states * sizeof(void *));
  for (size_t i = 0; i < groups * states; i++) {
    const struct cache *cache = &session->caches[i % states];
    bool shared = cache->cross && i >= states;
    size_t size = (size_t)shape.width * (size_t)cache->heads * cache->head_bytes;
    void *memory = shared ? NULL : g2p_take(layout, size);
    if (layout->memory) shape.states[i] = shared ? shape.states[i % states] : memory;
  }
  if (layout->memory) *search = shape;
  return search;
}

/* Encodes the claimed word, and has every row know it. */
static void begin(struct search *search) {
  struct g2p_session *session = search->session;
  g2p_encode_group(session, search->job);
  g2p_prefill_group(session, search->states);
  for (int32_t row = 1; row < search->width; row++) {
    session->length[row] = session->length[0];
    g2p_copy_caches(session, search->states, 0, search->states, row, true, session->length[0]);
  }
  search->running[0] = (struct beam){.id = session->traits->decoder_start_id};
  search->beam_in[0] = 0;
  search->live = 1;
  search->position = search->wholes_count = 0;
  search->steps = 0;
}

static bool comes_before(const struct beam *one, const struct beam *other) {
  if (one->score != other->score) return one->score > other->score;
  return one->from != other->from ? one->from < other->from : one->id < other->id;
}

/* Gives a candidate its place among the best, where it is one of them. */
static void offer(struct search *search, struct beam offered) {
  struct beam *all = search->candidates;
  int32_t most = 2 * search->beams, place = search->candidates_count;
  if (place < most)
    search->candidates_count++;
  else if (!comes_before(&offered, &all[--place]))
    return;
  for (; place && comes_before(&offered, &all[place - 1]); place--) all[place] = all[place - 1];
  all[place] = offered;
}

/* Offers a beam's continuations by every id. `greatest` is that of its greatest logit. */
static void offer_all(struct search *search, int32_t beam, const float *logits, int32_t greatest) {
  int32_t words = search->session->traits->vocabulary;
  double score =
      search->running[beam].score - (double)logits[greatest] + g2p_log_probability(logits, (size_t)words, greatest);
  for (int32_t id = 0; id < words; id++)
    offer(search, (struct beam){.score = score + (double)logits[id], .from = beam, .id = id});
}

/* A step for every beam: its candidates, the best first. */
static void step(struct search *search) {
  struct g2p_session *session = search->session;
  size_t words = (size_t)session->traits->vocabulary;
  search->candidates_count = 0;
  search->steps++;
  for (int32_t first = 0; first < search->live; first += search->width) {
    int32_t left = search->live - first, rows = left < search->width ? left : search->width;
    for (int32_t row = 0; row < rows; row++) {
      session->token[row] = search->running[search->beam_in[first + row]].id;
      session->position[row] = search->position;
    }
    g2p_call(session, session->step, rows, 1, states_of(search, first), &session->statistics.step_ns);
    for (int32_t row = 0; row < rows; row++)
      offer_all(search, search->beam_in[first + row], session->step_logits + (size_t)row * words, session->ids[row]);
  }
}

/* Keeps a whole pronunciation where it is among the best. */
static void keep(struct search *search, const struct beam *ended) {
  int32_t count = search->position + 1, place = search->wholes_count;
  struct whole kept = {ended->score / count, ended->score, ended->from, ended->id, count};
  if (place < search->beams)
    search->wholes_count++;
  else if (!(kept.score > search->wholes[--place].score))
    return;
  for (; place && kept.score > search->wholes[place - 1].score; place--)
    search->wholes[place] = search->wholes[place - 1];
  search->wholes[place] = kept;
}

/* Gives the next beams their slots, and what lies in them. */
static void place(struct search *search, struct beam *next, int32_t count) {
  struct g2p_session *session = search->session;
  int32_t width = search->width, slot = 0;
  bool taken[G2P_MOST_BEAMS] = {false}; /* slots */
  for (int32_t i = 0; i < count; i++) {
    int32_t its = search->running[next[i].from].slot;
    next[i].slot = taken[its] ? -1 : its;
    taken[its] = true;
  }
  for (int32_t i = 0; i < count; i++) {
    int32_t from = search->running[next[i].from].slot;
    if (next[i].slot >= 0) continue;
    while (taken[slot]) slot++;
    taken[slot] = true;
    next[i].slot = slot;
    g2p_copy_caches(session, states_of(search, from), from % width, states_of(search, slot), slot % width, false,
                    search->position + 1);
  }
}

/* Takes what a step found; true where the search is over. */
static bool take_step(struct search *search) {
  bool last = search->position + 1 == search->job->most_ids;
  int32_t count = 0;
  struct beam next[G2P_MOST_BEAMS];
  for (int32_t i = 0; i < search->candidates_count; i++) {
    const struct beam *found = &search->candidates[i];
    if (!last && found->id != search->session->traits->eos_id) {
      if (count < search->beams) next[count++] = *found;
    } else if (i < search->beams) {
      keep(search, found);
    }
  }
  if (last) return true;
  place(search, next, count);
  struct origin *origins = search->origins + (size_t)search->position * (size_t)search->beams;
  for (int32_t i = 0; i < count; i++) {
    origins[i] = (struct origin){next[i].from, next[i].id};
    search->running[i] = next[i];
    search->beam_in[next[i].slot] = i;
  }
  search->live = count;
  search->position++;
  if (search->wholes_count < search->beams) return false;
  return search->job->search->early || !(next[0].score / search->position > search->wholes[search->beams - 1].score);
}

/* Hands over the best; false where the call is to stop. */
static bool finish(struct search *search) {
  struct g2p_session *session = search->session;
  int32_t asked = (int32_t)search->job->search->count, *ids = session->rows[0].ids + 1;
  session->statistics.words++;
  session->statistics.passes += search->steps;
  for (int32_t i = 0; i < search->wholes_count && i < asked; i++) {
    const struct whole *whole = &search->wholes[i];
    int32_t from = whole->from;
    ids[whole->count - 1] = whole->id;
    for (int32_t at = whole->count - 2; at >= 0; at--) {
      const struct origin *origin = &search->origins[(size_t)at * (size_t)search->beams + (size_t)from];
      ids[at] = origin->id;
      from = origin->from;
    }
    const struct g2p_generated generated = {.word = session->group[0],
                                            .ids = ids,
                                            .count = (size_t)whole->count,
                                            .score = whole->sum,
                                            .passes = search->steps};
    if (!g2p_deliver(session, search->job, &generated)) return false;
  }
  return true;
}

/* Memory for a search: that of the session's last one, where it suffices. NULL: there is none. */
static struct search *make(struct g2p_session *session, struct g2p_job *job) {
  struct g2p_layout layout = {NULL, 0};
  lay_out(&layout, session, job);
  if (layout.used > session->beams_size) {
    char *memory = g2p_allocate(session->allocator, layout.used);
    if (!memory) return NULL;
    g2p_release(session->allocator, session->beams, session->beams_size);
    session->beams = memory;
    session->beams_size = layout.used;
  }
  layout = (struct g2p_layout){session->beams, 0};
  return lay_out(&layout, session, job);
}

bool g2p_search_words(struct g2p_session *session, struct g2p_job *job) {
  struct search *search = make(session, job);
  bool proceed = search != NULL;
  while (proceed && !g2p_stopped(job)) {
    g2p_claim(session, job, 1);
    if (!session->claimed) break;
    begin(search);
    bool over = false;
    while (!over && !g2p_stopped(job)) {
      step(search);
      over = take_step(search);
    }
    proceed = over && finish(search);
  }
  return search != NULL;
}
