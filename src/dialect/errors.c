#include "dialect/errors.h"

static const struct {
    unsigned status;
    const char *openai_type, *openai_code, *anthropic_type;
} kinds[] = {
    [ERROR_BAD_REQUEST] = {400, "invalid_request_error", NULL, "invalid_request_error"},
    [ERROR_UNKNOWN_KEY] = {401, "invalid_request_error", "invalid_api_key", "authentication_error"},
    [ERROR_OVER_BUDGET] = {402, "insufficient_quota", "budget_exceeded", "billing_error"},
    [ERROR_FORBIDDEN] = {403, "permission_error", NULL, "permission_error"},
    [ERROR_NOT_FOUND] = {404, "invalid_request_error", NULL, "not_found_error"},
    [ERROR_NO_SUCH_MODEL] = {404, "invalid_request_error", "model_not_found", "not_found_error"},
    [ERROR_WANTS_POST] = {405, "invalid_request_error", NULL, "invalid_request_error"},
    [ERROR_WANTS_GET] = {405, "invalid_request_error", NULL, "invalid_request_error"},
    [ERROR_TIMEOUT] = {408, "invalid_request_error", NULL, "invalid_request_error"},
    [ERROR_KEY_IN_USE] = {409, "invalid_request_error", "idempotency_key_in_use", "invalid_request_error"},
    [ERROR_TOO_LARGE] = {413, "invalid_request_error", NULL, "request_too_large"},
    [ERROR_CODING] = {415, "invalid_request_error", NULL, "invalid_request_error"},
    [ERROR_KEY_REUSED] = {422, "invalid_request_error", "idempotency_key_reused", "invalid_request_error"},
    [ERROR_OVERLOADED] = {429, "rate_limit_error", NULL, "rate_limit_error"},
    [ERROR_RATE_LIMITED] = {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"},
    [ERROR_INTERNAL] = {500, "server_error", NULL, "api_error"},
    [ERROR_UPSTREAM] = {502, "server_error", "upstream_failed", "api_error"},
    [ERROR_UNAVAILABLE] = {503, "server_error", NULL, "overloaded_error"},
    [ERROR_UPSTREAM_TIMEOUT] = {504, "server_error", "upstream_timeout", "api_error"},
};

unsigned
error_status(enum error_kind kind)
{
    return kinds[kind].status;
}

static void
put_text(struct buffer *out, const char *before, struct slice text, const char *behind)
{
    buffer_add_text(out, before);
    buffer_add_json(out, text);
    buffer_add_text(out, behind);
}

void
error_body(enum dialect dialect, enum error_kind kind, struct slice message, struct slice request_id,
           struct buffer *out)
{
    if (dialect == DIALECT_ANTHROPIC) {
        buffer_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\"", kinds[kind].anthropic_type);
        put_text(out, ",\"message\":\"", message, "\"}");
        if (request_id.len != 0)
            put_text(out, ",\"request_id\":\"", request_id, "\"");
        buffer_add_byte(out, '}');
        return;
    }
    put_text(out, "{\"error\":{\"message\":\"", message, "\"");
    buffer_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", kinds[kind].openai_type);
    if (kinds[kind].openai_code != NULL)
        buffer_printf(out, "\"%s\"}}", kinds[kind].openai_code);
    else
        buffer_add_text(out, "null}}");
}

void
error_event(enum api api, enum error_kind kind, struct slice message, struct slice request_id, struct buffer *out)
{
    if (api == API_RESPONSES) {
        put_text(out, "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"", message,
                 "\",\"param\":null,\"sequence_number\":0}\n\n");
        return;
    }
    buffer_add_text(out, api_dialect(api) == DIALECT_ANTHROPIC ? "event: error\ndata: " : "data: ");
    error_body(api_dialect(api), kind, message, request_id, out);
    buffer_add_text(out, "\n\n");
}
