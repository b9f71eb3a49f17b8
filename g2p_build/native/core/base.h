/* Statuses, errors, text and memory: what the interfaces of all families have in common. A library's header is given
 * out with this file in it. */
#ifndef G2P_BASE_H
#define G2P_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed. Values never change; new ones may be added. */
typedef enum g2p_status {
  G2P_OK = 0,
  G2P_CANCELLED = 1,          /* the caller asked for it */
  G2P_NO_MEMORY = 2,          /* the allocator gave none */
  G2P_INVALID_ARGUMENT = 3,   /* a null pointer, a size of no version, a flag that does not exist */
  G2P_EMPTY_WORD = 4,         /* nothing in it, or only white space */
  G2P_INVALID_WORD = 5,       /* a control character, or bytes that are not UTF-8 */
  G2P_WORD_TOO_LONG = 6,      /* longer, with its prompt, than the model's input */
  G2P_UNKNOWN_LANGUAGE = 7,   /* not among g2p_languages */
  G2P_TOO_SMALL = 8,          /* the caller's buffer does not hold the result */
  G2P_NO_FILE = 9,            /* it is not there, or cannot be read */
  G2P_INVALID_WEIGHTS = 10,   /* not a safetensors file of this model's tensors */
  G2P_INVALID_MANIFEST = 11,  /* not a manifest, not of this library, or changed after it was built */
  G2P_NEWER_MANIFEST = 12,    /* its schema is newer than this library */
  G2P_WRONG_DIGEST = 13,      /* the weights' bytes are not those that the manifest names */
  G2P_UNSUPPORTED_CPU = 14,   /* the library uses instructions that this processor lacks */
  G2P_UNSUPPORTED = 15,       /* this build of the library cannot do it: no files, a variant of another version */
  G2P_FOREIGN_CHARACTER = 16, /* the word has a character that is not in the alphabet of its language */
  G2P_INVALID_LEXICON = 17,   /* a line that is no word with its pronunciations, or a damaged table */
  G2P_INVALID_DRAFT = 18,     /* a damaged draft table */
  G2P_UNKNOWN_PHONEME = 19,   /* a character that the voice's model has no symbol for */
  G2P_UNKNOWN_VOICE = 20,     /* not among tts_voices */
  G2P_INVALID_VOICES = 21     /* not a file of this model's voices */
} g2p_status;

/* What went wrong, for the person at the keyboard. Every function that takes one also takes NULL. */
typedef struct g2p_error {
  g2p_status status;
  size_t word;       /* which of the words, from 0; SIZE_MAX where it was none of them */
  char message[240]; /* one line of UTF-8, ended by a zero */
} g2p_error;

/* A piece of text that need not end with a zero. */
typedef struct g2p_text {
  const char *data;
  size_t size; /* bytes */
} g2p_text;

/* What a part of a text is. */
typedef enum g2p_part {
  G2P_PART_WORD,   /* has a letter: to be pronounced */
  G2P_PART_NUMBER, /* has a digit, and no letter: to be written out by the caller, in the words of the language */
  G2P_PART_SPACE,  /* white space and other characters that cannot be seen */
  G2P_PART_OTHER   /* punctuation, symbols, emoji */
} g2p_part;

/* Where memory comes from. Both functions may be called from several threads at once. */
typedef struct g2p_allocator {
  void *(*allocate)(void *user, size_t size, size_t alignment); /* at a multiple of it; NULL where none is left */
  void (*release)(void *user, void *memory, size_t size);       /* what allocate gave, with its size */
  void *user;
} g2p_allocator;

#ifdef __cplusplus
}
#endif
#endif
