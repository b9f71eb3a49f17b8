/* Where words begin and end in a text. */
#ifndef G2P_SEGMENT_H
#define G2P_SEGMENT_H

#include "core.h"

#pragma GCC visibility push(hidden)

/* The end of the segment that begins at `from`, which is the text's beginning or an end that this gave; the text is UTF-8.
 *
 * Segments are those of Unicode's word boundaries (Unicode Standard Annex 29, revision 41). With `whole`, letters of scripts
 * that put no spaces between words stay together, where the standard ends a segment after each. */
size_t g2p_segment_end(g2p_text text, size_t from, bool whole);

#pragma GCC visibility pop
#endif
