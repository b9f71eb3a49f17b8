/* Phonemes to sound: the whole interface of the library.
 *
 *   tts *model;
 *   if (tts_open("weights.safetensors", NULL, &model, NULL) == G2P_OK) {
 *     tts_add_voices(model, "voices.safetensors", NULL);
 *     tts_request request = {.size = sizeof request, .phonemes = {"həlˈoʊ", 8}, .voice = "af_heart"};
 *     tts_speak(model, &request, play, NULL, NULL);
 *     tts_close(model);
 *   }
 *
 * Text is UTF-8, samples are float32 from -1 to 1. A library is compiled for one model: its symbols and its bounds are in
 * the library, its weights are a file beside it, which is mapped and never copied. Voices are files of their own.
 *
 * Threads. A model may be used by any number of threads at once; every function that takes one may be called from any
 * of them, except that tts_close must be the last call. The library keeps no global state, prints nothing, never
 * ends the process, reads no environment and changes no locale.
 *
 * The same phonemes, voice, speed and seed give the same bytes, alone or among others and on any number of threads. On another
 * processor they give nearly the same sound.
 *
 * Text. tts_text makes of a text what tts_speak takes, with a G2P library for its words. Neither library needs the other.
 *
 * Versions. The interface only grows, as g2p.h says of its own: structures that may grow begin with their size. */
#ifndef TTS_H
#define TTS_H

#include <stddef.h>
#include <stdint.h>

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TTS_ABI_VERSION 1

#if defined(_WIN32)
#define TTS_API __declspec(dllexport)
#else
#define TTS_API __attribute__((visibility("default")))
#endif

enum { TTS_MOST_VOICE_FILES = 16, TTS_MOST_MIXED = 8 };

typedef struct tts tts;

/* A variant: what a library was compiled for. Opaque; see tts_options. */
typedef struct g2p_variant tts_variant;

typedef struct tts_options {
  size_t size;                    /* sizeof(tts_options) */
  uint32_t threads;               /* of a call that does not say; 0: one for each processor that this process may use */
  const g2p_allocator *allocator; /* NULL: malloc and free; used until tts_close */
  const tts_variant *variant;     /* NULL: that of the library that was linked first */
} tts_options;

TTS_API uint32_t tts_abi_version(void);

/* Opens a model from its weights: a safetensors file, or a tar archive that holds one.
 *
 * The file is mapped. It is trusted to stay as it is until tts_close. `options` may be NULL. Where a model cannot be opened,
 * `*model` becomes NULL. */
TTS_API g2p_status tts_open(const char *weights, const tts_options *options, tts **model, g2p_error *error);

/* As tts_open, from the caller's memory, which must stay there until tts_close and begin at a multiple of 64 bytes. */
TTS_API g2p_status tts_open_memory(const void *weights, size_t size, const tts_options *options, tts **model,
                                   g2p_error *error);

/* Frees everything; NULL is nothing. No other call may be running. */
TTS_API void tts_close(tts *model);

/* Gives back the memory that calls have worked with, as far as none uses it: some MB for each second of the longest
 * piece. Between calls a model keeps that of one call. */
TTS_API void tts_trim(tts *model);

typedef struct tts_bounds {
  size_t symbols;       /* that a piece of an utterance may have */
  uint32_t sample_rate; /* of the sound, in hertz */
  uint32_t frame;       /* samples of a frame: durations of phonemes are whole frames */
  float slowest;        /* speeds that there are */
  float fastest;
} tts_bounds;

TTS_API tts_bounds tts_limits(const tts *model);

/* What the model is, as a JSON object. Lives with the model. */
TTS_API const char *tts_info(const tts *model);

/* Adds voices: a safetensors file, or an archive with one, as the build makes it. A name that is there already stays what
 * it was. Calls that run at the time may or may not see them. The file is mapped, and stays as it is until tts_close. */
TTS_API g2p_status tts_add_voices(tts *model, const char *path, g2p_error *error);

/* As tts_add_voices, from memory, which must stay there until tts_close and begin at a multiple of 64 bytes. */
TTS_API g2p_status tts_add_voices_memory(tts *model, const void *data, size_t size, g2p_error *error);

/* Names of the voices one after the other, each ended by a zero, in the order of their files; another zero ends them.
 * G2P_TOO_SMALL, where `capacity` is too small; `*needed` is how many bytes they take, or NULL. */
TTS_API g2p_status tts_voices(tts *model, char *names, size_t capacity, size_t *needed, g2p_error *error);

/* A voice's part of a mixture. */
typedef struct tts_share {
  const char *voice;
  float weight; /* shares are taken in proportion; at least 0 */
} tts_share;

enum {
  TTS_SKIP_UNKNOWN = 1, /* leave out characters that there is no symbol for */
  TTS_EARLY = 2         /* end the first piece as soon as it may end, for an early sound */
};

typedef struct tts_request {
  size_t size;              /* sizeof(tts_request) */
  g2p_text phonemes;        /* with spaces and punctuation, which the model speaks as pauses and melody */
  const char *voice;        /* of all; or NULL */
  const tts_share *mixture; /* in place of voice */
  size_t mixture_count;
  float speed; /* 0: as 1 */
  uint64_t seed;
  uint32_t threads;               /* 0: as the model was opened; the calling thread is one of them */
  uint32_t flags;                 /* TTS_SKIP_UNKNOWN, TTS_EARLY */
  const volatile int32_t *cancel; /* not 0: stop soon; or NULL. See tts_cancel */
} tts_request;

/* Asks calls that were given this flag to stop; they return G2P_CANCELLED. From any thread, or a signal's handler. */
TTS_API void tts_cancel(volatile int32_t *cancel);

/* Where a character of the phonemes is in the sound. */
typedef struct tts_timing {
  size_t start, size; /* bytes of the request's phonemes */
  uint64_t first;     /* sample of the utterance */
  uint32_t samples;
} tts_timing;

/* A piece of an utterance. In a callback its memory lives until the callback returns. */
typedef struct tts_piece {
  size_t size;    /* sizeof(tts_piece), as the library was compiled */
  uint64_t first; /* sample of the utterance */
  const float *samples;
  size_t samples_count;
  const tts_timing *timings; /* of the characters that are spoken */
  size_t timings_count;
} tts_piece;

/* Called for one piece after the other, in the thread that called; anything but 0 stops the call as tts_cancel does. */
typedef int (*tts_callback)(void *user, const tts_piece *piece);

/* Speaks, and hands over each piece as soon as it is finished.
 *
 * Long phonemes are split: behind punctuation that ends a sentence, then behind other punctuation, then at spaces, and
 * only where a run has more symbols than a piece may have, in it. No symbol is left out. What a call keeps in memory grows
 * with its longest piece, and not with the number of pieces.
 *
 * Where a character is unknown, nothing is spoken, and the error's `word` is the byte where it stands. */
TTS_API g2p_status tts_speak(tts *model, const tts_request *request, tts_callback callback, void *user,
                             g2p_error *error);

/* The codes of the languages whose words tts_text takes, `*count` of them. They live with the model. */
TTS_API const char *const *tts_languages(const tts *model, size_t *count);

struct g2p;

/* A text to be spoken, and who pronounces its words: a model of a G2P library and two functions of the same library,
 *   tts_text_request request = {.size = sizeof request, .text = {"Hello, world.", 13}, .lang = "eng-us",
 *                               .g2p = words, .next_part = g2p_next_part, .pronounce = g2p_pronounce};
 * whether it is linked or was loaded at run time. */
typedef struct tts_text_request {
  size_t size;      /* sizeof(tts_text_request) */
  g2p_text text;    /* of any length */
  const char *lang; /* of its words: one of tts_languages, which the G2P model has too */
  struct g2p *g2p;
  g2p_status (*next_part)(const char *text, size_t size, size_t start, size_t *end, g2p_part *part, g2p_error *error);
  g2p_status (*pronounce)(struct g2p *model, const char *word, const char *lang, char *phonemes, size_t capacity,
                          g2p_error *error);
  const volatile int32_t *cancel; /* not 0: stop soon; or NULL. See tts_cancel */
} tts_text_request;

/* Makes phonemes of a text, for tts_speak: `*phonemes` until tts_free_text.
 *
 * Words are pronounced, and become symbols by their language's table: docs/kokoro.md. White space is one blank, and none at
 * the ends. Punctuation stays, and that is what says where a pause is: the model was trained to pause at it, and how long. A
 * hyphen is a blank; of dashes, brackets and quotation marks there is one kind. Other characters stay too, and tts_speak
 * says which of them it does not know.
 *
 * A number is G2P_FOREIGN_CHARACTER: whoever calls writes it out, in the words of the language. What G2P says of a wrong word
 * is said here. The error's `word` is then the byte of the text where it begins. */
TTS_API g2p_status tts_text(tts *model, const tts_text_request *request, g2p_text *phonemes, g2p_error *error);

/* Frees what tts_text gave; no text is nothing. */
TTS_API void tts_free_text(tts *model, g2p_text *phonemes);

#ifdef __cplusplus
}
#endif
#endif
