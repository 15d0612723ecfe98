/* The beginnings of a request's prompt that come again in later requests, which providers keep read for some minutes and
 * then sell at a discount (prompt caches), and how to ask for it: marks in Anthropic's API, a key in OpenAI's. A prompt
 * is put together as tools, system, turns; what is equal up to somewhere in that order is what can be kept.
 *
 * Anthropic: only what a block with `cache_control` closes is kept, at most four of them, and the mark is no part of the
 * prompt: it may stand elsewhere the next time. OpenAI: all is kept without being asked; `prompt_cache_key` says which
 * requests have the same beginning, so that they meet on one machine. */
#ifndef DIALECT_PROMPT_H
#define DIALECT_PROMPT_H

#include "dialect/request.h"

enum prompt_part { PROMPT_TOOLS, PROMPT_SYSTEM, PROMPT_TURNS, PROMPT_PARTS };

/* A beginning of the prompt. */
struct prompt_start {
    size_t len;    /* raw bytes of what it is made of; 0: there is none */
    uint64_t hash; /* of these bytes */
};

/* How many turns are looked back over for one that is kept: as many blocks as Anthropic's API does. */
enum { PROMPT_TURNS_MOST = 20 };

struct prompt {
    bool read;
    bool keyed; /* the client has its own `prompt_cache_key`, or names are escaped so that nobody can tell */
    /* Up to the end of the tools, of the system, of the last stable turn: a tool's result when that is the newest turn,
     * else what stands before the user's newest turn. len 0: nothing of that kind. */
    struct prompt_start parts[PROMPT_PARTS];
    /* API_MESSAGES: where a mark for that part goes. Raw: a block, or a text that stands for one. SLICE_NONE: none can. */
    struct slice places[PROMPT_PARTS];
    struct prompt_start whole;
    struct prompt_start turns[PROMPT_TURNS_MOST]; /* up to the end of the newest turns, newest first */
    size_t turn_count;
};

/* Reads a body that request_parse has taken. Chat, responses and messages; the others have no parts. Whether the client
 * itself says what shall be kept is among the facts (request_bound.writes_cache). Walks the body about three times. */
void prompt_read(enum api api, struct slice body, struct prompt *out);

/* The splices that put marks at the parts of `marks` (bits 1 << part; those without a place are left out) and a key
 * (SLICE_NONE: none; letters and digits only), in no particular order; at most PROMPT_SPLICES_MOST. Marks keep for five minutes,
 * those of `hour_marks` for an hour: these must be the first of them (PROMPT order), or the API refuses all. */
enum { PROMPT_SPLICES_MOST = 2 * PROMPT_PARTS + 1 };
size_t prompt_splices(const struct prompt *prompt, unsigned marks, unsigned hour_marks, struct slice key,
                      struct slice body, struct arena *arena, struct splice *out);

#endif
