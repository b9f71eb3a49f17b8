/* Greedy decoding with continuous batching.
 *
 * A session decodes up to `batch` words at once, each in a row of its own and at a position of its own. Words are
 * claimed in groups, longest first, and encoded together, with no padding between them. The group's cross-attention
 * caches wait in a second set of caches, the stage, until rows become free; where all rows are free they are written in
 * place. When no word is left, the last row moves to where one ended, so that steps never compute a row that is not
 * needed. */
#include "decode.h"

#include <string.h>

#include "beams.h"
#include "calls.h"
#include "score.h"
#include "text.h"

/* Where the table has a word's language, the word is guessed at as soon as that pays. */
static void begin_guess(struct g2p_session *session, const struct g2p_job *job, struct row *row) {
  const char *lang = g2p_language_of(job->request, row->word);
  row->drafts =
      job->draft && session->step && session->step->tokens > 1 && g2p_draft_language(job->draft, lang, &row->language);
  row->guess = (struct g2p_guess){.letters = row->letters, .ids = row->ids + 1, .chance = row->chances};
  row->failures = 0;
  row->stale = true;
}

static void begin_row(struct g2p_session *session, struct g2p_job *job, int32_t row, uint32_t word) {
  struct row *place = &session->rows[row];
  place->word = word;
  place->length = job->lengths[word];
  place->count = 0;
  place->score = 0;
  place->ids[0] = session->traits->decoder_start_id;
  place->passes = place->drafted = place->accepted = 0;
  begin_guess(session, job, place);
}

/* Gives a free row to the next word that waits, claiming and encoding more where none does. */
static bool fill_row(struct g2p_session *session, struct g2p_job *job, int32_t row) {
  if (session->waiting == session->claimed) {
    g2p_claim(session, job, (size_t)session->program->batch);
    if (!session->claimed) return false;
    g2p_encode_group(session, job);
    g2p_prefill_group(session, session->staged);
  }
  uint32_t word = session->group[session->waiting];
  g2p_copy_caches(session, session->staged, session->waiting, session->states, row, true, job->lengths[word]);
  begin_row(session, job, row, word);
  session->waiting++;
  return true;
}

/* Where every row is free: a group straight into its rows. */
static bool fill_all(struct g2p_session *session, struct g2p_job *job) {
  g2p_claim(session, job, (size_t)session->program->batch);
  if (!session->claimed) return false;
  g2p_encode_group(session, job);
  g2p_prefill_group(session, session->states);
  for (int32_t row = 0; row < session->claimed; row++) begin_row(session, job, row, session->group[row]);
  session->waiting = session->live = session->claimed;
  return true;
}

static void move_row(struct g2p_session *session, int32_t from, int32_t to) {
  struct row *source = &session->rows[from], *target = &session->rows[to], free = *target;
  g2p_copy_caches(session, session->states, from, session->states, to, true, source->length);
  g2p_copy_caches(session, session->states, from, session->states, to, false, source->count);
  *target = *source;
  *source = free; /* the ids' and logits' memory changes places */
}

/* Hands a finished word over; false where the call is to stop. */
static bool finish(struct g2p_session *session, struct g2p_job *job, const struct row *row) {
  const struct g2p_generated generated = {.word = row->word,
                                          .ids = row->ids + 1,
                                          .count = (size_t)row->count,
                                          .score = row->score,
                                          .logits = row->logits,
                                          .passes = row->passes,
                                          .drafted = row->drafted,
                                          .accepted = row->accepted};
  session->statistics.words++;
  session->statistics.passes += row->passes;
  session->statistics.drafted += row->drafted;
  session->statistics.accepted += row->accepted;
  return g2p_deliver(session, job, &generated);
}

static bool has_ended(const struct g2p_session *session, const struct g2p_job *job, const struct row *row) {
  return row->count && (row->ids[row->count] == session->traits->eos_id || row->count == job->most_ids);
}

/* Takes a row's new id and logits; true where that was its last. */
static bool take_id(const struct g2p_session *session, const struct g2p_job *job, struct row *row, int32_t id,
                    const float *logits) {
  size_t words = (size_t)session->traits->vocabulary;
  if (row->logits) memcpy(row->logits + (size_t)row->count * words, logits, words * sizeof(float));
  if (job->request->flags & G2P_SCORES) row->score += g2p_log_probability(logits, words, id);
  row->ids[++row->count] = id;
  return has_ended(session, job, row);
}

/* --- guesses ------------------------------------------------------------------------------------------------------ */

enum {
  MOST_FAILURES = 2, /* then a word goes on a token at a time */
  MOST_UNTRUSTED = 8 /* tokens of a step in a language whose guesses have not been right lately; half after a failure */
};

static const float LEAST_TRUST = 0.25F, /* below it a language's words are not guessed at */
    TRUSTED = 0.55F,                    /* from here on steps are as long as they pay */
    LEARNING = 1.0F / 16,               /* how much a step's outcome says */
    FORGIVING = 1.0F / 256; /* how much a word is worth that was not guessed at: some day it is tried again */

static float *trust_in(struct g2p_session *session, const struct row *row) {
  return &session->trust[row->language.number % G2P_TRUSTS];
}

/* Ids of a row's guess that can be checked. */
static int32_t guessed(const struct row *row) {
  return row->drafts && !row->stale && row->guess.count > row->count ? row->guess.count - row->count : 0;
}

/* Guesses how a row's word goes on. Its letters are read the first time. */
static void make_guess(struct g2p_session *session, const struct g2p_job *job, struct row *row) {
  const struct g2p_traits *traits = session->traits;
  struct g2p_guess *guess = &row->guess;
  if (!guess->letters_count) {
    const char *lang = g2p_language_of(job->request, row->word);
    guess->letters_count = g2p_letters(traits, job->request->words[row->word], lang, session->input_ids, row->letters);
  }
  g2p_draft_guess(&row->language, traits, session->room, row->count, guess);
  row->stale = false;
}

/* Makes the guesses that are wanted. The most tokens of a row that are worth a look; 1 where nothing is guessed. */
static int32_t make_guesses(struct g2p_session *session, const struct g2p_job *job) {
  int32_t most = 1;
  for (int32_t i = 0; i < session->live; i++) {
    struct row *row = &session->rows[i];
    if (!row->drafts) continue;
    if (row->stale && *trust_in(session, row) < LEAST_TRUST) {
      *trust_in(session, row) += FORGIVING;
      row->drafts = false;
      continue;
    }
    if (row->stale) make_guess(session, job, row);
    int32_t mine = guessed(row), untrusted = row->failures ? MOST_UNTRUSTED / 2 : MOST_UNTRUSTED;
    if (*trust_in(session, row) < TRUSTED && mine > untrusted) mine = untrusted;
    if (mine > most) most = mine;
  }
  return most;
}

/* What steps of 1, 2, 3 ... tokens a row are expected to give. */
struct hopes {
  float ids[G2P_MOST_DRAFTED + 1];   /* of all rows */
  float ended[G2P_MOST_DRAFTED + 1]; /* rows that it ends */
};

static void hope_for(struct g2p_session *session, int32_t most, struct hopes *hopes) {
  memset(hopes, 0, sizeof *hopes);
  for (int32_t i = 0; i < session->live; i++) {
    const struct row *row = &session->rows[i];
    int32_t left = guessed(row);
    float right = left ? *trust_in(session, row) : 1, ids = 1, ended = 0;
    for (int32_t tokens = 1; tokens <= most; tokens++) {
      if (tokens <= left) right *= (float)row->chances[row->count + tokens - 1] / 255;
      if (tokens == left) ended = right;
      hopes->ids[tokens] += ids;
      hopes->ended[tokens] += ended;
      if (tokens < left) ids += right;
    }
  }
}

/* What a step of so many tokens a row costs, in steps of one token. */
static float price_of(const struct g2p_session *session, int32_t tokens) {
  return (float)session->prices[session->live * tokens] / 100;
}

/* Makes guesses, and chooses how many tokens each row takes in the next step: as many as cost least for what they give. A
 * word that is not ended costs another step, however little is left of it. */
static int32_t choose_tokens(struct g2p_session *session, const struct g2p_job *job) {
  if (session->live * 2 > session->most_tokens) return 1;
  int32_t most = make_guesses(session, job), best = 1, room = session->most_tokens / session->live;
  if (most > session->step->tokens) most = session->step->tokens;
  if (most > room) most = room;
  if (most < 2) return 1;
  struct hopes hopes;
  hope_for(session, most, &hopes);
  float rate = price_of(session, 1) / hopes.ids[1], least = 0;
  for (int32_t tokens = 2; tokens <= most; tokens++) {
    float each = price_of(session, tokens) / hopes.ids[tokens];
    if (each < rate) rate = each;
  }
  for (int32_t tokens = 1; tokens <= most; tokens++) {
    float gain = rate * hopes.ids[tokens] + hopes.ended[tokens] / (float)session->live;
    float cost = price_of(session, tokens) - gain;
    if (tokens > 1 && cost >= least) continue;
    least = cost;
    best = tokens;
  }
  return best;
}

/* Remembers how a row's guess fared in a step: how many ids of it were checked, and how many were right. */
static void learn(struct g2p_session *session, struct row *row, int32_t checked, int32_t right, bool wrong) {
  row->drafted += (uint32_t)checked;
  row->accepted += (uint32_t)right;
  if (!row->drafts) return;
  if (checked) {
    float *trust = trust_in(session, row);
    *trust += ((right ? 1.0F : 0.0F) - *trust) * LEARNING;
  }
  row->stale = wrong;
  if (wrong && !right && ++row->failures == MOST_FAILURES) row->drafts = false;
}

/* Takes what a step says of a row: the model's next id, and as long as that is what was guessed, the one behind it. True
 * where the word is ended. */
static bool take_step(struct g2p_session *session, const struct g2p_job *job, int32_t number, int32_t tokens) {
  struct row *row = &session->rows[number];
  size_t first = (size_t)number * (size_t)tokens, words = (size_t)session->traits->vocabulary;
  int32_t left = guessed(row), checked = left < tokens - 1 ? left : tokens - 1, right = 0;
  bool ended, same;
  row->passes++;
  for (int32_t taken = 0;; taken++) {
    int32_t id = session->ids[first + (size_t)taken];
    same = taken < left && row->ids[row->count + 1] == id;
    right += same && taken < checked;
    ended = take_id(session, job, row, id, session->step_logits + (first + (size_t)taken) * words);
    if (ended || !same || taken + 1 == tokens) break;
  }
  learn(session, row, checked, right, left && !same);
  return ended;
}

/* With caches: a step for every live row, again and again. */
static void step_rows(struct g2p_session *session, struct g2p_job *job) {
  while (!g2p_stopped(job)) {
    if (!session->live && session->waiting == session->claimed && !fill_all(session, job)) return;
    while (session->live < session->program->batch && fill_row(session, job, session->live)) session->live++;
    int32_t tokens = 1;
    if (job->draft) {
      uint64_t started = g2p_nanoseconds();
      tokens = choose_tokens(session, job);
      session->statistics.draft_ns += g2p_nanoseconds() - started;
    }
    int32_t *token = session->token;
    for (int32_t row = 0; row < session->live; row++) {
      const struct row *place = &session->rows[row];
      int32_t left = guessed(place);
      *token++ = place->ids[place->count];
      for (int32_t i = 1; i < tokens; i++)
        *token++ = i <= left ? place->ids[place->count + i] : session->traits->pad_id;
      session->position[row] = place->count;
      session->length[row] = place->length;
    }
    g2p_call(session, session->step, session->live, tokens, session->states, &session->statistics.step_ns);
    /* From the last row down: one that moves has been looked at. */
    for (int32_t row = session->live - 1; row >= 0; row--) {
      if (!take_step(session, job, row, tokens)) continue;
      if (!finish(session, job, &session->rows[row])) return;
      if (session->program->batch > 1 && fill_row(session, job, row)) continue;
      if (row != --session->live) move_row(session, session->live, row);
    }
  }
}

/* Without: the whole output again for every token, a group at a time. */
static void decode_group(struct g2p_session *session, struct g2p_job *job) {
  size_t output = (size_t)session->traits->output_len, words = (size_t)session->traits->vocabulary;
  g2p_claim(session, job, (size_t)session->program->batch);
  if (!session->claimed) return;
  g2p_encode_group(session, job);
  for (int32_t row = 0; row < session->claimed; row++) {
    begin_row(session, job, row, session->group[row]);
    for (size_t i = 1; i < output; i++) session->rows[row].ids[i] = session->traits->pad_id;
  }
  int32_t left = session->claimed;
  for (size_t position = 0; left && !g2p_stopped(job); position++) {
    g2p_call_role(session, "decode", session->claimed, NULL, &session->statistics.step_ns);
    for (int32_t row = 0; row < session->claimed; row++) {
      struct row *place = &session->rows[row];
      size_t at = (size_t)row * output + position;
      if (has_ended(session, job, place)) continue;
      place->passes++;
      if (!take_id(session, job, place, session->ids[at], session->step_logits + at * words)) continue;
      left--;
      if (!finish(session, job, place)) return;
    }
  }
}

/* Greedily; false where there is no memory for logits. */
static bool decode_words(struct g2p_session *session, struct g2p_job *job) {
  const struct g2p_traits *traits = session->traits;
  size_t batch = (size_t)session->program->batch;
  size_t each = (size_t)(traits->output_len - 1) * (size_t)traits->vocabulary * sizeof(float);
  session->logits = NULL;
  if (job->request->flags & G2P_LOGITS) {
    session->logits = g2p_allocate(session->allocator, batch * each);
    if (!session->logits) return false;
  }
  for (size_t row = 0; row < batch; row++)
    session->rows[row].logits = session->logits ? session->logits + row * (each / sizeof(float)) : NULL;
  if (session->program->states_count)
    step_rows(session, job);
  else
    do decode_group(session, job);
    while (session->claimed && !g2p_stopped(job));
  g2p_release(session->allocator, session->logits, batch * each);
  return true;
}

bool g2p_work(struct g2p_session *session, struct g2p_job *job) {
  session->live = session->waiting = session->claimed = 0;
  session->statistics = (g2p_statistics){0};
  bool worked = job->search ? g2p_search_words(session, job) : decode_words(session, job);
  g2p_lock(&job->mutex);
  g2p_count(&job->statistics, &session->statistics);
  g2p_unlock(&job->mutex);
  return worked;
}
