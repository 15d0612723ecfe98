/* What reading a configuration needs of the machine; replaceable, for tests. */
#ifndef CONFIG_OUTSIDE_H
#define CONFIG_OUTSIDE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

/* A name in the DNS. */
struct config_name {
    const char *host;
    const char *resolver; /* who is asked, "10.0.0.2:53"; NULL: whom the system asks */
    bool services;        /* it is a service's (SRV, RFC 2782): its records tell ports too */
    bool hurried;         /* others were waited for in vain just before: a second for an answer, not ten */
    bool *silent;         /* set where nobody answered in time; NULL: nobody minds */
};

struct config_place {
    const char *address; /* numeric */
    unsigned port;       /* 0: not told */
};

struct config_outside {
    const char *(*environment)(const char *name); /* NULL: not set */
    /* A regular file's whole content. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (a folder or device),
     * ERR_LIMIT (above `most` bytes), ERR_IO. */
    enum status (*read_file)(const char *path, size_t most, struct buffer *out);
    /* The places that a name leads to now, texts in the arena; how many, at most `most`. 0: *why says what is wrong.
     * Blocks. NULL: nobody is asked. */
    size_t (*resolve)(const struct config_name *name, struct arena *arena, struct config_place *out, size_t most,
                      const char **why);
    bool no_secrets; /* they are not looked up: each is a placeholder. For worlds that reach nobody */
};

/* The real one; live/outside.h has it with a resolver. */
extern const struct config_outside config_outside_real;

const char *config_outside_environment(const char *name);
enum status config_outside_read_file(const char *path, size_t most, struct buffer *out) MUST_CHECK;

#endif
