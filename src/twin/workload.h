/* What a company's applications might ask in a day: a stream of requests of several features, made from a seed, most of
 * them with answers that can be checked (tasks.h). Popular questions come again, as in life: of each feature's pool the
 * k-th question about as often as 1/k, and people say it in words of their own; but messages of customers, and what has to
 * be worked out, are new each time. Most ask for the one right answer (temperature 0), one for ever new ones; one sends its
 * whole handbook along with every question. */
#ifndef TWIN_WORKLOAD_H
#define TWIN_WORKLOAD_H

#include "base/arena.h"
#include "dialect/api.h"

/* The models, or routes, that the applications ask for. */
struct workload_models {
    const char *chat;      /* OpenAI chat */
    const char *messages;  /* Anthropic messages; NULL: these go to `chat` too */
    const char *embedding; /* NULL: no embeddings */
    /* OpenAI chat, each what one application asks; NULL: it goes to `chat` too */
    const char *helpdesk; /* which page of the guide helps */
    const char *support;  /* what a message is about */
    const char *orders;   /* what a message says, as JSON */
    const char *figures;  /* what something comes to */
};

struct workload_request {
    enum api api;
    const char *feature; /* for a tag: "assistant", "support", ... */
    const char *model;   /* which one is asked for */
    bool stream;
    const char *prompt; /* what task_check takes; NULL: the answer cannot be checked */
    struct slice body;  /* JSON */
};

/* The request of that number (any, in any order). All texts live in the arena. */
void workload_make(struct workload_request *request, uint64_t seed, uint64_t number,
                   const struct workload_models *models, struct arena *arena);

/* The text of an answer's body, streamed or whole. False if it is none: an error, cut off, not of that API. */
bool workload_answer_text(const struct workload_request *request, struct slice body, struct arena *arena,
                          struct slice *text);

#endif
