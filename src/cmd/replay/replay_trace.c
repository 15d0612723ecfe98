#include "cmd/replay/replay_trace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "money/ledger/ledger_sqlite.h"

enum { PROBLEMS_SHOWN = 8 };

/* sqlite.org/fileformat2.html, 1.3 */
static const char sqlite_mark[16] = "SQLite format 3";

static bool
is_directory(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool
is_sqlite(const char *path)
{
    char head[sizeof(sqlite_mark)];
    FILE *file = fopen(path, "rb");
    bool is = file != NULL && fread(head, 1, sizeof(head), file) == sizeof(head) &&
              memcmp(head, sqlite_mark, sizeof(head)) == 0;

    if (file != NULL)
        fclose(file);
    return is;
}

static enum status
open_directory(struct replay_trace *trace, const char *path, const struct trace_options *options)
{
    enum status status = ledger_view_open(path, &trace->problems, &trace->view);

    if (status != OK)
        return status;
    return trace_open_ledger(trace->view.stores, trace->view.count, path, options, &trace->problems, &trace->trace);
}

static enum status
open_ledger(struct replay_trace *trace, const char *path, const struct trace_options *options)
{
    enum status status = ledger_sqlite_open(path, LEDGER_READ, &trace->problems, &trace->ledger);

    if (status == OK)
        status = trace->ledger->ops->begin(trace->ledger);
    if (status == OK)
        return trace_open_ledger(&trace->ledger, 1, path, options, &trace->problems, &trace->trace);
    if (trace->problems.errors == 0)
        problems_add(&trace->problems, (struct problem){.file = path}, "the ledger cannot be read: %s",
                     status_text(status));
    return status;
}

static enum status
open_file(struct replay_trace *trace, const char *path, const struct trace_options *options)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat about;

    trace->file = standard ? stdin : fopen(path, "rb");
    if (trace->file == NULL) {
        problems_add(&trace->problems, (struct problem){.file = path}, "cannot be opened: %s", strerror(errno));
        return ERR_IO;
    }
    if (fstat(fileno(trace->file), &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0)
        trace->size = (uint64_t)about.st_size;
    return trace_open(trace->file, trace->name, options, &trace->problems, &trace->trace);
}

int
replay_trace_open(struct replay_trace *trace, const char *path, const struct trace_options *options)
{
    bool any = options->format == TRACE_ANY, ledger = options->format == TRACE_LEDGER;
    enum status status;

    *trace = (struct replay_trace){.name = strcmp(path, "-") == 0 ? "standard input" : path,
                                   .bounded = options->from_us != 0 || options->until_us != 0};
    problems_init(&trace->problems);
    if ((any || ledger) && strcmp(path, "-") != 0 && is_sqlite(path))
        status = open_ledger(trace, path, options);
    else if (ledger || (any && is_directory(path)))
        status = open_directory(trace, path, options);
    else
        status = open_file(trace, path, options);
    if (status == OK)
        return CMD_FINE;
    cmd_print_problems(&trace->problems, SLICE_NONE);
    return CMD_FAILED;
}

void
replay_trace_say_empty(const struct replay_trace *trace)
{
    bool left_out = trace->trace != NULL && trace_left_out(trace->trace) > 0;

    cmd_complain("replay: %s holds no request%s%s.", trace->name, trace->bounded ? " between --from and --until" : "",
                 left_out ? " that asked for tokens of a model" : "");
}

void
replay_trace_complain(struct replay_trace *trace)
{
    struct trace_request request;
    enum status status = ERR_INVALID;

    while ((status == OK || status == ERR_INVALID) && trace->problems.count < PROBLEMS_SHOWN)
        status = trace_next(trace->trace, &request);
    cmd_print_problems(&trace->problems, SLICE_NONE);
    if (trace->problems.count == PROBLEMS_SHOWN)
        cmd_complain("replay: more may be wrong with this trace.");
}

void
replay_trace_close(struct replay_trace *trace)
{
    trace_close(trace->trace);
    ledger_view_close(&trace->view);
    if (trace->ledger != NULL) {
        trace->ledger->ops->rollback(trace->ledger);
        trace->ledger->ops->close(trace->ledger);
    }
    if (trace->file != NULL && trace->file != stdin)
        fclose(trace->file);
    problems_free(&trace->problems);
}
