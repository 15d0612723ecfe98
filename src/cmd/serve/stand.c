#include "cmd/serve/stand_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "cache/file.h"
#include "cmd/cmd.h"
#include "gateway/reuse/turn_keeper.h"
#include "version.h"

static void
format_url(char *out, size_t size, const struct listen_address *address, unsigned port, bool tls)
{
    bool any = address->host[0] == '\0' || strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
    const char *host = any ? "127.0.0.1" : address->host;
    bool six = strchr(host, ':') != NULL;

    snprintf(out, size, "http%s://%s%s%s:%u", tls ? "s" : "", six ? "[" : "", host, six ? "]" : "", port);
}

void
stand_free(struct stand *stand)
{
    if (stand->serving) {
        live_stop(stand->live, false);
        live_join(stand->live);
    }
    if (stand->ledger != NULL)
        ledger_writer_stop(stand->ledger);
    conserve_free(&stand->conserve);
    /* The ledger's last check still reads the workers' counters. */
    for (unsigned i = 0; i < stand->gateway.worker_count; i++)
        gateway_worker_free(stand->gateway.workers[i]);
    stand->gateway.worker_count = 0;
    reread_free(stand->reread);
    live_free(stand->live);
    supervision_free(&stand->supervision);
    changes_log_close(stand->changes);
    evidence_keeper_close(stand->evidence);
    sizer_close(stand->sizer);
    if (stand->gateway.cache_file != NULL)
        cache_file_close(stand->gateway.cache_file);
    turn_keeper_free(stand->notes);
    gateway_free(&stand->gateway);
    config_release(stand->config);
    free(stand);
}

int
stand_new(struct config *config, const struct config_source *source, struct stand **out)
{
    struct stand *stand = must_calloc(1, sizeof(*stand));
    int exit_status;

    stand->config = config_hold(config);
    stand->log = log_to_stderr(LOG_INFO);
    gateway_init(&stand->gateway, config, &stand->log, 0);
    gateway_open_meanings(&stand->gateway); /* now, and not on a worker's loop */
    conserve_init(&stand->conserve, &stand->gateway.budgets);
    atomic_init(&stand->reloaded_wall_us, INT64_MAX); /* nothing is compared before it was recalled */
    supervision_init(&stand->supervision, &stand->gateway);
    exit_status = stand_open(stand);
    if (exit_status != CMD_FINE) {
        stand_free(stand);
        return exit_status;
    }
    stand_open_reread(stand, source);
    format_url(stand->url, sizeof(stand->url), &config->listen, live_port(stand->live, LISTENER_CLIENTS),
               config->tls.cert != NULL);
    format_url(stand->admin_url, sizeof(stand->admin_url), &config->admin, live_port(stand->live, LISTENER_ADMIN),
               false);
    *out = stand;
    return CMD_FINE;
}

const char *
stand_url(const struct stand *stand)
{
    return stand->url;
}

const char *
stand_admin_url(const struct stand *stand)
{
    return stand->admin_url;
}

void
stand_run(struct stand *stand)
{
    live_run(stand->live);
}

void
stand_start(struct stand *stand)
{
    live_start(stand->live);
    stand->serving = true;
}

enum status
stand_settle(struct stand *stand)
{
    enum status status = ledger_writer_drain(stand->ledger);

    return status == OK ? evidence_keeper_write(stand->evidence) : status;
}

static bool
speaks_dialect(const struct config *config, enum dialect dialect)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].dialect == dialect)
            return true;
    return false;
}

/* The line to change in an application, as the SDKs read it: OpenAI's has the /v1, Anthropic's adds it. */
static void
tell_address(const struct stand *stand)
{
    const struct config *config = stand->config;
    bool anthropic = speaks_dialect(config, DIALECT_ANTHROPIC);
    bool openai = speaks_dialect(config, DIALECT_OPENAI) || !anthropic;

    fprintf(stderr, "Equipoise %s serves on %s (admin %s, ledger in %s)\n", EQUIPOISE_VERSION, stand->url,
            stand->admin_url, config->data);
    if (openai)
        fprintf(stderr, "In your application:  export OPENAI_BASE_URL=%s/v1\n", stand->url);
    if (anthropic)
        fprintf(stderr, "%s  export ANTHROPIC_BASE_URL=%s\n",
                openai ? "  or for Anthropic's:" : "In your application:", stand->url);
    if (config->key_count == 0)
        fputs("  with any API key, as the gateway asks for none.\n", stderr);
    if (config->observe)
        fputs("It observes: requests are forwarded and booked, never altered or refused.\n", stderr);
}

int
stand_serve(struct config *config, const struct config_source *source)
{
    struct stand *stand;
    int exit_status = stand_new(config, source, &stand);

    if (exit_status != CMD_FINE)
        return exit_status;
    tell_address(stand);
    stand->speaks = true;
    stand_run(stand);
    stand_free(stand);
    fputs("Stopped. The ledger is written.\n", stderr);
    return CMD_FINE;
}
