/* What the core knows of Unicode's characters. Code points may be any up to U+10FFFF. */
#ifndef G2P_UNICODE_H
#define G2P_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

#pragma GCC visibility push(hidden)

extern const char g2p_unicode_version[];

/* A character's record: its canonical combining class (the lower 8 bits) and flags. */
enum {
  G2P_COMBINING = 0xff,
  G2P_CASED = 1 << 8,       /* Unicode's properties of these names: */
  G2P_IGNORABLE = 1 << 9,   /* Case_Ignorable */
  G2P_LOWERS = 1 << 10,     /* its lower case is another character */
  G2P_DECOMPOSES = 1 << 11, /* canonically */
  G2P_NOT_NFC = 1 << 12,    /* no text in NFC has it: NFC_Quick_Check is No */
  G2P_SECOND = 1 << 13,     /* may compose with what is before it: NFC_Quick_Check is Maybe */
  G2P_INVISIBLE = 1 << 14,  /* soft hyphen, zero-width space, word joiner, byte order mark, marks of direction */
  G2P_WIDE = 1 << 15        /* a full-width or half-width form */
};

uint16_t g2p_record_of(uint32_t code);

enum { G2P_PARTS = 4 }; /* of the longest decomposition */

/* The full canonical decomposition, which may be the character itself: how many parts it has. */
size_t g2p_decompose(uint32_t code, uint32_t parts[G2P_PARTS]);

/* The character that two compose to, by the rules of NFC; 0: there is none. */
uint32_t g2p_compose(uint32_t first, uint32_t second);

/* The lower case by itself, as one character: U+0130's two characters, tailoring and context are form.c's. */
uint32_t g2p_lower(uint32_t code);

/* The usual form of a full-width or half-width one. */
uint32_t g2p_narrow(uint32_t code);

/* What a character is. */
enum g2p_kind {
  G2P_OTHER, /* none: private, not assigned */
  G2P_LETTER,
  G2P_MARK,
  G2P_DIGIT,
  G2P_NUMBER, /* a fraction, a Roman numeral */
  G2P_PUNCTUATION,
  G2P_SYMBOL,
  G2P_EMOJI,
  G2P_SPACE,
  G2P_FORMAT,         /* of no width of its own: controls, joiners, ends of lines */
  G2P_JOINING_LETTER, /* of a script that spells words with U+200C and U+200D */
  G2P_JOINING_MARK,
  G2P_INHERITED_MARK /* that goes with letters of any script */
};

enum g2p_kind g2p_kind_of(uint32_t code); /* walks a table: for messages, and for joiners */

/* What a character means for where words end: Unicode's property Word_Break. */
enum g2p_break {
  G2P_BREAK_OTHER,
  G2P_BREAK_CR,
  G2P_BREAK_LF,
  G2P_BREAK_NEWLINE,
  G2P_BREAK_EXTEND, /* this, ZWJ and FORMAT go with what is before them */
  G2P_BREAK_ZWJ,
  G2P_BREAK_FORMAT,
  G2P_BREAK_KATAKANA,
  G2P_BREAK_HEBREW, /* a letter of that script */
  G2P_BREAK_ALETTER,
  G2P_BREAK_SINGLE_QUOTE,
  G2P_BREAK_DOUBLE_QUOTE,
  G2P_BREAK_MIDNUMLET, /* such as a full stop: between letters, and between digits */
  G2P_BREAK_MIDLETTER, /* such as a colon: between letters */
  G2P_BREAK_MIDNUM,    /* such as a comma: between digits */
  G2P_BREAK_NUMERIC,
  G2P_BREAK_EXTENDNUMLET, /* such as an underscore: with letters and digits */
  G2P_BREAK_SPACE,
  G2P_BREAK_REGIONAL, /* two are a flag */
  G2P_BREAK_PICTURE   /* an emoji that has no other value */
};

enum g2p_break g2p_break_of(uint32_t code); /* walks a table */

/* Such as "a digit". */
const char *g2p_kind_name(enum g2p_kind kind);

#pragma GCC visibility pop
#endif
