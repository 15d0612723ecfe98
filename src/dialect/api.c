#include "dialect/api.h"

static const struct {
    const char *name, *path;
    enum dialect dialect;
} apis[API_COUNT] = {
    [API_CHAT] = {"chat", "/v1/chat/completions", DIALECT_OPENAI},
    [API_COMPLETIONS] = {"completions", "/v1/completions", DIALECT_OPENAI},
    [API_RESPONSES] = {"responses", "/v1/responses", DIALECT_OPENAI},
    [API_EMBEDDINGS] = {"embeddings", "/v1/embeddings", DIALECT_OPENAI},
    [API_MESSAGES] = {"messages", "/v1/messages", DIALECT_ANTHROPIC},
    [API_PASSTHROUGH] = {"passthrough", NULL, DIALECT_OPENAI},
};

const char *
api_name(enum api api)
{
    return apis[api].name;
}

const char *
api_path(enum api api)
{
    return apis[api].path;
}

enum dialect
api_dialect(enum api api)
{
    return apis[api].dialect;
}

const char *
dialect_name(enum dialect dialect)
{
    return dialect == DIALECT_ANTHROPIC ? "anthropic" : "openai";
}
