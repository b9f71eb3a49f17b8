/* What unicode_tables.c defines; unicode.c, which alone reads it, says how. */
#ifndef G2P_UNICODE_TABLES_H
#define G2P_UNICODE_TABLES_H

#include <stdint.h>

#include "names.h"

#pragma GCC visibility push(hidden)

extern const char g2p_unicode_version[];

/* A character's record: its combining class, and above it a bit for each flag of unicode.h. */
extern const uint16_t g2p_records[];
extern const uint8_t g2p_record_roots[];
extern const uint16_t g2p_record_branches[];
extern const uint8_t g2p_record_leaves[];

/* Canonical decompositions of one step, by the characters' order: runs of characters that follow each other, and the
 * place of each run's first among all. */
extern const uint16_t g2p_decomposed_runs_count;
extern const uint32_t g2p_decomposed_runs[];
extern const uint16_t g2p_decomposed_places[];
extern const uint16_t g2p_decomposed_firsts[]; /* the lower 16 bits */

/* 0, 1: there is no second, and the first is in plane 0 or 2; else 2 more than its place in g2p_seconds, and the first
 * is in the character's plane. */
extern const uint8_t g2p_decomposed_seconds[];

/* Compositions: places of decompositions, by their second part and then by the first; where each second's begin. */
extern const uint16_t g2p_seconds_count;
extern const uint32_t g2p_seconds[];
extern const uint16_t g2p_compositions[];
extern const uint16_t g2p_composition_starts[];

/* Lower case: the first of a run (21 bits), whether it goes by two (1), how many more there are (10); what to add. */
extern const uint16_t g2p_lower_runs_count;
extern const uint32_t g2p_lower_runs[];
extern const int32_t g2p_lower_deltas[];

extern const uint16_t g2p_narrow_forms[]; /* of U+FF5F to U+FFEE; 0: there is none */

/* Runs of a kind from U+0000 on: 4 bits of kind, 4 of length less 1; there 12, 13, 14: 12 more than the next 1, 2, 3
 * bytes say, the highest first. */
extern const uint8_t g2p_kinds[];

/* As g2p_kinds: 5 bits of enum g2p_break, 3 of length less 1; there 4, 5, 6: 4 more than the next bytes say. */
extern const uint8_t g2p_breaks[];

#pragma GCC visibility pop
#endif
