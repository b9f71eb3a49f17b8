/* What a G2P model is besides its program: how words become ids, ids become phonemes, and what bounds there are.
 * Generated from the checkpoint's tokenizer as model.inc. */
#ifndef G2P_TRAITS_H
#define G2P_TRAITS_H

#include "form.h"

struct g2p_traits {
  const char *prompt;           /* with {word} once and {lang} at most once */
  const char *const *languages; /* NULL: any code is taken */
  size_t languages_count;
  const struct g2p_writing
      *writings; /* one for each language, or one where any code is taken; NULL: words are taken as they are */
  int32_t append_eos, byte_offset, pad_id, eos_id, unk_id, decoder_start_id;
  int32_t input_len;  /* most ids of an input */
  int32_t output_len; /* most ids of an output, the start id included */
  int32_t vocabulary; /* ids that there are */
  int32_t d_model;    /* numbers of a position between encoder and decoder */
};

#endif
