/* Adds a key's line to a configuration's text without touching the rest, comments included. */
#ifndef CONFIG_INSERT_H
#define CONFIG_INSERT_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

/* `line` is "NAME: { ... }", without indentation or line end. It goes below `keys:`, as its first entry, or to the end of
 * the text under a `keys:` of its own. ERR_EXISTS: there is a key of that name. ERR_INVALID: the text is not YAML, or its
 * keys stand in braces, where nothing can be added safely; `out` is then not usable. */
enum status config_insert_key(struct slice text, const char *name, const char *line, struct buffer *out) MUST_CHECK;

#endif
