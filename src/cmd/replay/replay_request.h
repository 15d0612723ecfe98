/* Requests as clients would have sent them, made from what a trace tells: lengths, not words. The prompt is filler of four
 * bytes a token; blocks that a trace names have the same bytes wherever they stand, and where it names none no two prompts
 * begin alike. The lengths themselves go along in the headers that the modelled backend reads (twin/said.h); it knows no
 * lengths below 1. */
#ifndef CMD_REPLAY_REQUEST_H
#define CMD_REPLAY_REQUEST_H

#include "config/config.h"
#include "virtual/player.h"
#include "virtual/trace.h"

enum { REPLAY_HEADERS_MOST = 8, REPLAY_BYTES_PER_TOKEN = 4 };

struct replay_writer {
    const struct config *config;
    const struct route_config *route; /* where a trace names none that the configuration has */
    const struct key_config *key;     /* likewise; NULL: the gateway is open */
    uint64_t rerouted;                /* how many named a route that the configuration does not have */
    struct http_header headers[REPLAY_HEADERS_MOST];
    char authorization[80], input[24], output[24], block[24];
    uint64_t written;
    uint64_t rounded; /* asked for no token of input or of output, which was made one */
    struct buffer body, blocks;
};

/* The keys of the configuration become known ones: replays know no secrets. */
void replay_keys_replace(struct config *config);

void replay_writer_init(struct replay_writer *writer, const struct config *config, const struct route_config *route,
                        const struct key_config *key);
void replay_writer_free(struct replay_writer *writer);

/* Fills head and body, which stay until the next one, and at_us. */
void replay_write(struct replay_writer *writer, const struct trace_request *request, struct play_request *out);

#endif
