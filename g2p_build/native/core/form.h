/* Words in the form of text that a model was trained on, and the alphabet of a language. */
#ifndef G2P_FORM_H
#define G2P_FORM_H

#include "core.h"
#include "unicode.h"

#pragma GCC visibility push(hidden)

enum g2p_case {
  G2P_KEEP_CASE,
  G2P_LOWER,           /* as Unicode says: U+0130 becomes i and U+0307, a sigma at a word's end the final one */
  G2P_LOWER_TURKIC,    /* I becomes U+0131, U+0130 becomes i */
  G2P_LOWER_LITHUANIAN /* i and j keep their dot under an accent */
};

/* `from` becomes `to`, or nothing where that is 0. */
struct g2p_pair {
  uint32_t from, to;
};

/* The form of one language's words. All zeros: words are taken as they are.
 *
 * What is done, each step to what the one before gave:
 *   1. Characters are decomposed canonically (with nfc).
 *   2. What is invisible is removed (with `visible`): soft hyphen, zero-width space, word joiner, byte order mark,
 *      marks of direction; U+200C and U+200D too, except behind a letter or mark of a script that spells with them.
 *   3. Full-width and half-width forms become the usual ones (with `narrow`).
 *   4. Letters become lower-case (`lower`). The tailored rules look at a letter's marks, and so want nfc.
 *   5. Look-alikes become what they look like (`pairs`). It follows from 1 that, with nfc, a pair is of parts: U+0327
 *      to U+0326 makes a comma of every cedilla.
 *   6. Marks are ordered, and characters composed (with nfc).
 *   7. White space at both ends is removed (with `strip`): what Python's str.strip removes.
 *
 * Lower case comes before composition because some letters are composed in lower case only (U+01F0), and after
 * decomposition because the tailored rules and the pairs then see a letter's marks however it was typed. Steps 1, 4 and
 * 6 give NFC(lower(x)): lower case makes equivalent texts of equivalent texts, and nothing that it gives is upper-case.
 *
 * A form is idempotent if what a pair gives stays as it is by itself: no `to` is a `from`, upper-case (with `lower`),
 * invisible (with `visible`) or wide (with `narrow`); with nfc neither side decomposes; no `from` is an ASCII letter or
 * U+0131; and only a mark of a combining class becomes one. If moreover no `to` has more bytes than its `from`, a
 * result has at most G2P_FORM_GROWTH times the bytes of the word. Python's runtime.form.check_form sees to all of it. */
struct g2p_form {
  bool nfc, visible, narrow, strip;
  uint8_t lower;                /* enum g2p_case */
  const struct g2p_pair *pairs; /* by `from` */
  size_t pairs_count;
};

enum {
  G2P_FORM_GROWTH = 3, /* a musical note of 4 bytes is three characters of 4 in NFC; U+0390 is on the way */
  G2P_FORM_SLACK = 8   /* bytes that a letter may take in parts beyond what it takes composed */
};

/* Writes a word, which is UTF-8, in a form; nothing but `out` is written to, and no zero ends it.
 *
 * Returns how many bytes it is, or SIZE_MAX where they are more than `capacity` (with nfc: it may be that already where
 * they are more than `capacity - G2P_FORM_SLACK`). However long the word is: what is removed takes no room. */
size_t g2p_form_word(const struct g2p_form *form, g2p_text word, char *out, size_t capacity);

/* Which of the word's bytes begins the letter that the result's byte `offset` is of; `out` is written again. */
size_t g2p_form_origin(const struct g2p_form *form, g2p_text word, char *out, size_t capacity, size_t offset);

struct g2p_range {
  uint32_t first, last;
};

/* The characters that a language's words are made of, in the form that they are given to the model. */
struct g2p_alphabet {
  const struct g2p_range *ranges; /* ascending; NULL: not known */
  size_t ranges_count;
};

struct g2p_letter {
  uint32_t letter;
  const char *name; /* as it is pronounced */
};

/* How a language's words are written: one for each of a model's languages, or one for all that nobody names. */
struct g2p_writing {
  struct g2p_form form;
  struct g2p_alphabet alphabet;
  const struct g2p_letter *letters; /* that words in capitals are spelled with */
  size_t letters_count;
};

/* The offset of the first character that is not of an alphabet, and its code point; the text's size where all are. */
size_t g2p_foreign(const struct g2p_alphabet *alphabet, g2p_text text, uint32_t *code);

/* A code point as "U+0041", with a zero at the end. */
void g2p_name_code(uint32_t code, char name[9]);

#pragma GCC visibility pop
#endif
