/* Beam search as transformers' generate has it, in its simplest form: each beam has its own ids and state, and continuations are
 * looked at from the first beam's first id to the last beam's last, so that of equals the first stays first. Sums are added up as
 * in the library, so that what is equally good there is so here. */
#include "toy_search.h"

#include <string.h>

#include "score.h"

struct sequence {
  struct toy_found so_far;
  uint32_t state;
  double sum;
};

struct continuation {
  double sum;
  size_t from; /* the beam */
  int32_t id;
};

static struct sequence continued(const struct sequence *beams, const struct continuation *by) {
  struct sequence made = beams[by->from];
  made.so_far.ids[made.so_far.count++] = by->id;
  made.sum = by->sum;
  made.so_far.score = by->sum / (double)made.so_far.count;
  return made;
}

/* Puts a continuation behind those that are as good; of more than `most` the last one falls out. */
static void rank(struct continuation *ranked, size_t *count, size_t most, struct continuation given) {
  size_t place = *count;
  while (place && given.sum > ranked[place - 1].sum) place--;
  if (place == most) return;
  *count += *count < most;
  memmove(&ranked[place + 1], &ranked[place], (*count - place - 1) * sizeof *ranked);
  ranked[place] = given;
}

static void keep(struct toy_found *found, size_t *count, size_t most, const struct toy_found *ended) {
  size_t place = *count;
  while (place && ended->score > found[place - 1].score) place--;
  if (place == most) return;
  *count += *count < most;
  memmove(&found[place + 1], &found[place], (*count - place - 1) * sizeof *found);
  found[place] = *ended;
}

void toy_search(g2p_text word, const char *lang, size_t most, const g2p_search *search, struct toy_found *found) {
  static struct sequence running[G2P_MOST_BEAMS], next[G2P_MOST_BEAMS];
  static struct continuation ranked[2 * G2P_MOST_BEAMS];
  size_t beams = search->beams, live = 1, kept = 0;
  running[0] = (struct sequence){.state = toy_begin(word, lang)};
  for (size_t length = 1; length <= most; length++) {
    size_t count = 0, going = 0;
    for (size_t i = 0; i < live; i++) {
      const struct toy_found *so_far = &running[i].so_far;
      float logits[TOY_VOCABULARY] = {0};
      int32_t greatest = toy_next(&running[i].state, so_far->count ? so_far->ids[so_far->count - 1] : 0);
      logits[greatest] = 1;
      double sum = running[i].sum - 1 + g2p_log_probability(logits, TOY_VOCABULARY, greatest);
      for (int32_t id = 0; id < TOY_VOCABULARY; id++)
        rank(ranked, &count, 2 * beams, (struct continuation){sum + (double)logits[id], i, id});
    }
    for (size_t i = 0; i < count; i++) {
      struct sequence made = continued(running, &ranked[i]);
      if (length < most && ranked[i].id != 1) {
        if (going < beams) next[going++] = made;
      } else if (i < beams) {
        keep(found, &kept, beams, &made.so_far);
      }
    }
    live = going;
    memcpy(running, next, live * sizeof *next);
    if (length < most && kept == beams && (search->early || running[0].so_far.score <= found[beams - 1].score)) break;
  }
}
