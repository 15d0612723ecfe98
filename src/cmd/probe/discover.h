/* What model servers there are to use: providers whose keys are in the environment, engines on their usual local ports.
 * What is found becomes the text of a configuration, which `init` writes and `serve` without one loads: one path. */
#ifndef CMD_DISCOVER_H
#define CMD_DISCOVER_H

#include "base/arena.h"
#include "base/buffer.h"

enum { DISCOVER_MOST = 32, DISCOVER_MODELS_MOST = 16 };

struct found_backend {
    const char *name; /* in the configuration */
    const char *url;
    const char *variable; /* of the environment, holding its key; NULL: none */
    const char *header;   /* under which the key goes, NULL: the dialect's own */
    const char *engine;   /* as the configuration says it; NULL: hosted */
    const char *models[DISCOVER_MODELS_MOST];
    size_t model_count;
};

struct discovery {
    struct found_backend found[DISCOVER_MOST];
    size_t count;
    unsigned listen_port, admin_port; /* free ones, the usual ones if they are */
    struct arena arena;               /* of what is found */
};

/* Where to look. */
struct discover_places {
    const char *(*environment)(const char *name);
    /* GET on 127.0.0.1; a 200's body, or ERR_NOT_FOUND. Answers within about a second. */
    enum status (*get)(unsigned port, const char *path, struct buffer *body);
    bool (*port_is_free)(unsigned port);
};

/* This machine. */
extern const struct discover_places discover_here;

void discover(struct discovery *discovery, const struct discover_places *places);
void discovery_free(struct discovery *discovery);

/* The configuration's text; `explained`: with comments for whoever will edit it. */
void discovery_write(const struct discovery *discovery, bool explained, struct buffer *out);

/* One line per backend for a person: "openai (https://api.openai.com, key from $OPENAI_API_KEY)". */
void discovery_describe(const struct discovery *discovery, struct buffer *out);

#endif
