/* How an answer is written in each API, whole or as server-sent events. A renderer only writes into a buffer; when, and
 * whether it arrives, is serving.c's business. */
#ifndef TWIN_RENDER_H
#define TWIN_RENDER_H

#include "twin/reply.h"

enum { RENDER_ID_SIZE = 16 };

/* One answer as renderers see it. */
struct render {
    const struct ask *ask;
    const struct reply *reply;
    char id[RENDER_ID_SIZE]; /* without the API's prefix */
    int64_t created_s;       /* since the Unix epoch */
    bool no_usage;           /* a fault: usage is left out */
    unsigned sequence;       /* of events (Responses) */
};

/* A stream is begin, then for each choice: for each part open, piece ..., close; then choice_end; then end. Reasoning
 * parts pass through as well; renderers whose API hides them write nothing. */
struct render_ops {
    void (*whole)(struct render *, struct buffer *out);
    void (*begin)(struct render *, struct buffer *out);
    void (*part_open)(struct render *, unsigned choice, unsigned part, struct buffer *out);
    void (*piece)(struct render *, unsigned choice, unsigned part, struct slice text, struct buffer *out);
    void (*part_close)(struct render *, unsigned choice, unsigned part, struct buffer *out);
    void (*choice_end)(struct render *, unsigned choice, struct buffer *out);
    void (*end)(struct render *, struct buffer *out);
};

extern const struct render_ops render_chat, render_completions, render_responses, render_messages;

const struct render_ops *render_for(enum api api);

/* An error's body in the dialect's way. `request_id` with its prefix. */
void render_error(enum dialect dialect, unsigned status, const char *message, const char *request_id,
                  struct buffer *out);

/* "text" with quotes and escapes. */
void render_string(struct buffer *out, struct slice text);

static inline const struct part *
render_part(const struct render *render, unsigned choice, unsigned part)
{
    return &render->reply->choices[choice].parts[part];
}

#endif
