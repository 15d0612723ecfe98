/* Puts the gateway on its feet: ledger, workers, listeners; and the modelled backend in the same process where nothing
 * else is there to serve. What `serve` and `demo` share. */
#ifndef CMD_STAND_H
#define CMD_STAND_H

#include "base/buffer.h"
#include "config/config.h"

/* A running gateway. */
struct stand;

struct config_source;

/* Opens the ledger and the listeners. On failure it has said why; the result is an exit status. Takes its own hold on
 * the configuration. `source` (NULL: none) is where it is read from again; it stays until stand_free. */
int stand_new(struct config *config, const struct config_source *source, struct stand **out) MUST_CHECK;

/* The URL for clients: "http://127.0.0.1:8080". Lives as long as the stand. */
const char *stand_url(const struct stand *stand);
const char *stand_admin_url(const struct stand *stand);

/* Serves until a signal ends it, then drains. */
void stand_run(struct stand *stand);

/* Serves on threads of its own until stand_free. */
void stand_start(struct stand *stand);

/* Drains if it serves, writes the ledger and frees all. */
void stand_free(struct stand *stand);

/* new, print the URL and the line to change, run, free: an exit status. */
int stand_serve(struct config *config, const struct config_source *source);

/* Everything that was settled so far is in the ledger when it returns. */
enum status stand_settle(struct stand *stand) MUST_CHECK;

/* A modelled backend on a free loopback port, in this process. */
struct stand_twin;
struct twin_settings;

/* `settings` NULL: the usual models at the pace of a small hosted model. */
int stand_twin_start(const struct twin_settings *settings, struct stand_twin **out) MUST_CHECK;
void stand_twin_stop(struct stand_twin *twin);
unsigned stand_twin_port(const struct stand_twin *twin);

/* Appends the configuration that uses it: backends and prices. */
void stand_twin_config(const struct stand_twin *twin, struct buffer *out);

#endif
