/* Greedy decoding, with continuous batching: a finished word's row is taken by the next word at once. */
#ifndef G2P_DECODE_H
#define G2P_DECODE_H

#include "job.h"

#pragma GCC visibility push(hidden)

/* Works on a job until no word is left or it is to stop; the job's status says which. False, and nothing is claimed,
 * where there is no memory for logits, or for beams. */
bool g2p_work(struct g2p_session *session, struct g2p_job *job);

#pragma GCC visibility pop
#endif
