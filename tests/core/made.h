/* A variant of three tensors and four languages, which tests may change. */
#ifndef MADE_H
#define MADE_H

#include "core.h"
#include "text.h"

extern const struct g2p_program made_program;
extern struct g2p_traits made_traits;
extern struct g2p_variant made_variant;

#endif
