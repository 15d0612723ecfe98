/* An answer in the words of no API: what translate.h hears from a backend, event by event, and tells a client. Private to
 * the files retell*.c and translate.c.
 *
 * Whole answers are heard as the same events, so that streamed and whole ones cannot differ in what they say. */
#ifndef DIALECT_RETELL_H
#define DIALECT_RETELL_H

#include <yyjson.h>

#include "dialect/errors.h"
#include "dialect/translate/translate.h"
#include "dialect/usage.h"

/* Events come in this order: BEGIN; texts, refusals and calls, of which one goes on at a time: ARGUMENTS belong to the
 * CALL that came last; END or ERROR. */
enum said_kind { SAID_BEGIN, SAID_TEXT, SAID_REFUSAL, SAID_CALL, SAID_ARGUMENTS, SAID_END, SAID_ERROR };

enum said_stop {
    STOP_BY_ITSELF,
    STOP_BY_SEQUENCE, /* `text` is the one that was met; empty: which is not known */
    STOP_BY_LENGTH,
    STOP_BY_CALLS,
    STOP_BY_FILTER /* refused, or filtered */
};

struct said {
    enum said_kind kind;
    struct slice text;   /* TEXT, REFUSAL, ARGUMENTS: a piece; ERROR: the message; END: see above */
    struct slice id;     /* BEGIN: of the answer; CALL: of the call */
    struct slice name;   /* BEGIN: of the model; CALL: of the function; ERROR: its type */
    enum said_stop stop; /* END */
};

/* What was said in one go, whole. */
struct said_part {
    enum said_kind kind; /* TEXT, REFUSAL or CALL */
    struct slice id, name;
    struct buffer text; /* CALL: its arguments */
};

/* A call of a backend that may go on with several at a time. */
struct heard_call {
    struct slice id, name;
    bool begun, over;
    bool spoke;            /* it has had arguments */
    struct buffer waiting; /* arguments that came while another call was told */
};

enum { CALLS_MOST = 128, WAITING_BYTES_MOST = 1024 * 1024 };

struct translation {
    enum api from, to;
    int64_t now_s;
    struct arena arena;
    struct slice id, model;
    struct slice own_id; /* where the backend tells none */
    struct slice echo;   /* what is repeated of the request */
    struct usage usage;
    bool told_usage; /* by the backend */
    bool broken;     /* cannot be told */
    bool begun, ended;
    struct buffer joined; /* scratch of sse_parse */
    /* Hearing */
    struct heard_call *calls; /* CALLS_MOST; NULL: there was none */
    size_t call_count, waiting_bytes;
    size_t live;                   /* the one that is being told; CALLS_MOST: none */
    int64_t block;                 /* messages: of which block that is */
    struct buffer input;           /* messages: that of a call, as it came with its begin */
    bool text_came;                /* responses: since an item was done; */
    bool text_came_of[CALLS_MOST]; /* of which items */
    bool any_said;                 /* a text or a call */
    bool stopped;                  /* why it stops is known: */
    enum said_stop stop;
    struct slice sequence;
    /* What was said so far; only if it is gathered. */
    bool gathers;
    size_t gathered, most; /* bytes */
    struct said_part *parts;
    size_t part_count, part_room;
    bool any_call;
    bool refused; /* in words */
    /* Telling */
    bool streams;
    translate_put *put;
    void *context;
    struct buffer frame;
    bool open;           /* a block, an item is open: */
    enum said_kind kind; /* of that kind */
    size_t index;        /* its number; when none is open, that of the next */
    bool role_told;      /* chat */
    int64_t number;      /* responses: of the next event */
};

/* Hearing: an event of a stream, and a whole answer. */
void retell_hear_event(struct translation *translation, yyjson_val *root);
void retell_hear_whole(struct translation *translation, yyjson_val *root);

/* What hearing comes to. A call is known by a number of the backend's (from 0), which may come again. */
void retell_begin(struct translation *translation, yyjson_val *id, yyjson_val *model);
void retell_text(struct translation *translation, enum said_kind kind, yyjson_val *text);
void retell_call(struct translation *translation, size_t call, yyjson_val *id, yyjson_val *name);
void retell_arguments(struct translation *translation, size_t call, struct slice text);
bool retell_call_spoke(const struct translation *translation, size_t call); /* it has had arguments */
void retell_call_over(struct translation *translation, size_t call);
void retell_stop(struct translation *translation, enum said_stop stop, yyjson_val *sequence);
void retell_end(struct translation *translation);
void retell_error(struct translation *translation, yyjson_val *error);

struct slice retell_slice(yyjson_val *text); /* empty for what is none */

/* Telling, in the client's API. */
struct retell_ops {
    void (*say)(struct translation *translation, const struct said *said); /* as events; after it was gathered */
    void (*close)(struct translation *translation); /* what goes on ends, before something else is gathered; or NULL */
    void (*whole)(struct translation *translation, struct buffer *out); /* all that was gathered */
};
extern const struct retell_ops retell_chat, retell_messages, retell_responses;

/* What kind of error another API's type stands for. */
enum error_kind translate_error_kind(struct slice type);

void retell_put_error(struct translation *translation, const struct said *said);

/* The event in `frame` is complete. */
void retell_put(struct translation *translation, bool usage_only, bool last);

/* The part that came last. */
const struct said_part *retell_newest(const struct translation *translation);

#endif
