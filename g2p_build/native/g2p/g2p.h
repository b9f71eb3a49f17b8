/* Words to phonemes: the whole interface of the library.
 *
 *   g2p *model;
 *   char phonemes[G2P_TEXT];
 *   if (g2p_open("weights.safetensors", NULL, &model, NULL) == G2P_OK) {
 *     g2p_pronounce(model, "knight", "eng-us", phonemes, sizeof phonemes, NULL);
 *     g2p_close(model);
 *   }
 *
 * Text is UTF-8. A library is compiled for one model: its prompt, its languages and its bounds are in the library, its
 * weights are a file beside it, which is mapped and never copied.
 *
 * Threads. A model may be used by any number of threads at once; every function that takes one may be called from any
 * of them, except that g2p_close must be the last call. The library keeps no global state, prints nothing, never
 * ends the process, reads no environment and changes no locale.
 *
 * Versions. The interface only grows: a function or a field that is here stays, with its meaning. Structures that
 * may grow begin with their size, as the caller's compiler saw it. A change that breaks this raises
 * G2P_ABI_VERSION, which g2p_abi_version() reports at run time.
 *
 * Several libraries. A program may link several variants' libraries. Its calls then go to the library that was linked
 * first, and that is the variant that opens unless the options name another. Beside each library lies variant.h, which
 * declares its variant by a name of your choice:
 *
 *   #define G2P_VARIANT half
 *   #include "float16/variant.h"
 *
 *   g2p_options options = {.size = sizeof options, .variant = half()};
 *   g2p_open("weights.safetensors", &options, &model, NULL); */
#ifndef G2P_H
#define G2P_H

#include <stddef.h>
#include <stdint.h>

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define G2P_ABI_VERSION 1

#if defined(_WIN32)
#define G2P_API __declspec(dllexport)
#else
#define G2P_API __attribute__((visibility("default")))
#endif

enum { G2P_MOST_LEXICONS = 16 };

enum { G2P_MOST_BEAMS = 64 };

/* Room for the phonemes of any word of most models and of any lexicon; g2p_limits says how much this model's need. */
#define G2P_TEXT 1024

typedef struct g2p g2p;

/* A variant: what a library was compiled for. Opaque; see g2p_options. */
typedef struct g2p_variant g2p_variant;

enum {
  G2P_VERIFY = 1,     /* g2p_open_manifest: compare the SHA-256 of all weights, which reads the whole file */
  G2P_NO_LEXICON = 2, /* leave out the lexicon that an archive has beside its weights */
  G2P_NO_DRAFT = 4    /* leave out its draft table */
};

typedef struct g2p_options {
  size_t size;                    /* sizeof(g2p_options) */
  uint32_t flags;                 /* G2P_VERIFY, G2P_NO_LEXICON, G2P_NO_DRAFT */
  uint32_t threads;               /* of a call that does not say; 0: one for each processor that this process may use
                                     (its affinity, its container's quota), 1: none is ever started */
  const g2p_allocator *allocator; /* NULL: malloc and free; used until g2p_close and for what calls return */
  const g2p_variant *variant;     /* NULL: that of the library that was linked first; see "Several libraries" */
} g2p_options;

G2P_API uint32_t g2p_abi_version(void);

/* The name of a status, such as "G2P_WORD_TOO_LONG"; NULL for a number that is none. */
G2P_API const char *g2p_status_name(g2p_status status);

/* Opens a model from its weights: a safetensors file, or a tar archive that holds one and perhaps a lexicon
 * and a draft table.
 *
 * The file is mapped; nothing that is done here grows with the weights. Files are trusted to stay as they are until
 * g2p_close. `options` may be NULL. Where a model cannot be opened, `*model` becomes NULL. */
G2P_API g2p_status g2p_open(const char *weights, const g2p_options *options, g2p **model, g2p_error *error);

/* Opens a model from a manifest, whose weights archive lies beside it or in ../dist from it.
 *
 * The manifest must be unchanged and of this library. The archive's size is compared, its SHA-256 with G2P_VERIFY. */
G2P_API g2p_status g2p_open_manifest(const char *manifest, const g2p_options *options, g2p **model, g2p_error *error);

/* Opens a model from a safetensors file, or an archive with one, in the caller's memory, which must stay there until
 * g2p_close and begin at a multiple of 64 bytes. */
G2P_API g2p_status g2p_open_memory(const void *weights, size_t size, const g2p_options *options, g2p **model,
                                   g2p_error *error);

/* Frees everything; NULL is nothing. No other call may be running. */
G2P_API void g2p_close(g2p *model);

/* Gives back the memory that threads have worked with, as far as no call uses it: a few MB for each, more with a large
 * batch. Between calls a model keeps that of as many threads as there are processors. */
G2P_API void g2p_trim(g2p *model);

typedef struct g2p_bounds {
  size_t input;      /* bytes that a word may have together with its prompt */
  size_t ids;        /* that a pronunciation may have, the end id among them */
  size_t text;       /* bytes that its phonemes may have, with a zero at the end */
  size_t vocabulary; /* ids that there are: logits of one position */
  size_t rows;       /* words that one thread decodes at once */
} g2p_bounds;

G2P_API g2p_bounds g2p_limits(const g2p *model);

/* The codes of the languages, `*count` of them; NULL and 0 where the model takes any code. They live with the model. */
G2P_API const char *const *g2p_languages(const g2p *model, size_t *count);

/* The model's own code for a BCP 47 tag, such as "eng-us" for "en-US"; the tag itself where the model takes any code. Every
 * function that takes a language takes tags too: docs/languages.md. A code always means itself. Where a tag may mean several
 * codes, it is G2P_UNKNOWN_LANGUAGE, and the message names them. `*code` lives with the model, or is `tag`. */
G2P_API g2p_status g2p_find_language(const g2p *model, const char *tag, const char **code, g2p_error *error);

/* What the model is, as a JSON object: name, ABI, target, bounds, languages, prompt, sizes. Lives with the model. */
G2P_API const char *g2p_info(const g2p *model);

/* Adds a lexicon: words that are not left to the model. It comes before those that were added earlier, and before the
 * archive's own. Calls that run at the time may or may not see it.
 *
 * `path` names either a table, as the build makes it, or UTF-8 text with a word a line: the word, a tab, and its
 * pronunciations with commas between them, the first of which is the answer. `lang` is the language of a text's words;
 * a table has its own languages, and `lang` is NULL. Text is copied; a table is mapped, and stays as it is until
 * g2p_close. A model takes up to G2P_MOST_LEXICONS. */
G2P_API g2p_status g2p_add_lexicon(g2p *model, const char *path, const char *lang, g2p_error *error);

/* As g2p_add_lexicon, from memory. A table's must stay there until g2p_close. */
G2P_API g2p_status g2p_add_lexicon_memory(g2p *model, const void *data, size_t size, const char *lang,
                                          g2p_error *error);

/* Gives a model a draft table, as the build makes it, where it has none. Words are then guessed, and one step of the model
 * checks many ids of a guess: results are the same to the bit, and come sooner. Calls that run at the time may or may not
 * use it. The table is mapped, and stays as it is until g2p_close. A variant that was built with kv_cache=false does
 * without. */
G2P_API g2p_status g2p_add_draft(g2p *model, const char *path, g2p_error *error);

/* As g2p_add_draft, from memory, which must stay there until g2p_close. */
G2P_API g2p_status g2p_add_draft_memory(g2p *model, const void *data, size_t size, g2p_error *error);

/* What the draft table guesses for a word, ended by a zero: nothing where there is no table, or it has not the language. For
 * looking at: what is pronounced is the model's own. */
G2P_API g2p_status g2p_guess_word(g2p *model, const char *word, const char *lang, char *phonemes, size_t capacity,
                                  g2p_error *error);

/* Keeps what the model said of the `words` words that were used last, so that it need not say it again: those of running text
 * come again and again. 0, as at first: of none. What was kept before is dropped.
 *
 * Results are the same to the byte, ids and scores too, but that `passes`, `drafted` and `accepted` are 0: the model was not
 * asked, and the statistics do not count it. Lexicons come before the cache, so words that are added are heard at once.
 * Words that no request had before are not found twice in one request. Memory is taken here, and never later: 2 bytes for each
 * id that an input and a pronunciation may have, and 50 more, for each word. Requests with logits, or most_ids, do without. */
G2P_API g2p_status g2p_cache_words(g2p *model, size_t words, g2p_error *error);

/* What a model has done since it was opened. */
typedef struct g2p_statistics {
  size_t size;       /* sizeof(g2p_statistics), as the caller's compiler saw it */
  uint64_t words;    /* that the model finished; not those of lexicons */
  uint64_t ids;      /* that it generated */
  uint64_t passes;   /* of its decoder, each word's own: ids, less those that guesses saved */
  uint64_t drafted;  /* ids of guesses that were checked */
  uint64_t accepted; /* and were right */
  /* Nanoseconds that threads worked, all of them together; 0 in WebAssembly, which has no clock. */
  uint64_t encode_ns;  /* in the encoder */
  uint64_t prefill_ns; /* on what the decoder keeps of the encoder's output */
  uint64_t step_ns;    /* in passes of the decoder */
  uint64_t draft_ns;   /* on guesses, and on how far to check them */
} g2p_statistics;

/* Fills in `statistics`, whose size the caller has set. What a call did is the difference between two of these, where no
 * other call runs at the time. */
G2P_API g2p_status g2p_get_statistics(g2p *model, g2p_statistics *statistics, g2p_error *error);

/* Pronounces one word into the caller's buffer, ended by a zero.
 *
 * `word` and `lang` end with zeros. G2P_TOO_SMALL, where `capacity` is too small, writes nothing. */
G2P_API g2p_status g2p_pronounce(g2p *model, const char *word, const char *lang, char *phonemes, size_t capacity,
                                 g2p_error *error);

enum {
  G2P_LOGITS = 1, /* g2p_stream: results have logits */
  G2P_SCORES = 2, /* results have scores */
  G2P_EACH = 4,   /* a wrong word ends nothing: its own result says what is wrong with it */
  G2P_MODEL = 8   /* the model alone: no lexicon and no letter names, as always with g2p_tokens and G2P_LOGITS */
};

/* Words to pronounce. The words' memory is read until the call returns. */
typedef struct g2p_request {
  size_t size; /* sizeof(g2p_request) */
  const g2p_text *words;
  size_t count;
  const char *lang;               /* of all words, ended by a zero */
  const char *const *langs;       /* of each word, in place of lang; or NULL */
  uint32_t threads;               /* 0: as the model was opened; the calling thread is one of them */
  uint32_t flags;                 /* G2P_LOGITS, G2P_SCORES, G2P_EACH, G2P_MODEL */
  size_t most_ids;                /* that a pronunciation may have; 0: the model's bound */
  const volatile int32_t *cancel; /* not 0: stop soon; or NULL. See g2p_cancel */
} g2p_request;

/* Asks calls that were given this flag to stop; they return G2P_CANCELLED. From any thread, or a signal's handler. */
G2P_API void g2p_cancel(volatile int32_t *cancel);

/* Texts one after the other: the i-th is data[offsets[i]] up to data[offsets[i + 1]]. No zero ends it. */
typedef struct g2p_texts {
  char *data;
  size_t *offsets; /* count + 1 of them */
  size_t count;
} g2p_texts;

/* Pronounces words, in their order. Where one word is wrong, `error` says which, and none is pronounced; with G2P_EACH
 * its text is empty.
 *
 * Pronunciations depend neither on the number of threads nor on the other words. */
G2P_API g2p_status g2p_pronounce_all(g2p *model, const g2p_request *request, g2p_texts *phonemes, g2p_error *error);

G2P_API void g2p_free_texts(g2p *model, g2p_texts *texts);

/* Ids one after the other, as g2p_texts: those generated after the start id, with the end id where it was produced. */
typedef struct g2p_ids {
  int32_t *data;
  size_t *offsets; /* count + 1 of them */
  size_t count;
} g2p_ids;

/* As g2p_pronounce_all, but gives the generated ids. */
G2P_API g2p_status g2p_tokens(g2p *model, const g2p_request *request, g2p_ids *ids, g2p_error *error);

G2P_API void g2p_free_ids(g2p *model, g2p_ids *ids);

/* Where a pronunciation comes from. */
typedef enum g2p_source {
  G2P_FROM_MODEL,
  G2P_FROM_LEXICON, /* a table, which a build made */
  G2P_FROM_USER,    /* a list, which was added */
  G2P_FROM_LETTERS  /* a word in capitals, spelled by the names of its letters */
} g2p_source;

/* One finished word. In a callback its memory lives until the callback returns; else see g2p_free_results. */
typedef struct g2p_result {
  size_t size; /* sizeof(g2p_result), as the library was compiled */
  size_t word; /* which of the request's words */
  g2p_text phonemes;
  const int32_t *ids; /* that the model generated; none where the pronunciation is not from the model */
  size_t ids_count;
  const float *logits; /* with G2P_LOGITS: [ids_count][vocabulary], what each id was the greatest of; else NULL */
  g2p_status status;   /* G2P_OK; with G2P_EACH what is wrong with the word */
  g2p_source source;
  uint32_t truncated; /* 1: the bound was reached, and the model had not ended the word */
  uint32_t repeats;   /* 1: the pronunciation ends in one part again and again, at least four times */
  float score;        /* with G2P_SCORES: mean natural log-probability of the ids; 0 where there are none */
  g2p_text message;   /* with G2P_EACH: one line where the status is not G2P_OK */
  uint32_t passes;    /* of the decoder that the model took; as the next two, 0 where the word is not from it */
  uint32_t drafted;   /* ids of guesses that were checked */
  uint32_t accepted;  /* and were right */
} g2p_result;

/* The results of a request, in the order of its words; freed by g2p_free_results. A program that may meet a newer library goes from one to the next
 * by data->size bytes. */
typedef struct g2p_results {
  const g2p_result *data;
  size_t count;
  void *memory; /* the library's */
} g2p_results;

/* As g2p_pronounce_all, with all that is known of each word. */
G2P_API g2p_status g2p_results_all(g2p *model, const g2p_request *request, g2p_results *results, g2p_error *error);

G2P_API void g2p_free_results(g2p *model, g2p_results *results);

/* How several pronunciations of a word are searched for: by beam search, which keeps the best beginnings ("beams") and
 * continues each of them by every id. */
typedef struct g2p_search {
  size_t size;    /* sizeof(g2p_search) */
  uint32_t count; /* pronunciations of each word, at most: 1 to beams */
  uint32_t beams; /* 1 to G2P_MOST_BEAMS, and to half the model's vocabulary */
  uint32_t
      early; /* 1: a search ends as soon as as many pronunciations as beams are whole; 0: when the best beam's score, so
                     far, is no better than that of the last of them */
} g2p_search;

/* Searches for the best pronunciations of each word: results in the order of the request's words, and of each word the best
 * first. They always have scores. G2P_LOGITS is refused.
 *
 * Ids and scores are those of transformers' generate(num_beams=beams, num_return_sequences=count, early_stopping=early) with
 * its length_penalty of 1: a score is the mean log-probability of the ids, as in all results. Where two are equally good,
 * the one that continues the better beam comes first, then that with the lower id. One beam gives what g2p_results_all
 * gives. Two pronunciations of a word may have the same phonemes by different ids.
 *
 * A word that a lexicon has gets its pronunciations from there, without scores. Draft tables and the cache of g2p_cache_words
 * are not used. `passes` are the steps of the search, each of all beams, in every result of a word. Memory for the beams is
 * taken when a call begins, as much for each as for a row of the batch, and kept as other memory of threads is: g2p_trim. */
G2P_API g2p_status g2p_best(g2p *model, const g2p_request *request, const g2p_search *search, g2p_results *results,
                            g2p_error *error);

/* All pronunciations that the first lexicon with the word has for it, the answer first; no text where none has it. */
G2P_API g2p_status g2p_look_up(g2p *model, const char *word, const char *lang, g2p_texts *pronunciations,
                               g2p_source *source, g2p_error *error);

/* Splits a text: `*end` becomes the end of the part that begins at the byte `start`, which is 0 or the end of the part before.
 * Together the parts are the text.
 *
 * Parts end at Unicode's word boundaries (Unicode Standard Annex 29), but for two rules. Letters of scripts without spaces
 * between words, such as Thai, stay together, since only a dictionary could tell where their words end. And a word with
 * a full stop inside takes the one behind it: "U.S." is one part. */
G2P_API g2p_status g2p_next_part(const char *text, size_t size, size_t start, size_t *end, g2p_part *part,
                                 g2p_error *error);

/* Called for one word at a time, from any of the call's threads; anything but 0 stops the call as g2p_cancel does. */
typedef int (*g2p_callback)(void *user, const g2p_result *result);

/* Pronounces words and hands over each as soon as it is finished, in any order. */
G2P_API g2p_status g2p_stream(g2p *model, const g2p_request *request, g2p_callback callback, void *user,
                              g2p_error *error);

#ifdef __cplusplus
}
#endif
#endif
