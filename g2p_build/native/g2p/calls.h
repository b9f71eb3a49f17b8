/* Calls of a program's functions with a session's buffers, and what lies in its caches between them. */
#ifndef G2P_CALLS_H
#define G2P_CALLS_H

#include "job.h"

#pragma GCC visibility push(hidden)

/* Calls a function for the first `rows` rows of some states, and adds the time that it took to `spent`. */
void g2p_call(struct g2p_session *session, const struct g2p_function *function, int32_t rows, int32_t tokens,
              void *const *states, uint64_t *spent);

/* As g2p_call, with the program's first function of a role, and one token. */
void g2p_call_role(struct g2p_session *session, const char *role, int32_t rows, void *const *states, uint64_t *spent);

/* Encodes the claimed group; the session then has the group's lengths. */
void g2p_encode_group(struct g2p_session *session, struct g2p_job *job);

/* Has the claimed group's inputs become what the decoder keeps of them, in some states' first rows. */
void g2p_prefill_group(struct g2p_session *session, void *const *states);

/* Copies the used positions of a row's caches, of cross-attention or the others, to a row of the same states or of others. */
void g2p_copy_caches(const struct g2p_session *session, void *const *from, int32_t from_row, void *const *to,
                     int32_t to_row, bool cross, int32_t positions);

#pragma GCC visibility pop
#endif
