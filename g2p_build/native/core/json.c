/* A reader of JSON text (RFC 8259) that allocates nothing and does not recurse. */
#include <string.h>

#include "core.h"

enum { MOST_DEPTH = 256, MOST_DIGITS = 4300 /* of an integer, as Python's default */ };

static bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_white(const char *at, const char *end) {
  while (at < end && is_white(*at)) {
    at++;
  }
  return at;
}

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && is_digit(*at)) {
    at++;
  }
  return at;
}

/* The value of four hexadecimal digits, or -1. */
static int32_t hex4(const char *at, const char *end) {
  int32_t code = 0;
  if (end - at < 4) {
    return -1;
  }
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) {
      return -1;
    }
    code = code << 4 | digit;
  }
  return code;
}

/* What follows a string, number or name; NULL where there is none that is whole. */
static const char *check_string(const char *at, const char *end) {
  for (at++; at < end;) {
    uint32_t code;
    size_t size = g2p_utf8(at, end, &code);
    if (!size || code < 0x20) {
      return NULL;
    }
    at += size;
    if (code == '"') {
      return at;
    }
    if (code == '\\') {
      if (at == end || !*at || !strchr("\"\\/bfnrtu", *at) || (*at == 'u' && hex4(at + 1, end) < 0)) {
        return NULL;
      }
      at += *at == 'u' ? 5 : 1;
    }
  }
  return NULL;
}

static const char *check_number(const char *at, const char *end) {
  at += *at == '-';
  const char *begin = at;
  at = skip_digits(at, end);
  if (at == begin || (*begin == '0' && at > begin + 1)) {
    return NULL;
  }
  bool integer = true;
  if (at < end && *at == '.') {
    begin = ++at;
    integer = false;
    at = skip_digits(at, end);
    if (at == begin) {
      return NULL;
    }
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    at += at < end && (*at == '+' || *at == '-');
    begin = at;
    integer = false;
    at = skip_digits(at, end);
    if (at == begin) {
      return NULL;
    }
  }
  return integer && at - begin > MOST_DIGITS ? NULL : at;
}

static const char *check_scalar(const char *at, const char *end) {
  static const char *const names[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
  if (*at == '"') {
    return check_string(at, end);
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t size = strlen(names[i]);
    if ((size_t)(end - at) >= size && memcmp(at, names[i], size) == 0) {
      return at + size;
    }
  }
  return check_number(at, end);
}

bool g2p_json_check(g2p_text text, g2p_text *value) {
  char closing[MOST_DEPTH]; /* the brackets that are open */
  int depth = 0;
  if (!text.size) {
    return false;
  }
  const char *end = text.data + text.size, *at = skip_white(text.data, end);
  bool fresh = false; /* nothing yet since the bracket opened */
  value->data = at;
  do {
    at = skip_white(at, end);
    if (at == end) {
      return false;
    }
    if (depth && *at == closing[depth - 1]) { /* here only if fresh: after a comma an item must follow */
      if (!fresh) {
        return false;
      }
      at++;
      depth--;
    } else {
      if (depth && closing[depth - 1] == '}') {
        at = *at == '"' ? check_string(at, end) : NULL;
        at = at ? skip_white(at, end) : NULL;
        if (!at || at == end || *at != ':') {
          return false;
        }
        at = skip_white(at + 1, end);
        if (at == end) {
          return false;
        }
      }
      if (*at == '{' || *at == '[') {
        if (depth == MOST_DEPTH) {
          return false;
        }
        closing[depth++] = *at++ == '{' ? '}' : ']';
        fresh = true;
        continue;
      }
      at = check_scalar(at, end);
      if (!at) {
        return false;
      }
    }
    fresh = false;
    while (depth) { /* a value has ended: what follows is a comma, or closes what it is in */
      at = skip_white(at, end);
      if (at == end) {
        return false;
      }
      char c = *at++;
      if (c == ',') {
        break;
      }
      if (c != closing[depth - 1]) {
        return false;
      }
      depth--;
    }
  } while (depth);
  value->size = (size_t)(at - value->data);
  return skip_white(at, end) == end;
}

/* What follows a value of a checked text. */
static const char *skip_string(const char *at) {
  for (at++; *at != '"'; at++) {
    at += *at == '\\';
  }
  return at + 1;
}

static const char *skip_value(const char *at, const char *end) {
  size_t depth = 0;
  do {
    char c = *at;
    if (c == '"') {
      at = skip_string(at);
      continue;
    }
    depth += c == '{' || c == '[';
    depth -= c == '}' || c == ']';
    at++;
    if (!depth && c != '}' && c != ']') { /* a number or a name */
      while (at < end && !is_white(*at) && !strchr(",]}", *at)) {
        at++;
      }
    }
  } while (depth);
  return at;
}

struct g2p_json g2p_json_items(g2p_text value) {
  return (struct g2p_json){value.data + 1, value.data + value.size - 1};
}

bool g2p_json_next(struct g2p_json *items, g2p_text *key, g2p_text *value) {
  const char *at = skip_white(items->at, items->end), *end = items->end;
  if (at == end) {
    return false;
  }
  if (*at == ',') {
    at = skip_white(at + 1, end);
  }
  const char *begin = at;
  at = skip_value(at, end);
  *value = (g2p_text){begin, (size_t)(at - begin)};
  *key = (g2p_text){NULL, 0};
  begin = skip_white(at, end);
  if (begin < end && *begin == ':') {
    begin = skip_white(begin + 1, end);
    at = skip_value(begin, end);
    *key = *value;
    *value = (g2p_text){begin, (size_t)(at - begin)};
  }
  items->at = at;
  return true;
}

size_t g2p_json_length(g2p_text value) {
  struct g2p_json items = g2p_json_items(value);
  g2p_text key, item;
  size_t length = 0;
  while (g2p_json_next(&items, &key, &item)) {
    length++;
  }
  return length;
}

bool g2p_json_members(g2p_text value, const char *const *names, size_t count, g2p_text *values) {
  if (*value.data != '{') {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    values[i] = (g2p_text){NULL, 0};
  }
  struct g2p_json items = g2p_json_items(value);
  g2p_text key, item;
  while (g2p_json_next(&items, &key, &item)) {
    for (size_t i = 0; i < count; i++) {
      if (g2p_json_is(key, names[i])) {
        if (values[i].size) {
          return false;
        }
        values[i] = item;
      }
    }
  }
  return true;
}

/* The character at `at`, inside a checked string, as UTF-8: its bytes go to `bytes`. What follows it is the result. */
static const char *read_character(const char *at, char bytes[4], size_t *size) {
  static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
  *size = 1;
  bytes[0] = *at++;
  if (bytes[0] != '\\') {
    return at;
  }
  char c = *at++;
  const char *letter = strchr(letters, c);
  if (c != 'u') {
    bytes[0] = letter ? controls[letter - letters] : c;
    return at;
  }
  uint32_t code = (uint32_t)hex4(at, at + 4);
  at += 4;
  if (code >= 0xd800 && code < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
    uint32_t low = (uint32_t)hex4(at + 2, at + 6);
    if (low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
  }
  /* Half a pair becomes bytes that no UTF-8 text has. */
  *size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = *size; i-- > 1; code >>= 6) {
    bytes[i] = (char)(0x80 | (code & 0x3f));
  }
  bytes[0] = (char)(*size == 1 ? code : code | ((0xf00u >> *size) & 0xf0));
  return at;
}

/* Whether a string begins with `expected`, and where that ends in it. */
static const char *match(g2p_text value, const char *expected) {
  const char *at = value.data + 1;
  if (*value.data != '"') {
    return NULL;
  }
  for (size_t left = strlen(expected); left;) {
    char bytes[4];
    size_t size;
    if (*at == '"') {
      return NULL;
    }
    at = read_character(at, bytes, &size);
    if (size > left || memcmp(bytes, expected, size) != 0) {
      return NULL;
    }
    expected += size;
    left -= size;
  }
  return at;
}

bool g2p_json_is(g2p_text value, const char *expected) {
  const char *at = match(value, expected);
  return at && *at == '"';
}

bool g2p_json_starts(g2p_text value, const char *expected) { return match(value, expected) != NULL; }

bool g2p_json_count(g2p_text value, uint64_t *count) {
  const char *at = value.data, *end = at + value.size;
  if (skip_digits(at, end) != end) {
    *count = 0;
    return value.size == 2 && memcmp(at, "-0", 2) == 0;
  }
  for (*count = 0; at < end; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    *count = *count > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *count * 10 + digit;
  }
  return true;
}
