/* The regular expressions of JSON Schema (ECMA-262, 22.2, with its Unicode sense: characters are code points), without
 * what needs backtracking: back-references and lookarounds are refused when compiled, and so are \p{...} and inline
 * flags. What is taken means what ECMA-262 says. Matching takes time in proportion to text times pattern (Thompson,
 * "Regular Expression Search Algorithm", 1968), whatever they are. */
#ifndef DIALECT_JSON_PATTERN_H
#define DIALECT_JSON_PATTERN_H

#include "base/arena.h"

struct pattern;

/* Compiled into the arena; immutable. NULL: *why says what is not taken, for a person. */
const struct pattern *pattern_compile(struct arena *arena, struct slice text, const char **why);

/* Whether the pattern matches anywhere in `text` (UTF-8). Takes the steps from *work; false when they do not suffice,
 * and *work is 0 then. Any thread. */
bool pattern_finds(const struct pattern *pattern, struct slice text, uint64_t *work);

/* The code point at the front of *rest, which moves on; a byte that begins none counts as itself. Not at the end. */
uint32_t pattern_take_character(struct slice *rest);

#endif
