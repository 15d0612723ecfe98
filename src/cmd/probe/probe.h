/* A look at what runs on this machine's ports, before there is a world to ask through. Blocks, for a short while. */
#ifndef CMD_PROBE_H
#define CMD_PROBE_H

#include "base/buffer.h"

/* GET http://127.0.0.1:PORT/PATH without TLS; appends the body of a 200. ERR_NOT_FOUND: nobody there, another status,
 * no answer within a second, or more than `most` bytes. */
enum status probe_local(unsigned port, const char *path, size_t most, struct buffer *body) MUST_CHECK;

/* True if a server could listen on 127.0.0.1:PORT. */
bool probe_port_is_free(unsigned port);

#endif
