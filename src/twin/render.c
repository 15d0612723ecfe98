#include "twin/render.h"

const struct render_ops *
render_for(enum api api)
{
    switch (api) {
    case API_CHAT:
        return &render_chat;
    case API_COMPLETIONS:
        return &render_completions;
    case API_RESPONSES:
        return &render_responses;
    case API_MESSAGES:
        return &render_messages;
    default:
        return NULL;
    }
}

void
render_string(struct buffer *out, struct slice text)
{
    buffer_add_byte(out, '"');
    buffer_add_json(out, text);
    buffer_add_byte(out, '"');
}

/* The words that the two providers use for a status. */
static const struct {
    unsigned status;
    const char *openai_type, *openai_code, *anthropic_type;
} errors[] = {
    {400, "invalid_request_error", NULL, "invalid_request_error"},
    {401, "invalid_request_error", "invalid_api_key", "authentication_error"},
    {403, "invalid_request_error", NULL, "permission_error"},
    {404, "invalid_request_error", "model_not_found", "not_found_error"},
    {413, "invalid_request_error", NULL, "request_too_large"},
    {429, "requests", "rate_limit_exceeded", "rate_limit_error"},
    {529, "server_error", NULL, "overloaded_error"},
    {0, "server_error", NULL, "api_error"},
};

void
render_error(enum dialect dialect, unsigned status, const char *message, const char *request_id, struct buffer *out)
{
    size_t at = 0;

    while (errors[at].status != 0 && errors[at].status != status)
        at++;
    if (dialect == DIALECT_ANTHROPIC) {
        buffer_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", errors[at].anthropic_type);
        render_string(out, slice_of(message));
        buffer_printf(out, "},\"request_id\":\"%s\"}", request_id);
        return;
    }
    buffer_add_text(out, "{\"error\":{\"message\":");
    render_string(out, slice_of(message));
    buffer_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", errors[at].openai_type);
    if (errors[at].openai_code != NULL)
        render_string(out, slice_of(errors[at].openai_code));
    else
        buffer_add_text(out, "null");
    buffer_add_text(out, "}}");
}
