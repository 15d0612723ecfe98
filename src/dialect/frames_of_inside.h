/* What the dialects of frames_of share: an event under construction, and where it goes. */
#ifndef DIALECT_FRAMES_OF_INSIDE_H
#define DIALECT_FRAMES_OF_INSIDE_H

#include <yyjson.h>

#include "dialect/frames_of.h"

struct frames {
    enum api api;
    yyjson_val *root; /* the answer */
    bool tell_usage;
    int64_t sequence;    /* responses: of the next event */
    struct buffer frame; /* the event being made */
    frames_of_put *put;
    void *context;
};

/* To the event being made. */
void frame_text(struct frames *frames, const char *text);
void frame_string(struct frames *frames, struct slice text); /* as a JSON string */
void frame_value(struct frames *frames, yyjson_val *value);  /* NULL: null */

/* The event is complete. */
void frame_put(struct frames *frames);

struct slice frame_slice(yyjson_val *text);

/* The next piece of a text; *rest must not be empty. */
struct slice frame_piece(struct slice *rest);

void frames_of_message(struct frames *frames);
void frames_of_response(struct frames *frames);

#endif
