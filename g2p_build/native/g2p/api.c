/* The functions of g2p.h. */
#include "model.h"

#include <string.h>

#include "text.h"

enum { MOST_CACHED = 1 << 24 }; /* words */

uint32_t g2p_abi_version(void) { return G2P_ABI_VERSION; }

const char *g2p_status_name(g2p_status status) {
  static const char *const names[] = {
      "G2P_OK",
      "G2P_CANCELLED",
      "G2P_NO_MEMORY",
      "G2P_INVALID_ARGUMENT",
      "G2P_EMPTY_WORD",
      "G2P_INVALID_WORD",
      "G2P_WORD_TOO_LONG",
      "G2P_UNKNOWN_LANGUAGE",
      "G2P_TOO_SMALL",
      "G2P_NO_FILE",
      "G2P_INVALID_WEIGHTS",
      "G2P_INVALID_MANIFEST",
      "G2P_NEWER_MANIFEST",
      "G2P_WRONG_DIGEST",
      "G2P_UNSUPPORTED_CPU",
      "G2P_UNSUPPORTED",
      "G2P_FOREIGN_CHARACTER",
      "G2P_INVALID_LEXICON",
      "G2P_INVALID_DRAFT",
      "G2P_UNKNOWN_PHONEME",
      "G2P_UNKNOWN_VOICE",
      "G2P_INVALID_VOICES",
  };
  return (unsigned)status < sizeof names / sizeof *names ? names[status] : NULL;
}

/* Takes a caller's options, which may be older than the last field or NULL, and fills in what they leave out. */
static g2p_status take_options(const g2p_options *given, g2p_options *options, g2p_error *error) {
  const size_t oldest = offsetof(g2p_options, variant);
  *options = (g2p_options){.size = sizeof *options};
  if (given && given->size != sizeof *options && given->size != oldest)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the options say that they have %z bytes, not %z: set size to sizeof",
                    given->size, sizeof *options);
  if (given) memcpy(options, given, given->size);
  if (!options->variant) options->variant = g2p_default();
  g2p_status status = g2p_check_variant(options->variant, G2P_LAYOUT, error);
  if (status != G2P_OK) return status;
  if (options->flags & ~(uint32_t)(G2P_VERIFY | G2P_NO_LEXICON | G2P_NO_DRAFT))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the options' flags %z hold one that does not exist",
                    (size_t)options->flags);
  if (!options->allocator) options->allocator = &g2p_malloc;
  if (!options->allocator->allocate || !options->allocator->release)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the allocator lacks one of its functions");
  return G2P_OK;
}

/* Adds a lexicon; on failure the mapping is the caller's again. */
static g2p_status add_lexicon(g2p *model, const char *name, g2p_text data, const struct g2p_mapping *mapping,
                              const char *lang, g2p_error *error) {
  struct g2p_lexicon lexicon;
  g2p_status status = g2p_lexicon_begin(model->allocator, model->traits, name, data, lang, &lexicon, error);
  if (status != G2P_OK) return status;
  g2p_lock(&model->mutex);
  uint32_t count = model->lexicons_count;
  if (count < G2P_MOST_LEXICONS) {
    if (mapping && lexicon.table) lexicon.mapping = *mapping;
    model->lexicons[count] = lexicon;
    __atomic_store_n(&model->lexicons_count, count + 1, __ATOMIC_RELEASE);
  }
  g2p_unlock(&model->mutex);
  if (count < G2P_MOST_LEXICONS) return G2P_OK;
  g2p_lexicon_end(model->allocator, &lexicon);
  return g2p_fail(error, G2P_INVALID_ARGUMENT, "%s: the model has %d lexicons already: put several into one", name,
                  G2P_MOST_LEXICONS);
}

/* Adds the lexicon that an archive has beside its weights. */
static g2p_status add_own_lexicon(g2p *model, const char *data, size_t size, g2p_error *error) {
  g2p_text member;
  g2p_status status = g2p_find_member(data, size, ".g2plex", &member, error);
  if (status != G2P_OK || !member.data) return status;
  return add_lexicon(model, "the archive's lexicon", member, NULL, NULL, error);
}

static void end_lexicons(g2p *model) {
  for (uint32_t i = 0; i < model->lexicons_count; i++) g2p_lexicon_end(model->allocator, &model->lexicons[i]);
}

/* Adds a draft table; on failure the mapping is the caller's again. */
static g2p_status add_draft(g2p *model, const char *name, g2p_text data, const struct g2p_mapping *mapping,
                            g2p_error *error) {
  struct g2p_draft draft;
  g2p_status status = g2p_draft_begin(name, data, &draft, error);
  if (status != G2P_OK) return status;
  g2p_lock(&model->mutex);
  bool has = g2p_draft_of(model) != NULL;
  if (!has) {
    if (mapping) draft.mapping = *mapping;
    model->draft = draft;
    __atomic_store_n(&model->drafts, 1, __ATOMIC_RELEASE);
  }
  g2p_unlock(&model->mutex);
  if (!has) return G2P_OK;
  return g2p_fail(error, G2P_INVALID_ARGUMENT, "%s: the model has a draft table already: open it with G2P_NO_DRAFT",
                  name);
}

/* Adds what an archive has beside its weights. */
static g2p_status add_own(g2p *model, const char *data, size_t size, uint32_t flags, g2p_error *error) {
  g2p_status status = flags & G2P_NO_LEXICON ? G2P_OK : add_own_lexicon(model, data, size, error);
  if (status != G2P_OK || flags & G2P_NO_DRAFT) return status;
  g2p_text member;
  status = g2p_find_member(data, size, ".g2pdraft", &member, error);
  if (status != G2P_OK || !member.data) return status;
  return add_draft(model, "the archive's draft table", member, NULL, error);
}

/* Makes a model of weights that are mapped, or of the caller's; on failure the mapping is the caller's again. */
static g2p_status open_data(const char *data, size_t size, const g2p_options *options, g2p **opened, g2p_error *error) {
  const g2p_variant *variant = options->variant;
  const char *lacking = g2p_missing_feature(variant);
  if (lacking)
    return g2p_fail(error, G2P_UNSUPPORTED_CPU,
                    "this processor lacks %s, which the library was built for: build it for "
                    "a lesser target.cpu",
                    lacking);
  const g2p_allocator *allocator = options->allocator;
  size_t pointers = variant->program->weights_count * sizeof(void *);
  g2p *model = g2p_allocate(allocator, sizeof *model + pointers);
  if (!model) return g2p_fail(error, G2P_NO_MEMORY, "no memory to open a model");
  memset(model, 0, sizeof *model);
  model->variant = variant;
  model->traits = variant->model;
  model->own = *allocator;
  model->allocator = &model->own;
  model->weights = (const void **)(model + 1);
  uint32_t processors = g2p_processors();
  model->kept = processors < G2P_MOST_THREADS ? processors : G2P_MOST_THREADS;
  model->threads = options->threads ? options->threads : processors;
  g2p_status status = g2p_find_weights(variant->program, data, size, model->weights, error);
  if (status == G2P_OK) {
    if (g2p_mutex_begin(&model->mutex)) {
      if (g2p_condition_begin(&model->work)) {
        if (g2p_condition_begin(&model->done)) {
          status = add_own(model, data, size, options->flags, error);
          if (status == G2P_OK) {
            *opened = model;
            return G2P_OK;
          }
          end_lexicons(model);
          g2p_condition_end(&model->done);
        }
        g2p_condition_end(&model->work);
      }
      g2p_mutex_end(&model->mutex);
    }
    if (status == G2P_OK) status = g2p_fail(error, G2P_NO_MEMORY, "the system gives no lock to open a model with");
  }
  g2p_release(allocator, model, sizeof *model + pointers);
  return status;
}

static g2p_status open_file(const char *path, const struct g2p_weights_file *expected, const g2p_options *options,
                            g2p **opened, g2p_error *error) {
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(path, &mapping, error);
  if (status != G2P_OK) return status;
  if (expected && mapping.size != expected->size) {
    status = g2p_fail(error, G2P_WRONG_DIGEST, "%s has %z bytes, not %z as its manifest says: copy or build it again",
                      path, mapping.size, (size_t)expected->size);
  } else if (expected && options->flags & G2P_VERIFY) {
    struct g2p_sha256 sha;
    char hex[65];
    g2p_sha256_begin(&sha);
    g2p_sha256_add(&sha, mapping.data, mapping.size);
    g2p_sha256_end(&sha, hex);
    if (strcmp(hex, expected->sha256) != 0)
      status = g2p_fail(error, G2P_WRONG_DIGEST,
                        "%s has another SHA-256 than its manifest says: copy or build it again", path);
  }
  if (status == G2P_OK) status = open_data(mapping.data, mapping.size, options, opened, error);
  if (status == G2P_OK)
    (*opened)->mapping = mapping;
  else
    g2p_unmap(&mapping);
  return status;
}

g2p_status g2p_open(const char *weights, const g2p_options *options, g2p **model, g2p_error *error) {
  g2p_no_error(error);
  if (model) *model = NULL;
  if (!weights || !model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_open was given a null pointer");
  g2p_options taken;
  g2p_status status = take_options(options, &taken, error);
  return status == G2P_OK ? open_file(weights, NULL, &taken, model, error) : status;
}

g2p_status g2p_open_manifest(const char *manifest, const g2p_options *options, g2p **model, g2p_error *error) {
  g2p_no_error(error);
  if (model) *model = NULL;
  if (!manifest || !model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_open_manifest was given a null pointer");
  g2p_options taken;
  g2p_status status = take_options(options, &taken, error);
  struct g2p_weights_file weights;
  if (status == G2P_OK) status = g2p_read_manifest(taken.variant, manifest, &weights, error);
  return status == G2P_OK ? open_file(weights.path, &weights, &taken, model, error) : status;
}

g2p_status g2p_open_memory(const void *weights, size_t size, const g2p_options *options, g2p **model,
                           g2p_error *error) {
  g2p_no_error(error);
  if (model) *model = NULL;
  if (!weights || !model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_open_memory was given a null pointer");
  g2p_options taken;
  g2p_status status = take_options(options, &taken, error);
  return status == G2P_OK ? open_data(weights, size, &taken, model, error) : status;
}

void g2p_close(g2p *model) {
  if (!model) return;
  g2p_pool_end(model);
  g2p_condition_end(&model->done);
  g2p_condition_end(&model->work);
  g2p_mutex_end(&model->mutex);
  end_lexicons(model);
  g2p_recent_end(model->allocator, model->recent);
  g2p_unmap(&model->draft.mapping);
  g2p_unmap(&model->mapping);
  g2p_allocator allocator = model->own;
  g2p_release(&allocator, model, sizeof *model + model->variant->program->weights_count * sizeof(void *));
}

g2p_status g2p_add_lexicon(g2p *model, const char *path, const char *lang, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !path) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_add_lexicon was given a null pointer");
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(path, &mapping, error);
  if (status != G2P_OK) return status;
  g2p_text data = {mapping.data, mapping.size};
  status = add_lexicon(model, path, data, &mapping, lang, error);
  if (status != G2P_OK || lang) g2p_unmap(&mapping); /* a list was copied */
  return status;
}

g2p_status g2p_add_lexicon_memory(g2p *model, const void *data, size_t size, const char *lang, g2p_error *error) {
  g2p_no_error(error);
  if (!model || (!data && size))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_add_lexicon_memory was given a null pointer");
  return add_lexicon(model, "the lexicon", (g2p_text){data ? data : "", size}, NULL, lang, error);
}

g2p_status g2p_add_draft(g2p *model, const char *path, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !path) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_add_draft was given a null pointer");
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(path, &mapping, error);
  if (status != G2P_OK) return status;
  status = add_draft(model, path, (g2p_text){mapping.data, mapping.size}, &mapping, error);
  if (status != G2P_OK) g2p_unmap(&mapping);
  return status;
}

g2p_status g2p_add_draft_memory(g2p *model, const void *data, size_t size, g2p_error *error) {
  g2p_no_error(error);
  if (!model || (!data && size))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_add_draft_memory was given a null pointer");
  return add_draft(model, "the draft table", (g2p_text){data ? data : "", size}, NULL, error);
}

g2p_status g2p_cache_words(g2p *model, size_t words, g2p_error *error) {
  g2p_no_error(error);
  if (!model) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_cache_words was given a null pointer");
  if (words > MOST_CACHED)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "%z words are more than a cache takes: give up to %d", words,
                    MOST_CACHED);
  if (model->traits->vocabulary > UINT16_MAX)
    return g2p_fail(error, G2P_UNSUPPORTED, "the model has too many ids for a cache: leave it off");
  struct g2p_recent *recent = NULL;
  if (words && !(recent = g2p_recent_begin(model->allocator, model->traits, (uint32_t)words)))
    return g2p_fail(error, G2P_NO_MEMORY, "no memory for a cache of %z words", words);
  g2p_lock(&model->mutex);
  struct g2p_recent *before = model->recent;
  model->recent = recent;
  g2p_unlock(&model->mutex);
  g2p_recent_end(model->allocator, before);
  return G2P_OK;
}

static g2p_status no_memory_for(size_t bytes, g2p_error *error) {
  return g2p_fail(error, G2P_NO_MEMORY, "no memory for %z bytes of pronunciations", bytes);
}

/* Memory for one guess, by size of what is in it: everything stays aligned. */
struct guess_room {
  size_t ids, letters, spare, costs, said, chances, text, all;
};

static struct guess_room guess_room(const struct g2p_traits *traits) {
  size_t input = (size_t)traits->input_len, output = (size_t)traits->output_len;
  struct guess_room room = {.letters = output * sizeof(int32_t)};
  room.spare = room.letters + input * sizeof(uint32_t);
  room.costs = room.spare + input * sizeof(int32_t);
  room.said = room.costs + 2 * (output + 1) * sizeof(uint16_t);
  room.chances = room.said + 8 + output;
  room.text = room.chances + output;
  room.all = room.text + output;
  return room;
}

/* The guess for a word that the model takes, as text in some memory. */
static g2p_text guess(const g2p *model, const struct g2p_draft_language *language, g2p_text word, const char *lang,
                      char *memory) {
  struct guess_room at = guess_room(model->traits);
  void *letters = memory + at.letters, *spare = memory + at.spare, *costs = memory + at.costs;
  struct g2p_draft_room room = {costs, (unsigned char *)memory + at.said};
  struct g2p_guess guess = {
      .letters = letters, .ids = (int32_t *)(void *)memory, .chance = (uint8_t *)memory + at.chances};
  guess.letters_count = g2p_letters(model->traits, word, lang, spare, letters);
  g2p_draft_guess(language, model->traits, room, 0, &guess);
  char *text = memory + at.text;
  return (g2p_text){text, g2p_decode(model->traits, guess.ids, (size_t)guess.count, text)};
}

g2p_status g2p_guess_word(g2p *model, const char *word, const char *lang, char *phonemes, size_t capacity,
                          g2p_error *error) {
  g2p_no_error(error);
  if (!model || !word || !lang || (!phonemes && capacity))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_guess_word was given a null pointer");
  const struct g2p_draft *draft = g2p_draft_of(model);
  struct g2p_draft_language language;
  g2p_text text = {word, strlen(word)}, found = {NULL, 0};
  size_t size = guess_room(model->traits).all;
  char *memory = g2p_allocate(model->allocator, size);
  if (!memory) return no_memory_for(size, error);
  void *spare = memory + guess_room(model->traits).spare;
  int32_t count;
  lang = g2p_language(model->traits, lang);
  g2p_status status = g2p_check_language(model->traits, lang, error);
  if (status == G2P_OK) status = g2p_encode(model->traits, text, lang, spare, &count, error);
  if (status == G2P_OK && draft && g2p_draft_language(draft, lang, &language))
    found = guess(model, &language, text, lang, memory);
  if (status == G2P_OK && found.size + 1 > capacity)
    status = g2p_fail(error, G2P_TOO_SMALL, "the guess takes %z bytes and the buffer has %z", found.size + 1, capacity);
  if (status == G2P_OK) {
    memcpy(phonemes, found.data ? found.data : "", found.size);
    phonemes[found.size] = 0;
  }
  g2p_release(model->allocator, memory, size);
  return status;
}

g2p_status g2p_get_statistics(g2p *model, g2p_statistics *statistics, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !statistics)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_get_statistics was given a null pointer");
  if (statistics->size != sizeof *statistics)
    return g2p_fail(error, G2P_INVALID_ARGUMENT,
                    "the statistics say that they have %z bytes, not %z: set their size to sizeof", statistics->size,
                    sizeof *statistics);
  g2p_lock(&model->mutex);
  *statistics = model->statistics;
  g2p_unlock(&model->mutex);
  statistics->size = sizeof *statistics;
  return G2P_OK;
}

/* Known pronunciations as texts of their own. */
static g2p_status copy_known(g2p *model, const struct g2p_known *known, g2p_texts *all, g2p_error *error) {
  size_t count = 1;
  for (size_t i = 0; i < known->size; i++) count += known->text[i] == ',';
  char *data = g2p_allocate(model->allocator, known->size - (count - 1) + 1);
  size_t *offsets = g2p_allocate(model->allocator, (count + 1) * sizeof *offsets);
  if (!data || !offsets) {
    g2p_release(model->allocator, data, known->size - (count - 1) + 1);
    g2p_release(model->allocator, offsets, (count + 1) * sizeof *offsets);
    return no_memory_for(known->size, error);
  }
  size_t used = 0, done = 0;
  offsets[0] = 0;
  for (size_t i = 0; i < known->size; i++) {
    if (known->text[i] == ',')
      offsets[++done] = used;
    else
      data[used++] = known->text[i];
  }
  offsets[count] = used;
  *all = (g2p_texts){data, offsets, count};
  return G2P_OK;
}

g2p_status g2p_look_up(g2p *model, const char *word, const char *lang, g2p_texts *pronunciations, g2p_source *source,
                       g2p_error *error) {
  g2p_no_error(error);
  if (!model || !word || !pronunciations)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_look_up was given a null pointer");
  *pronunciations = (g2p_texts){NULL, NULL, 0};
  g2p_text text = {word, strlen(word)};
  lang = g2p_language(model->traits, lang);
  g2p_status status = g2p_check_language(model->traits, lang, error);
  if (status == G2P_OK) status = g2p_check_word(text, error);
  if (status != G2P_OK) return status;
  struct g2p_known known;
  uint32_t count = __atomic_load_n(&model->lexicons_count, __ATOMIC_ACQUIRE);
  if (!g2p_find_word(model->lexicons, count, model->traits, text, lang, &known) || known.source == G2P_FROM_LETTERS)
    return G2P_OK;
  if (source) *source = known.source;
  return copy_known(model, &known, pronunciations, error);
}

void g2p_trim(g2p *model) {
  if (model) g2p_pool_trim(model);
}

g2p_bounds g2p_limits(const g2p *model) {
  const struct g2p_traits *traits = model->traits;
  return (g2p_bounds){.input = (size_t)traits->input_len,
                      .ids = (size_t)traits->output_len - 1,
                      .text = (size_t)traits->output_len > G2P_TEXT ? (size_t)traits->output_len : G2P_TEXT,
                      .vocabulary = (size_t)traits->vocabulary,
                      .rows = (size_t)model->variant->program->batch};
}

const char *const *g2p_languages(const g2p *model, size_t *count) {
  if (count) *count = model->traits->languages_count;
  return model->traits->languages;
}

g2p_status g2p_find_language(const g2p *model, const char *tag, const char **code, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !code) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_find_language was given a null pointer");
  *code = NULL;
  const char *found = g2p_language(model->traits, tag);
  g2p_status status = g2p_check_language(model->traits, found, error);
  if (status == G2P_OK) *code = found;
  return status;
}

const char *g2p_info(const g2p *model) { return model->variant->info; }

void g2p_cancel(volatile int32_t *cancel) { __atomic_store_n(cancel, 1, __ATOMIC_RELAXED); }

struct one {
  char *text;
  size_t capacity, needed;
};

static int copy_one(void *user, const g2p_result *result) {
  struct one *one = user;
  one->needed = result->phonemes.size + 1;
  if (one->needed > one->capacity) return 0;
  memcpy(one->text, result->phonemes.data, result->phonemes.size);
  one->text[result->phonemes.size] = 0;
  return 0;
}

g2p_status g2p_pronounce(g2p *model, const char *word, const char *lang, char *phonemes, size_t capacity,
                         g2p_error *error) {
  g2p_no_error(error);
  if (!model || !word || !lang || (!phonemes && capacity))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_pronounce was given a null pointer");
  g2p_text text = {word, strlen(word)};
  g2p_request request = {.size = sizeof request, .words = &text, .count = 1, .lang = lang, .threads = 1};
  struct one one = {phonemes, capacity, 0};
  g2p_status status = g2p_run_request(model, &request, NULL, copy_one, &one, error);
  if (status == G2P_OK && one.needed > capacity)
    return g2p_fail(error, G2P_TOO_SMALL, "the phonemes take %z bytes and the buffer has %z", one.needed, capacity);
  return status;
}

g2p_status g2p_stream(g2p *model, const g2p_request *request, g2p_callback callback, void *user, g2p_error *error) {
  g2p_no_error(error);
  if (!model || !callback) return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_stream was given a null pointer");
  return g2p_run_request(model, request, NULL, callback, user, error);
}
