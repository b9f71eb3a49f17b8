/* Speaking: piece after piece, through the five programs, in memory that grows with the longest piece. */
#include <string.h>

#include "model.h"

enum { MOST_FRAMES = 1 << 14 }; /* of a piece: almost seven minutes at 40 frames a second */

/* Takes the next bytes of a block of memory; with a null block, only counts them. */
struct layout {
  char *memory;
  uint64_t used; /* on a 32-bit processor it may be more than there is */
};

static void *take(struct layout *layout, uint64_t count, size_t size) {
  void *found = layout->memory ? layout->memory + layout->used : NULL;
  layout->used += ((uint64_t)count * size + G2P_ALIGNMENT - 1) / G2P_ALIGNMENT * G2P_ALIGNMENT;
  return found;
}

/* The buffers of a piece: those of its tokens, then those of its frames. */
struct buffers {
  int32_t *ids, *lengths, *places;
  float *hidden, *encoded, *lasting, *text, *style;
  float *f0, *energy, *noise, *sound;
  tts_timing *timings;
  char *arena, *scratch;
};

/* What a piece goes through. */
enum stage { BEGIN, BERT, DURATION, TEXT_ENCODER, SPREAD, F0N, DECODER, SPOKEN };

static const char *const roles[] = {
    [BERT] = "bert", [DURATION] = "duration", [TEXT_ENCODER] = "text_encoder", [F0N] = "f0n", [DECODER] = "decoder"};

struct tts_utterance {
  tts *model;
  const tts_request *request;
  tts_share single;
  const tts_share *mixture;
  size_t mixture_count;
  float speed;
  struct tts_crew crew;
  uint32_t threads;
  struct tts_room room;
  struct tts_spoken *spoken;
  size_t count, at; /* symbols, and how many of them are spoken */
  uint64_t first;   /* sample of the next piece */
  uint32_t number;  /* of the next piece */
  int stage;        /* of that piece; the next four are what it has become until then */
  size_t symbols;
  size_t frames;
  struct buffers buffers;
  int32_t extents[4];
  g2p_error *error; /* of the function that runs */
};

static const struct g2p_function *function_of(const struct g2p_program *program, const char *role) {
  const struct g2p_function *function = program->functions;
  while (strcmp(function->role, role) != 0) function++;
  return function;
}

/* Bytes of the largest of some functions' arenas. */
static uint64_t arena_of(const struct g2p_program *program, const char *const *roles, const int32_t *extents) {
  uint64_t most = 0;
  for (; *roles; roles++) {
    const struct g2p_function *function = function_of(program, *roles);
    uint64_t bytes = function->arena_bytes;
    for (size_t i = 0; function->arena_each && i < program->extents_count; i++)
      bytes += (uint64_t)function->arena_each[i] * (uint64_t)extents[i];
    if (bytes > most) most = bytes;
  }
  return most;
}

static void set_extents(const struct g2p_program *program, int32_t tokens, int32_t frames, int32_t *extents) {
  for (size_t i = 0; i < program->extents_count; i++)
    extents[i] = strcmp(program->extents[i], "tokens") == 0 ? tokens : frames;
}

/* What the tokens need; `frames` of 0 leaves out what is not known yet. */
static uint64_t lay_out(const tts_utterance *call, char *memory, size_t tokens, size_t frames,
                        struct buffers *buffers) {
  static const char *const early[] = {"bert", "duration", "text_encoder", NULL};
  static const char *const late[] = {"f0n", "decoder", NULL};
  const struct g2p_program *program = call->model->variant->program;
  const struct tts_traits *traits = call->model->traits;
  struct layout layout = {memory, 0};
  size_t hidden = (size_t)traits->hidden_dim, style = (size_t)traits->style_dim;
  int32_t extents[4];
  set_extents(program, (int32_t)tokens, (int32_t)frames, extents);
  struct buffers found = {0};
  found.ids = take(&layout, tokens, sizeof(int32_t));
  found.lengths = take(&layout, tokens, sizeof(int32_t));
  found.hidden = take(&layout, tokens * hidden, sizeof(float));
  found.encoded = take(&layout, tokens * (hidden + style), sizeof(float));
  found.lasting = take(&layout, tokens, sizeof(float));
  found.text = take(&layout, tokens * hidden, sizeof(float));
  found.style = take(&layout, 2 * style, sizeof(float));
  found.timings = take(&layout, tokens, sizeof(tts_timing));
  found.scratch = take(&layout, call->threads, program->scratch_bytes);
  if (frames) {
    size_t samples = frames * (size_t)traits->frame_samples;
    found.places = take(&layout, frames, sizeof(int32_t));
    found.f0 = take(&layout, 2 * frames, sizeof(float));
    found.energy = take(&layout, 2 * frames, sizeof(float));
    found.noise = take(&layout, samples * (size_t)traits->harmonics, sizeof(float));
    found.sound = take(&layout, samples, sizeof(float));
    found.arena = take(&layout, arena_of(program, late, extents), 1);
  } else {
    found.arena = take(&layout, arena_of(program, early, extents), 1);
  }
  *buffers = found;
  return layout.used;
}

/* Makes room for a piece. What the tokens' buffers hold stays. */
static g2p_status make_room(tts_utterance *call, size_t tokens, size_t frames, struct buffers *buffers) {
  const g2p_allocator *allocator = call->model->allocator;
  uint64_t needed = lay_out(call, NULL, tokens, frames, buffers);
  if (needed > call->room.size) {
    char *memory = needed < SIZE_MAX ? g2p_allocate(allocator, (size_t)needed) : NULL;
    if (!memory)
      return g2p_fail(call->error, G2P_NO_MEMORY, "no memory for %d MB to speak a piece in: give shorter pieces",
                      (int)(needed >> 20) + 1);
    if (frames && call->room.memory) memcpy(memory, call->room.memory, (size_t)lay_out(call, NULL, tokens, 0, buffers));
    g2p_release(allocator, call->room.memory, call->room.size);
    call->room = (struct tts_room){memory, (size_t)needed};
  }
  lay_out(call, call->room.memory, tokens, frames, buffers);
  return G2P_OK;
}

static void *argument_of(const struct buffers *buffers, const char *name, float *style) {
  const struct {
    const char *name;
    void *memory;
  } known[] = {
      {"ids", buffers->ids},         {"hidden", buffers->hidden},   {"style", style},
      {"encoded", buffers->encoded}, {"lasting", buffers->lasting}, {"text", buffers->text},
      {"places", buffers->places},   {"f0", buffers->f0},           {"energy", buffers->energy},
      {"noise", buffers->noise},     {"sound", buffers->sound},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].name, name) == 0) return known[i].memory;
  return NULL;
}

static bool cancelled(const tts_utterance *call) {
  return call->request->cancel && __atomic_load_n(call->request->cancel, __ATOMIC_RELAXED);
}

/* Runs the program of the stage. */
static void run(tts_utterance *call, bool *done) {
  const struct g2p_program *program = call->model->variant->program;
  const struct buffers *buffers = &call->buffers;
  float *style = buffers->style + (call->stage == DECODER ? 0 : call->model->traits->style_dim);
  void *arguments[16] = {NULL};
  for (size_t i = 0; i < program->arguments_count && i < 16; i++)
    arguments[i] = argument_of(buffers, program->arguments[i], style);
  struct g2p_run given = {
      .rows = 1,
      .positions = 1,
      .arena = buffers->arena,
      .weights = call->model->weights,
      .arguments = arguments,
      .extension = call->model->extension,
      .extents = call->extents,
      .scratch = buffers->scratch,
      .share = tts_crew_share,
      .sharer = &call->crew,
  };
  *done = tts_crew_run(&call->crew, function_of(program, roles[call->stage]), &given);
}

/* Rounds half to even. */
static int32_t rounded(float x) {
  int32_t whole = (int32_t)x;
  float rest = x - (float)whole;
  return whole + (rest > 0.5F || (rest == 0.5F && whole % 2));
}

/* Frames of each token, at least one; the sum, or 0 where they are too many or not a number. */
static int32_t lengths(const tts_utterance *call, const struct buffers *buffers, size_t tokens) {
  int32_t sum = 0;
  for (size_t i = 0; i < tokens; i++) {
    float lasting = buffers->lasting[i] / call->speed;
    if (!(lasting >= 0 && lasting < MOST_FRAMES)) return 0;
    int32_t frames = rounded(lasting);
    buffers->lengths[i] = frames < 1 ? 1 : frames;
    sum += buffers->lengths[i];
    if (sum > MOST_FRAMES) return 0;
  }
  return sum;
}

/* Takes the symbols of the next piece. */
static g2p_status begin_piece(tts_utterance *call) {
  const struct tts_traits *traits = call->model->traits;
  const struct tts_spoken *spoken = call->spoken + call->at;
  bool early = !call->number && call->request->flags & TTS_EARLY;
  size_t count = tts_next_piece(traits, spoken, call->count - call->at, early), tokens = count + 2;
  struct buffers *buffers = &call->buffers;
  g2p_status status = make_room(call, tokens, 0, buffers);
  if (status != G2P_OK) return status;
  call->symbols = count;
  buffers->ids[0] = buffers->ids[tokens - 1] = traits->edge_id;
  for (size_t i = 0; i < count; i++) buffers->ids[i + 1] = spoken[i].id;
  tts_blend(call->model, call->mixture, call->mixture_count, count, buffers->style);
  set_extents(call->model->variant->program, (int32_t)tokens, 0, call->extents);
  return G2P_OK;
}

/* Gives each token its frames, and the frames their noise. */
static g2p_status spread(tts_utterance *call) {
  const struct tts_traits *traits = call->model->traits;
  const struct tts_spoken *spoken = call->spoken + call->at;
  size_t count = call->symbols, tokens = count + 2;
  struct buffers *buffers = &call->buffers;
  int32_t frames = lengths(call, buffers, tokens);
  if (!frames)
    return g2p_fail(call->error, G2P_INVALID_WEIGHTS, "the model gives %z symbols a length that is none", count);
  g2p_status status = make_room(call, tokens, (size_t)frames, buffers);
  if (status != G2P_OK) return status;
  call->frames = (size_t)frames;
  int32_t place = 0;
  for (size_t i = 0; i < tokens; i++) {
    if (i > 0 && i <= count)
      buffers->timings[i - 1] = (tts_timing){spoken[i - 1].start, spoken[i - 1].size,
                                             call->first + (uint64_t)place * (uint64_t)traits->frame_samples,
                                             (uint32_t)(buffers->lengths[i] * traits->frame_samples)};
    for (int32_t j = 0; j < buffers->lengths[i]; j++) buffers->places[place++] = (int32_t)i;
  }
  size_t samples = call->frames * (size_t)traits->frame_samples;
  for (int32_t i = 0; i < traits->harmonics; i++)
    tts_noise(call->request->seed, call->number, (uint32_t)i, buffers->noise + (size_t)i * samples, samples);
  set_extents(call->model->variant->program, (int32_t)tokens, frames, call->extents);
  return G2P_OK;
}

static g2p_status check_mixture(tts_utterance *call) {
  float total = 0;
  for (size_t i = 0; i < call->mixture_count; i++) {
    const tts_share *share = &call->mixture[i];
    if (!share->voice) return g2p_fail(call->error, G2P_INVALID_ARGUMENT, "a share of the mixture names no voice");
    if (!tts_find_voice(call->model, share->voice)) {
      g2p_text shown = {share->voice, strlen(share->voice)};
      return g2p_fail(call->error, G2P_UNKNOWN_VOICE, "no voice is named %t: add it, or see tts_voices", &shown);
    }
    if (!(share->weight >= 0 && share->weight <= 1e6F))
      return g2p_fail(call->error, G2P_INVALID_ARGUMENT, "the share of %s is none: give a number from 0 on",
                      share->voice);
    total += share->weight;
  }
  return total > 0 ? G2P_OK : g2p_fail(call->error, G2P_INVALID_ARGUMENT, "the mixture has no share above 0");
}

/* Takes a caller's request, which may be NULL or of another size. */
static g2p_status take_request(tts *model, const tts_request *request, tts_utterance *call, g2p_error *error) {
  if (!model || !request || (!request->phonemes.data && request->phonemes.size))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_speak was given a null pointer");
  if (request->size != sizeof *request)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request says that it has %z bytes, not %z: set size to sizeof",
                    request->size, sizeof *request);
  if (request->flags & ~(uint32_t)(TTS_SKIP_UNKNOWN | TTS_EARLY))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request's flags %z hold one that does not exist",
                    (size_t)request->flags);
  if (!request->voice == !request->mixture)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request has not one of voice and mixture: give one of them");
  tts_bounds bounds = tts_limits(model);
  float speed = request->speed == 0 ? 1 : request->speed;
  if (!(speed >= bounds.slowest && speed <= bounds.fastest))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the speed is not between 0.25 and 4: give one that is");
  if (request->mixture && (!request->mixture_count || request->mixture_count > TTS_MOST_MIXED))
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the mixture has %z voices: give 1 to %d", request->mixture_count,
                    TTS_MOST_MIXED);
  *call = (tts_utterance){.model = model, .request = request, .speed = speed, .error = error};
  call->single = (tts_share){request->voice, 1};
  call->mixture = request->voice ? &call->single : request->mixture;
  call->mixture_count = request->voice ? 1 : request->mixture_count;
  uint32_t threads = request->threads ? request->threads : model->threads;
  call->threads = threads < TTS_MOST_THREADS ? threads : TTS_MOST_THREADS;
  return check_mixture(call);
}

/* The memory that the last call left, if no other call has it. */
static struct tts_room borrow(tts *model) {
  g2p_lock(&model->mutex);
  struct tts_room room = model->idle;
  model->idle = (struct tts_room){NULL, 0};
  g2p_unlock(&model->mutex);
  return room;
}

static void give_back(tts *model, struct tts_room room) {
  g2p_lock(&model->mutex);
  struct tts_room other = model->idle;
  bool kept = other.size < room.size;
  if (kept) model->idle = room;
  g2p_unlock(&model->mutex);
  if (!kept) other = room;
  g2p_release(model->allocator, other.memory, other.size);
}

void tts_trim(tts *model) {
  if (!model) return;
  struct tts_room room = borrow(model);
  g2p_release(model->allocator, room.memory, room.size);
}

g2p_status tts_begin(tts *model, const tts_request *request, bool stepping, tts_utterance **begun, g2p_error *error) {
  tts_utterance taken, *call;
  g2p_status status = take_request(model, request, &taken, error);
  if (status != G2P_OK) return status;
  size_t most = SIZE_MAX / sizeof(struct tts_spoken), size = request->phonemes.size * sizeof(struct tts_spoken);
  taken.spoken = request->phonemes.size < most ? g2p_allocate(model->allocator, size ? size : 1) : NULL;
  call = g2p_allocate(model->allocator, sizeof *call);
  if (call) *call = taken;
  if (!taken.spoken || !call || !tts_crew_begin(&call->crew, stepping ? 1 : call->threads)) {
    g2p_release(model->allocator, call, sizeof *call);
    g2p_release(model->allocator, taken.spoken, size ? size : 1);
    return g2p_fail(error, G2P_NO_MEMORY, "no memory for %z bytes of phonemes", request->phonemes.size);
  }
  call->mixture = request->voice ? &call->single : request->mixture;
  call->crew.cancel = request->cancel;
  call->crew.stepping = stepping;
  call->threads = call->crew.count + 1;
  call->room = borrow(model);
  status =
      tts_read(model->traits, request->phonemes, request->flags & TTS_SKIP_UNKNOWN, call->spoken, &call->count, error);
  if (status == G2P_OK && !call->count)
    status = g2p_fail(error, G2P_EMPTY_WORD, "there is no phoneme to speak: give at least one");
  if (status == G2P_OK)
    *begun = call;
  else
    tts_end(call);
  return status;
}

bool tts_ended(const tts_utterance *call) { return call->at == call->count; }

g2p_status tts_step(tts_utterance *call, tts_piece *piece, g2p_error *error) {
  *piece = (tts_piece){.size = sizeof *piece, .first = call->first};
  if (tts_ended(call)) return G2P_OK;
  call->error = error;
  g2p_status status = G2P_OK;
  bool done = true;
  if (!cancelled(call)) {
    if (call->stage == BEGIN)
      status = begin_piece(call);
    else if (call->stage == SPREAD)
      status = spread(call);
    else
      run(call, &done);
  }
  if (status == G2P_OK && cancelled(call)) status = g2p_fail(error, G2P_CANCELLED, "the call was cancelled");
  if (status != G2P_OK || !done || ++call->stage < SPOKEN) return status;
  piece->samples = call->buffers.sound;
  piece->samples_count = call->frames * (size_t)call->model->traits->frame_samples;
  piece->timings = call->buffers.timings;
  piece->timings_count = call->symbols;
  call->stage = BEGIN;
  call->at += call->symbols;
  call->first += piece->samples_count;
  call->number++;
  return G2P_OK;
}

g2p_status tts_next(tts_utterance *call, tts_piece *piece, g2p_error *error) {
  g2p_status status;
  do status = tts_step(call, piece, error);
  while (status == G2P_OK && !piece->samples && !tts_ended(call));
  return status;
}

void tts_end(tts_utterance *call) {
  tts *model = call->model;
  size_t size = call->request->phonemes.size * sizeof(struct tts_spoken);
  give_back(model, call->room);
  tts_crew_end(&call->crew);
  g2p_release(model->allocator, call->spoken, size ? size : 1);
  g2p_release(model->allocator, call, sizeof *call);
}

g2p_status tts_speak(tts *model, const tts_request *request, tts_callback callback, void *user, g2p_error *error) {
  g2p_no_error(error);
  if (!callback) return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_speak was given a null pointer");
  tts_utterance *call;
  g2p_status status = tts_begin(model, request, false, &call, error);
  if (status != G2P_OK) return status;
  tts_piece piece;
  while ((status = tts_next(call, &piece, error)) == G2P_OK && piece.samples_count) {
    if (callback(user, &piece))
      status = g2p_fail(error, G2P_CANCELLED, "the callback stopped the call");
    else if (cancelled(call))
      status = g2p_fail(error, G2P_CANCELLED, "the call was cancelled");
    if (status != G2P_OK) break;
  }
  tts_end(call);
  return status;
}
