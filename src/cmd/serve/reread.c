#include "cmd/serve/reread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/serve/recall.h"
#include "config/compare.h"
#include "config/found.h"
#include "live/renewal.h"

enum { NAMED_MOST = 24 }; /* differences in one line of the log */

struct reread {
    struct reread_options options;
    struct reloader *reloader; /* NULL: not started, or there is nothing to read */
    bool stopped;
    atomic_bool finds; /* the one that begins looks only for replicas */
};

/* One SIGHUP on its way to the first worker. */
struct hangup {
    struct message message;
    struct reread *reread;
};

/* What changed, in one line. */
struct summary {
    struct buffer changed, kept; /* kept: read at the start only */
    size_t changed_count, kept_count;
};

static void
differs(void *context, struct slice path, enum config_difference how, bool restart)
{
    static const char *const words[] = {
        [DIFFERENCE_CHANGED] = "", [DIFFERENCE_ADDED] = " (added)", [DIFFERENCE_REMOVED] = " (removed)"};
    struct summary *summary = context;
    struct buffer *out = restart ? &summary->kept : &summary->changed;
    size_t *count = restart ? &summary->kept_count : &summary->changed_count;

    if ((*count)++ < NAMED_MOST)
        buffer_printf(out, "%s%.*s%s", buffer_len(out) > 0 ? ", " : "", SLICE_ARGS(path), words[how]);
}

static void
put_list(struct buffer *words, const char *title, const struct buffer *list, size_t count)
{
    buffer_add_text(words, title);
    buffer_add(words, buffer_content(list));
    if (count > NAMED_MOST)
        buffer_printf(words, " and %zu more", count - NAMED_MOST);
}

static void
put_summary(const struct config *present, const struct config *config, struct buffer *words)
{
    struct summary summary = {0};

    config_compare(present, config, differs, &summary);
    if (summary.changed_count == 0)
        buffer_add_text(words, "nothing that holds at once has changed");
    else
        put_list(words, "changed: ", &summary.changed, summary.changed_count);
    if (summary.kept_count > 0)
        put_list(words, "; only a restart changes: ", &summary.kept, summary.kept_count);
    buffer_add_byte(words, '\n');
    buffer_free(&summary.changed);
    buffer_free(&summary.kept);
}

/* Written before it holds: what held was written down, whatever happens in between. */
static void
write_down(const struct reread *reread, const struct config *config)
{
    const struct reread_options *options = &reread->options;
    enum status status =
        changes_log_compare(options->changes, config, options->gateway->salt, "file reload", false, clock_wall_us());

    if (status != OK)
        log_line(options->log, LOG_ERROR, "the log of changes did not take what the configuration changes: %s",
                 strerror(errno));
}

/* What was spent of budgets that are new. */
static enum status
recall(const struct reread *reread, const struct config *config, struct buffer *said)
{
    struct problems problems = {0};
    enum status status = recall_new_budgets(&reread->options.gateway->budgets, config, clock_wall_us(), &problems);

    problems_print(&problems, SLICE_NONE, false, said);
    problems_free(&problems);
    return status;
}

/* How many replicas each backend has now, where that is another number. */
static void
put_replicas(const struct config *present, const struct config *config, struct buffer *words)
{
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];
        const struct backend_config *was = config_backend(present, slice_of(backend->name));

        if (backend->discover != NULL && was != NULL && was->discover != NULL &&
            !found_equal(was->found, backend->found))
            buffer_printf(words, "replicas of %s: %zu, before %zu; ", backend->name, backend->endpoint_count,
                          was->endpoint_count);
    }
}

static enum status
load(void *context, const struct config *present, struct config **out, struct buffer *words)
{
    struct reread *reread = context;
    struct buffer said = {0};
    struct renewal *renewal = NULL;
    char problem[LIVE_PROBLEM_SIZE];
    const struct config_source *source = reread->options.source;
    bool finds = atomic_exchange(&reread->finds, false);
    enum status status = (finds ? source->find : source->load)(source->context, present, out, &said);

    if (status == OK) {
        status = renewal_read(reread->options.live, &renewal, problem);
        if (status != OK)
            buffer_printf(&said, "%s\n", problem);
    }
    if (status == OK)
        status = recall(reread, *out, &said);
    if (status == OK) {
        put_replicas(present, *out, words);
        put_summary(present, *out, words);
        write_down(reread, *out);
        renewal_use(renewal);
    } else {
        config_release(*out);
        *out = NULL;
    }
    buffer_add(words, buffer_content(&said));
    buffer_free(&said);
    return status;
}

static void
begins(void *context)
{
    struct reread *reread = context;

    reread->options.begins(reread->options.context);
}

static void
over(void *context, enum status status, struct slice words)
{
    struct reread *reread = context;
    struct slice rest = words, first = slice_split(&rest, '\n');

    if (status == OK) {
        log_line(reread->options.log, LOG_INFO, "the configuration was read again; %.*s", SLICE_ARGS(first));
        cmd_tell(rest);
    } else {
        log_line(reread->options.log, LOG_ERROR,
                 "the configuration was read again and is not taken over: what held "
                 "goes on holding, until what follows is mended");
        cmd_tell(words);
    }
    reread->options.over(reread->options.context, status);
}

struct reread *
reread_new(const struct reread_options *options)
{
    struct reread *reread = must_calloc(1, sizeof(*reread));

    reread->options = *options;
    return reread;
}

void
reread_free(struct reread *reread)
{
    if (reread == NULL)
        return;
    if (reread->reloader != NULL)
        reloader_free(reread->reloader);
    free(reread);
}

struct reloader *
reread_start(struct reread *reread, struct world *first)
{
    if (reread->options.source != NULL)
        reread->reloader =
            reloader_new(reread->options.gateway, first,
                         &(struct reload_options){.context = reread, .load = load, .begins = begins, .over = over});
    return reread->reloader;
}

void
reread_stop(struct reread *reread)
{
    reread->stopped = true;
    if (reread->reloader != NULL)
        reloader_stop(reread->reloader);
}

bool
reread_places(struct reread *reread)
{
    if (reread->stopped || reread->reloader == NULL || reread->options.source->find == NULL ||
        reloader_busy(reread->reloader))
        return false;
    atomic_store(&reread->finds, true);
    reloader_ask(reread->reloader, NULL);
    return true;
}

static void
deliver_hangup(struct message *message, struct world *to)
{
    struct hangup *hangup = CONTAINER_OF(message, struct hangup, message);
    struct reread *reread = hangup->reread;

    (void)to;
    free(hangup);
    if (reread->stopped)
        log_line(reread->options.log, LOG_WARN, "SIGHUP: the gateway is stopping, so nothing is read again");
    else if (reread->reloader == NULL)
        log_line(reread->options.log, LOG_WARN,
                 "SIGHUP: the gateway was started without a configuration file, so there is none to read again");
    else
        reloader_ask(reread->reloader, NULL);
}

void
reread_hangup(struct reread *reread)
{
    struct hangup *hangup = must_calloc(1, sizeof(*hangup));

    hangup->message.deliver = deliver_hangup;
    hangup->reread = reread;
    live_post(reread->options.live, 0, &hangup->message);
}
