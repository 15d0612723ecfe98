/* The APIs that clients and backends speak, by name. */
#ifndef DIALECT_API_H
#define DIALECT_API_H

#include "base/slice.h"

/* Whose way of speaking: decides paths, credentials, errors. */
enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC };

/* One endpoint of a dialect. */
enum api {
    API_CHAT,        /* POST /v1/chat/completions */
    API_COMPLETIONS, /* POST /v1/completions */
    API_RESPONSES,   /* POST /v1/responses */
    API_EMBEDDINGS,  /* POST /v1/embeddings */
    API_MESSAGES,    /* POST /v1/messages (Anthropic) */
    API_PASSTHROUGH, /* /backend/NAME/... : anything else */
    API_COUNT
};

const char *api_name(enum api api); /* "chat", "completions", ... */
const char *api_path(enum api api); /* "/v1/chat/completions"; NULL for pass-through */
enum dialect api_dialect(enum api api);
const char *dialect_name(enum dialect dialect); /* "openai", "anthropic" */

#endif
