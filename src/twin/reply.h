/* What the modelled model answers: composed as a whole before its first token is sent, told piece by piece. */
#ifndef TWIN_REPLY_H
#define TWIN_REPLY_H

#include "twin/ask.h"

enum part_kind { PART_REASONING, PART_TEXT, PART_CALL };

struct part {
    enum part_kind kind;
    struct slice text; /* a call's arguments as JSON */
    struct slice name; /* of the tool called */
    const char *id;    /* of the call, without the dialect's prefix */
    int64_t tokens;    /* of text and name */
};

enum finish { FINISH_STOP, FINISH_STOP_SEQUENCE, FINISH_LENGTH, FINISH_CALLS };

enum { PARTS_MOST = 10 };

struct reply_choice {
    struct part parts[PARTS_MOST];
    unsigned part_count;
    enum finish finish;
    struct slice stop_sequence; /* the one that was hit */
};

/* In tokens. `input` holds all that was read, also what came from a cache; `reasoning` is part of `output`. */
struct reply_usage {
    int64_t input, cache_read, cache_written, cache_written_hour, output, reasoning;
};

struct reply {
    struct reply_choice *choices;
    unsigned choice_count;
    struct reply_usage usage;
};

/* How the model at work differs from others. */
struct mind {
    struct slice name;
    double ability;     /* see tasks.h */
    const double *more; /* twin_model's; NULL: none for any family */
    bool thinks;        /* reasons before it answers */
    uint64_t seed;      /* everything drawn depends on it, the model's name and the question, and nothing else */
    uint64_t chance;    /* 0, or a random number for requests whose answers may vary */
};

/* Composes the answer in the arena; usage but for the cache's shares. */
void reply_compose(struct reply *reply, const struct ask *ask, const struct mind *mind, struct arena *arena);

/* Parts of it, each in a file of its own. */

/* Text of about that many tokens that reads like English and belongs to the seed. */
struct slice prose_write(uint64_t seed, int64_t tokens, struct arena *arena);

/* A JSON value for the schema, with what the question says put where it fits, and `answer` (may be NULL) for members
 * that ask for the result. */
struct slice schema_fill(yyjson_val *schema, struct slice question, const char *answer, struct arena *arena);

/* Is the tool meant by the question: its name, or all its telling words, stand in it. */
bool tool_is_meant(const struct ask_tool *tool, struct slice question);

#endif
