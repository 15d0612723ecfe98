#include "config/config.h"
#include "config/table.h"

static struct problem
about(const struct config *config, enum severity severity, const char *hint)
{
    return (struct problem){.severity = severity, .file = config->file, .hint = hint};
}

void
config_check_exposure(const struct config *config, struct problems *problems)
{
    const char *host = config->listen.host[0] != '\0' ? config->listen.host : "all addresses";

    if (config->key_count == 0 && config->listen.loopback)
        problems_add(problems, about(config, PROBLEM_WARNING, "`equipoise keys add NAME` makes a key."),
                     "there are no keys: whoever can reach %s on this machine can spend your money", host);
    else if (config->key_count == 0)
        problems_add(problems,
                     about(config, PROBLEM_ERROR,
                           "Add these two lines, the second as `equipoise keys add web` prints it:\n"
                           "           keys:\n"
                           "             web: { sha256: ... }"),
                     "listening on %s without keys would let anybody spend your money", host);
    else if (!config->listen.loopback && config->tls.cert == NULL)
        problems_add(problems,
                     about(config, PROBLEM_WARNING,
                           "Add tls: { cert: server.pem, key: server.key }, or put a TLS proxy in front."),
                     "listening on %s without TLS: keys and texts travel unencrypted", host);
}

void
config_check_backends(const struct config *config, struct problems *problems)
{
    if (config->backend_count == 0)
        problems_add(problems,
                     about(config, PROBLEM_WARNING, "Add `backends:`; `equipoise init` writes what it finds here."),
                     "there are no backends: every request is answered with an error");
}
