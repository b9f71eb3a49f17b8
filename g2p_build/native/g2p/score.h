/* How probable a model found what it gave. */
#ifndef G2P_SCORE_H
#define G2P_SCORE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The natural logarithm of the probability that the softmax of some logits gives to the greatest of them. */
double g2p_log_probability(const float *logits, size_t count, int32_t greatest);

#pragma GCC visibility pop
#endif
