/* Whether an answer is useful, as a route's validators see it: JSON Schema, regular expression, command, HTTP. Here is
 * what each says of a text or of its own result; gateway/judging/outcome.c asks them one after the other. */
#ifndef QUALITY_VALIDATE_H
#define QUALITY_VALIDATE_H

#include "base/buffer.h"
#include "config/config.h"

enum validator { VALIDATOR_SCHEMA, VALIDATOR_REGEX, VALIDATOR_COMMAND, VALIDATOR_HTTP, VALIDATOR_COUNT };

const char *validator_name(enum validator validator); /* as in the configuration */

/* Which of them a route has. */
bool validator_is_set(const struct validator_config *config, enum validator validator);
bool validators_any(const struct validator_config *config);

enum opinion { OPINION_USEFUL, OPINION_NOT, OPINION_UNKNOWN };

enum {
    REASON_SIZE = 320,
    REGEX_TEXT_MOST = 256 * 1024 /* bytes; a longer text is not matched */
};

/* Off the loop. `reason` says what is not as wanted, for a person; untouched if all is. An answer that is not JSON does
 * not fit a schema; nor is it looked for within other text, such as a code fence. */
enum opinion validate_schema(const struct json_schema *schema, struct slice text, char reason[REASON_SIZE]);
enum opinion validate_regex(const char *regex, struct slice text, char reason[REASON_SIZE]);

/* Exit status 0: useful, 1: not; what it printed is the reason. Others, and -1: unknown. */
enum opinion validate_exit_status(int exit_status, struct slice output, char reason[REASON_SIZE]);

/* Status 204, or 2xx with {"useful": true}: useful. 422, or 2xx with {"useful": false}: not; "reason", a text, may stand
 * beside. Others: unknown. */
enum opinion validate_http_answer(unsigned status, struct slice body, char reason[REASON_SIZE]);

/* {"id": ..., "route": ..., "text": ...}: what an HTTP validator is asked. */
void validate_http_question(struct buffer *out, const char *id, const char *route, struct slice text);

#endif
