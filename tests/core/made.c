#include "made.h"

static const struct g2p_tensor tensors[] = {
    {"embedding", "F32", 2, {4, 8}},
    {"layer.0.weight", "F16", 3, {2, 4, 4}},
    {"scale.\xc9\x99\xf0\x9f\x98\x80", "F32", 0, {0}}, /* "scale." and two characters beyond ASCII */
};

static const char *const languages[] = {"eng-us", "eng-uk", "fin", "spa-latin"};

const struct g2p_program made_program = {
    .batch = 1,
    .weights = tensors,
    .weights_count = sizeof tensors / sizeof *tensors,
};

struct g2p_traits made_traits = {
    .prompt = "<{lang}>: {word}",
    .languages = languages,
    .languages_count = sizeof languages / sizeof *languages,
    .byte_offset = 3,
    .eos_id = 1,
    .unk_id = 2,
    .input_len = 64,
    .output_len = 128,
    .vocabulary = 384,
    .d_model = 8,
};

/* The digests are those of {} and []. */
struct g2p_variant made_variant = {
    .layout = G2P_LAYOUT,
    .program = &made_program,
    .model = &made_traits,
    .model_digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    .functions_digest = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    .info = "{}",
};
