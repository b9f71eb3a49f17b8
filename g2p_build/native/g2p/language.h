/* Languages: a model's own codes, and the BCP 47 tags that mean one of them. */
#ifndef G2P_LANGUAGE_H
#define G2P_LANGUAGE_H

#include "core.h"
#include "traits.h"

#pragma GCC visibility push(hidden)

/* language_tags.c, which is generated */

/* Codes that models have, each followed by its tags with spaces between them, the most usual one first. Codes and tags
 * end with a zero, and an empty code ends all. There are no pointers, which a shared library would have to adjust. */
extern const char g2p_tagged[];

/* Codes of two letters, each followed by one of three: "en eng fi fin ". */
extern const char g2p_two_letters[];

/* Languages of tags, each followed by the one that it is taken for: "cmn zh ". */
extern const char g2p_language_aliases[];

/* language.c */

/* The model's own code for a code or a tag; the same string where the model takes any, or none, or several are meant. */
const char *g2p_language(const struct g2p_traits *traits, const char *lang);

/* Whether a model takes this code, which g2p_language gave; else says what is wrong with it, and what to give. */
g2p_status g2p_check_language(const struct g2p_traits *traits, const char *lang, g2p_error *error);

#pragma GCC visibility pop
#endif
