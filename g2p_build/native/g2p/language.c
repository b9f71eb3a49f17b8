/* Which of a model's languages a code or a BCP 47 tag means. docs/languages.md has the rules; runtime/languages.py has them
 * for Python. */
#include "language.h"

#include <string.h>

#include "text.h"

/* A tag in lower case. What it does not say is empty. */
struct tag {
  char language[9], script[5], region[4], variant[9];
};

/* How well a tag fits a code: as its first tag, as another of its tags, as far as both say anything. */
enum rank { NONE, WITHIN, ALSO, FIRST };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The next subtag in lower case, with a zero: 1 to 8 letters and digits. Returns its length, 0 where there is none. */
static size_t next_subtag(const char **at, const char *end, char subtag[9]) {
  size_t size = 0;
  for (; *at < end && **at != '-' && **at != '_'; (*at)++) {
    char c = lower(**at);
    if (size == 8 || (!is_letter(c) && !is_digit(c))) return 0;
    subtag[size++] = c;
  }
  subtag[size] = 0;
  if (*at < end && ++*at == end) return 0; /* nothing follows the hyphen */
  return size;
}

static bool all(const char *text, bool (*test)(char)) {
  while (*text && test(*text)) text++;
  return !*text;
}

/* What follows a word in a list of pairs, as "cmn zh "; NULL where it is not there. */
static const char *paired(const char *pairs, const char *word) {
  size_t size = strlen(word);
  while (*pairs) {
    const char *second = strchr(pairs, ' ') + 1;
    if ((size_t)(second - pairs) == size + 1 && memcmp(pairs, word, size) == 0) return second;
    pairs = strchr(second, ' ') + 1;
  }
  return NULL;
}

static void take_first(char to[9], const char *from) {
  size_t size = 0;
  for (; from[size] != ' '; size++) to[size] = from[size];
  to[size] = 0;
}

/* False where it is no tag. */
static bool read_tag(const char *text, size_t length, struct tag *tag) {
  const char *at = text, *end = text + length;
  char subtag[9];
  memset(tag, 0, sizeof *tag);
  size_t size = next_subtag(&at, end, tag->language);
  if (size < 2 || size > 3 || !all(tag->language, is_letter)) return false;
  for (size_t place = 1; at < end; place++) {
    size = next_subtag(&at, end, subtag);
    if (!size) return false;
    if (size == 1) break; /* extensions say nothing of how words sound */
    bool letters = all(subtag, is_letter);
    if (size == 3 && letters && place == 1)
      memcpy(tag->language, subtag, size + 1);
    else if (size == 4 && letters && !*tag->script && !*tag->region)
      memcpy(tag->script, subtag, size + 1);
    else if ((size == 2 ? letters : size == 3 && all(subtag, is_digit)) && !*tag->region)
      memcpy(tag->region, strcmp(subtag, "uk") == 0 ? "gb" : subtag, size + 1);
    else if (!*tag->variant)
      memcpy(tag->variant, subtag, size + 1);
  }
  const char *other = paired(g2p_language_aliases, tag->language);
  if (other) take_first(tag->language, other);
  return true;
}

/* 0: they contradict each other, 1: one says less, 2: they are the same. */
static int fit(const char *asked, const char *had) {
  if (strcmp(asked, had) == 0) return 2;
  return !*asked || !*had;
}

static enum rank fit_tags(const struct tag *asked, const struct tag *had, bool first) {
  if (strcmp(asked->language, had->language) != 0) return NONE;
  int script = fit(asked->script, had->script), region = fit(asked->region, had->region),
      variant = fit(asked->variant, had->variant);
  if (!script || !region || !variant) return NONE;
  if (script + region + variant < 6) return WITHIN;
  return first ? FIRST : ALSO;
}

/* The tag that a code is by itself: its language by two letters where there are two. */
static bool own_tag(const char *code, struct tag *tag) {
  if (!read_tag(code, strlen(code), tag)) return false;
  for (const char *at = g2p_two_letters; *at; at += 7)
    if (strlen(tag->language) == 3 && memcmp(at + 3, tag->language, 3) == 0) {
      take_first(tag->language, at);
      break;
    }
  return true;
}

static enum rank fit_code(const struct tag *asked, const char *code) {
  struct tag tag;
  const char *tags;
  for (const char *known = g2p_tagged; *known; known = tags + strlen(tags) + 1) {
    tags = known + strlen(known) + 1;
    if (strcmp(known, code) != 0) continue;
    enum rank best = NONE;
    bool first = true;
    for (const char *at = tags; at; first = false) {
      const char *end = strchr(at, ' ');
      read_tag(at, end ? (size_t)(end - at) : strlen(at), &tag);
      enum rank rank = fit_tags(asked, &tag, first);
      best = rank > best ? rank : best;
      at = end ? end + 1 : NULL;
    }
    return best;
  }
  return own_tag(code, &tag) ? fit_tags(asked, &tag, true) : NONE;
}

/* The codes that fit best, how well they do, and how many they are. */
struct choice {
  struct tag asked;
  enum rank best;
  size_t first, count;
};

static struct choice choose(const struct g2p_traits *traits, const char *lang) {
  struct choice choice = {.best = NONE};
  if (!read_tag(lang, strlen(lang), &choice.asked)) return choice;
  for (size_t i = 0; i < traits->languages_count; i++) {
    enum rank rank = fit_code(&choice.asked, traits->languages[i]);
    if (rank == NONE || rank < choice.best) continue;
    if (rank > choice.best) {
      choice.best = rank;
      choice.first = i;
      choice.count = 0;
    }
    choice.count++;
  }
  return choice;
}

static bool is_code(const struct g2p_traits *traits, const char *lang) {
  for (size_t i = 0; i < traits->languages_count; i++)
    if (strcmp(traits->languages[i], lang) == 0) return true;
  return false;
}

const char *g2p_language(const struct g2p_traits *traits, const char *lang) {
  if (!lang || !traits->languages || is_code(traits, lang)) return lang;
  struct choice choice = choose(traits, lang);
  return choice.count == 1 ? traits->languages[choice.first] : lang;
}

static size_t common(const char *code, const char *lang) {
  size_t size = 0;
  while (lang[size] && code[size] == lower(lang[size])) {
    size++;
  }
  return size;
}

/* What a tag such as en-US or es would be here: eng-us, spa. The tag itself where nobody knows. */
static const char *translated(const char *lang, char room[32]) {
  size_t size = strlen(lang);
  if (size < 2 || size > 24 || (lang[2] && lang[2] != '-' && lang[2] != '_')) {
    return lang;
  }
  for (const char *at = g2p_two_letters; *at; at += 7) {
    if (at[0] != lower(lang[0]) || at[1] != lower(lang[1])) {
      continue;
    }
    memcpy(room, at + 3, 3);
    memcpy(room + 3, lang + 2, size - 1);
    room[3] = lang[2] ? '-' : 0;
    return room;
  }
  return lang;
}

/* Adds text to a line where it fits, with room for the zero. */
static void add(char *line, size_t capacity, const char *text) {
  size_t size = strlen(line), more = strlen(text);
  if (more < capacity - size) {
    memcpy(line + size, text, more + 1);
  }
}

/* Says which codes a tag may mean. */
static g2p_status refuse_ambiguous(const struct g2p_traits *traits, const char *lang, const struct choice *choice,
                                   g2p_error *error) {
  char names[160] = "";
  size_t shown = 0;
  for (size_t i = choice->first; i < traits->languages_count; i++) {
    if (fit_code(&choice->asked, traits->languages[i]) != choice->best) continue;
    shown++;
    add(names, sizeof names, shown == 1 ? "" : shown == choice->count ? " or " : ", ");
    add(names, sizeof names, traits->languages[i]);
  }
  return g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "the language '%s' is ambiguous: give %s", lang, names);
}

g2p_status g2p_check_language(const struct g2p_traits *traits, const char *lang, g2p_error *error) {
  const char *const *codes = traits->languages;
  size_t count = traits->languages_count, best = 2, shown = 0, most = 3;
  if (!lang) {
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the language is NULL: give the code of one");
  }
  g2p_text text = {lang, strlen(lang)};
  if (!g2p_is_code(text)) {
    return g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "%t is no language code", &text);
  }
  if (!codes || is_code(traits, lang)) {
    return G2P_OK;
  }
  struct choice choice = choose(traits, lang);
  if (choice.count > 1) {
    return refuse_ambiguous(traits, lang, &choice, error);
  }
  char room[32];
  const char *asked = translated(lang, room);
  for (size_t i = 0; i < count; i++) {
    size_t same = common(codes[i], asked);
    best = same > best ? same : best;
  }
  /* Those that begin most like it; else all, if they are few. */
  char hint[160] = "did you mean ";
  for (size_t i = 0; i < count && shown < most; i++) {
    if (common(codes[i], asked) >= best) {
      add(hint, sizeof hint, shown++ ? " or " : "");
      add(hint, sizeof hint, codes[i]);
    }
  }
  if (shown) {
    add(hint, sizeof hint, "?");
  } else if (count <= 12) {
    memcpy(hint, "there are ", sizeof "there are ");
    for (size_t i = 0; i < count; i++) {
      add(hint, sizeof hint, i ? ", " : "");
      add(hint, sizeof hint, codes[i]);
    }
  } else {
    return g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "unknown language %t: g2p_languages lists the %z that there are",
                    &text, count);
  }
  return g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "unknown language %t: %s", &text, hint);
}
