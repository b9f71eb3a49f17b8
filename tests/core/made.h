/* A program of three tensors and a contract of four languages, which tests may change. */
#ifndef MADE_H
#define MADE_H

#include "core.h"

/* The very objects that the core takes for constants: set them between calls of it only. */
extern struct g2p_program *const made_program;
extern struct g2p_contract *const made_contract;

#endif
