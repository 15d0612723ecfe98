/* A request in the words of no API: what translate.h reads from one API's body and writes as another's. Private to the
 * files talk_*.c and translate.c.
 *
 * What has a place here is kept; what has none makes the request untranslatable, with the reason, so that nothing is lost
 * on the way without anybody knowing. Values point into the parsed body or the arena. */
#ifndef DIALECT_TALK_H
#define DIALECT_TALK_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "dialect/api.h"

/* A tool's result is a part of the user's turn, as it is in messages. */
enum talk_role { TALK_SYSTEM, TALK_DEVELOPER, TALK_USER, TALK_ASSISTANT };

enum talk_kind { TALK_TEXT, TALK_REFUSAL, TALK_IMAGE, TALK_CALL, TALK_RESULT };

struct talk_part {
    struct talk_part *next;
    enum talk_kind kind;
    struct slice text;       /* of TEXT and REFUSAL; IMAGE: base64, or a URL; CALL: the arguments, a JSON object */
    struct slice media_type; /* IMAGE: of the base64; empty: `text` is a URL */
    struct slice detail;     /* IMAGE: "low", "high"; empty: as the model likes */
    struct slice id, name;   /* CALL; RESULT: the id of the call */
    struct talk_part *inside, *last_inside; /* RESULT: texts and images */
    bool failed;                            /* RESULT: it tells of an error */
};

struct talk_turn {
    struct talk_turn *next;
    enum talk_role role;
    bool calls; /* tools */
    struct talk_part *parts;
};

struct talk_tool {
    struct talk_tool *next;
    struct slice name, description;
    yyjson_val *schema; /* of its arguments; NULL: it takes none */
    bool strict;        /* the arguments must fit the schema */
};

enum talk_choice { TALK_CHOOSES, TALK_CALLS_NONE, TALK_CALLS_SOME, TALK_CALLS_NAMED };

enum talk_format { TALK_PLAIN, TALK_ANY_JSON, TALK_JSON_SCHEMA };

/* Members that are one value, kept as it stands. */
enum talk_value {
#define TALK_VALUE(id, chat, responses, messages, needed) TALK_##id,
#include "dialect/translate/talk_values.def"
#undef TALK_VALUE
    TALK_VALUE_COUNT
};

enum { TALK_STOPS_MOST = 16 };

struct talk {
    struct arena *arena;
    enum api from;
    const char *why; /* it cannot be translated; the first reason, for a person; NULL: none yet */
    struct talk_turn *turns, *last_turn;
    struct talk_part *last_part; /* of the last turn, or inside of its last result */
    struct talk_tool *tools, *last_tool;
    enum talk_choice choice;
    struct slice named;    /* TALK_CALLS_NAMED */
    bool one_call_at_most; /* no parallel calls */
    bool many_calls;       /* parallel calls are allowed in so many words */
    int64_t cap;           /* tokens of output; -1: none is given */
    bool stream;
    struct slice stops[TALK_STOPS_MOST];
    size_t stop_count;
    enum talk_format format;
    struct slice format_name, format_description;
    yyjson_val *format_schema;
    bool format_strict;
    struct slice user; /* who the end user is, as the client calls them */
    yyjson_val *values[TALK_VALUE_COUNT];
};

/* What the value is called as a member of that API's body; a name with a dot: within another member. NULL: it has none. */
const char *talk_value_name(enum talk_value value, enum api api);

/* May it be left out where it has no name, as it changes nothing of the answer? */
bool talk_value_may_go(enum talk_value value);

/* Notes why the request cannot be translated, if nothing was noted before. */
void talk_refuse(struct talk *talk, const char *format, ...) PRINTF_LIKE(2, 3);

/* Who takes a member of an object; NULL: it changes nothing of the answer, and is left out. */
struct talk_member {
    const char *name; /* NULL: the end of the table */
    void (*take)(struct talk *talk, void *into, yyjson_val *value);
};

/* Gives every member of the object to its taker. Nulls say nothing. What the table does not have is refused, and what stands
 * there twice: who reads it takes the one or the other. `where` says what the object is ("a message"). */
void talk_walk(struct talk *talk, const char *where, yyjson_val *object, const struct talk_member *members, void *into);

/* As talk_walk for the body, whose plain values are taken by themselves. */
void talk_walk_body(struct talk *talk, yyjson_val *root, const struct talk_member *members);

/* Takes a value that is kept as it stands, if it says anything. */
void talk_take_value(struct talk *talk, enum talk_value id, yyjson_val *value);

/* Building. What the assistant says behind its calls is of the same turn: what they brought has to come next. */
struct talk_turn *talk_add_turn(struct talk *talk, enum talk_role role);
struct talk_part *talk_add_part(struct talk *talk, enum talk_kind kind); /* of the last turn */
struct talk_part *talk_add_inside(struct talk *talk, struct talk_part *result, enum talk_kind kind);
void talk_add_text(struct talk *talk, struct slice text);
struct talk_tool *talk_add_tool(struct talk *talk);
void talk_add_stop(struct talk *talk, yyjson_val *text);
void talk_needs_image(struct talk *talk, const struct talk_part *image); /* refuses one without data and URL */
void talk_set_media_type(struct talk *talk, struct talk_part *image, struct slice type);
void talk_add_image_url(struct talk *talk, struct talk_part *image, struct slice url); /* data: or http */

/* Reading values; what is of another type is refused. */
struct slice talk_text(struct talk *talk, const char *name, yyjson_val *value);
bool talk_is_true(struct talk *talk, const char *name, yyjson_val *value);
yyjson_val *talk_list(struct talk *talk, const char *name, yyjson_val *value); /* NULL: it was none */
void talk_take_cap(struct talk *talk, void *into, yyjson_val *value);
struct slice talk_json(struct talk *talk, yyjson_val *value); /* as it is written, in the arena */
struct slice talk_arguments(struct talk *talk, struct slice text);
bool talk_is_number(yyjson_val *value, double number);

/* Shared by readers (talk_take.c). Of a part of a turn, which `into` is: */
void talk_take_text(struct talk *talk, void *into, yyjson_val *value);
void talk_take_refusal(struct talk *talk, void *into, yyjson_val *value);
void talk_take_id(struct talk *talk, void *into, yyjson_val *value);
void talk_take_name(struct talk *talk, void *into, yyjson_val *value);
void talk_take_arguments(struct talk *talk, void *into, yyjson_val *value);
void talk_take_detail(struct talk *talk, void *into, yyjson_val *value);
/* Of the body: */
void talk_take_user(struct talk *talk, void *into, yyjson_val *value);
void talk_take_service_tier(struct talk *talk, void *into, yyjson_val *value);
void talk_take_function(struct talk *talk, yyjson_val *function); /* {name, description, parameters, strict} */
void talk_take_store(struct talk *talk, void *into, yyjson_val *value);
void talk_take_parallel(struct talk *talk, void *into, yyjson_val *value);
void talk_take_stream_options(struct talk *talk, void *into, yyjson_val *value);
void talk_take_stream(struct talk *talk, void *into, yyjson_val *value);
void talk_take_top_logprobs(struct talk *talk, void *into, yyjson_val *value);
/* Of the form that OpenAI's APIs want an answer in; `name` is what the member is called, for a refusal: */
void talk_take_format(struct talk *talk, const char *name, yyjson_val *value, const struct talk_member *members);
void talk_take_schema_name(struct talk *talk, void *into, yyjson_val *value);
void talk_take_schema_description(struct talk *talk, void *into, yyjson_val *value);
void talk_take_schema(struct talk *talk, void *into, yyjson_val *value);
void talk_take_schema_strict(struct talk *talk, void *into, yyjson_val *value);

/* The dialects. Readers take the whole body; writers append all members but `model` and the cap, each with a comma before
 * it, and refuse what has no place there. */
void talk_read_chat(struct talk *talk, yyjson_val *root);
void talk_read_messages(struct talk *talk, yyjson_val *root);
void talk_read_responses(struct talk *talk, yyjson_val *root);
void talk_write_chat(struct talk *talk, struct buffer *out);
void talk_write_messages(struct talk *talk, struct buffer *out);
void talk_write_responses(struct talk *talk, struct buffer *out);

/* What answers of responses repeat of a request, each member with a comma before it. */
void talk_echo_responses(yyjson_val *root, struct buffer *out);

/* Writing. */
void talk_put_name(struct buffer *out, const char *name);                      /* ,"name": */
void talk_put_member(struct buffer *out, const char *name, struct slice text); /* ,"name":"text" */
void talk_put_json(struct buffer *out, yyjson_val *value);
void talk_put_schema(const struct talk *talk, struct buffer *out); /* what describes the answer, but for its name */
/* tool_choice as OpenAI's APIs have it, where there are tools; a named one stands between `before` and `behind`. */
void talk_put_choice(const struct talk *talk, const char *before, const char *behind, struct buffer *out);
struct slice talk_format_name(const struct talk *talk);                   /* of the schema: OpenAI's APIs want one */
void talk_put_values(struct talk *talk, enum api to, struct buffer *out); /* those without a dot in their names */

#endif
