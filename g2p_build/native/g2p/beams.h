/* Several pronunciations of a word, by beam search. */
#ifndef G2P_BEAMS_H
#define G2P_BEAMS_H

#include "job.h"

#pragma GCC visibility push(hidden)

/* Works on a job with a search until no word is left or it is to stop. The program has caches. False, and nothing is claimed,
 * where there is no memory. */
bool g2p_search_words(struct g2p_session *session, struct g2p_job *job);

#pragma GCC visibility pop
#endif
