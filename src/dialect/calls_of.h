/* Which tools an answer calls, whatever the API: of its first choice, in order, as JSON:
 *
 *     [{"name":"look_up","arguments":{"city":"Bern"}}, ...]
 *
 * Arguments that come as text are read as JSON; what is none stays a text. */
#ifndef DIALECT_CALLS_OF_H
#define DIALECT_CALLS_OF_H

#include <yyjson.h>

#include "base/buffer.h"
#include "dialect/api.h"

/* Of the whole answer, appended; nothing where it calls none that can be read. */
void calls_of(enum api api, yyjson_val *root, struct buffer *out);

/* Whether an item of a response's output is such a call: something that the client is to do. What the provider does by itself (a
 * search in the web) comes back as text. */
bool calls_of_is_item(yyjson_val *item);

#endif
