/* Errors in the caller's own dialect, so that its SDK understands them. */
#ifndef DIALECT_ERRORS_H
#define DIALECT_ERRORS_H

#include "base/buffer.h"
#include "dialect/api.h"

/* What is wrong, as every dialect knows it. */
enum error_kind {
    ERROR_BAD_REQUEST,   /* 400 */
    ERROR_UNKNOWN_KEY,   /* 401 */
    ERROR_OVER_BUDGET,   /* 402 */
    ERROR_FORBIDDEN,     /* 403 */
    ERROR_NOT_FOUND,     /* 404: the path */
    ERROR_NO_SUCH_MODEL, /* 404 */
    ERROR_WANTS_POST,    /* 405, as ERROR_WANTS_GET */
    ERROR_WANTS_GET,
    ERROR_TIMEOUT,         /* 408 */
    ERROR_KEY_IN_USE,      /* 409: of idempotency */
    ERROR_TOO_LARGE,       /* 413 */
    ERROR_CODING,          /* 415 */
    ERROR_KEY_REUSED,      /* 422: of idempotency */
    ERROR_OVERLOADED,      /* 429 */
    ERROR_RATE_LIMITED,    /* 429: a limit of this gateway */
    ERROR_INTERNAL,        /* 500 */
    ERROR_UPSTREAM,        /* 502 */
    ERROR_UNAVAILABLE,     /* 503 */
    ERROR_UPSTREAM_TIMEOUT /* 504 */
};

unsigned error_status(enum error_kind kind);

/* The JSON body of an error answer. OpenAI: {"error":{message,type,param,code}}. Anthropic: {"type":"error","error":
 * {type,message},"request_id"}. `request_id` may be empty. */
void error_body(enum dialect dialect, enum error_kind kind, struct slice message, struct slice request_id,
                struct buffer *out);

/* The event that ends a stream which cannot go on. */
void error_event(enum api api, enum error_kind kind, struct slice message, struct slice request_id, struct buffer *out);

#endif
