/* Defines g2p_program and g2p_contract as variables: their declarations, which say const, go by other names here. */
#define g2p_program hidden_program
#define g2p_contract hidden_contract
#include "program.h"
#undef g2p_program
#undef g2p_contract

static const struct g2p_tensor tensors[] = {
    {"embedding", "F32", 2, {4, 8}},
    {"layer.0.weight", "F16", 3, {2, 4, 4}},
    {"scale.\xc9\x99\xf0\x9f\x98\x80", "F32", 0, {0}}, /* "scale." and two characters beyond ASCII */
};

static const char *const languages[] = {"eng-us", "eng-uk", "fin", "spa-latin"};

struct hidden_program g2p_program = {
    .batch = 1,
    .input_len = 64,
    .output_len = 128,
    .d_model = 8,
    .vocabulary = 384,
    .weights = tensors,
    .weights_count = sizeof tensors / sizeof *tensors,
};

/* The digests are those of {} and []. */
struct hidden_contract g2p_contract = {
    .prompt = "<{lang}>: {word}",
    .languages = languages,
    .languages_count = sizeof languages / sizeof *languages,
    .byte_offset = 3,
    .eos_id = 1,
    .unk_id = 2,
    .model_digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    .functions_digest = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    .info = "{}",
};

struct hidden_program *const made_program = &g2p_program;
struct hidden_contract *const made_contract = &g2p_contract;
