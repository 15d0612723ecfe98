/* Appends rows to a journal as a worker does and waits until the ledger has them: `ledger_rows DIR ROWS DAYS`. Prints what
 * a row costs the thread that serves (encode OPEN and SETTLE, append them) and the ledger's thread. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "live/ledger_writer.h"

enum { PLANS_MOST = 512 };

/* What a plausible chat request books: texts of few values, all costs known. */
static void
fill(struct rng *rng, uint64_t id, int64_t wall_us, char *plans, struct row *row)
{
    static const char *const models[] = {"large-1", "small-1", "small-2"};
    static const char *const keys[] = {"web", "batch", "mobile"};

    row_init(row);
    row->id = id;
    row->arrived_wall_us = wall_us;
    row->key_name = slice_of(keys[rng_below(rng, 3)]);
    row->tenant = SLICE_LITERAL("acme");
    row->route = row->model_asked = SLICE_LITERAL("assistant");
    row->owner = SLICE_LITERAL("search-team");
    row->tags = SLICE_LITERAL("feature=search");
    row->api = SLICE_LITERAL("chat");
    row->model_served = slice_of(models[rng_below(rng, 3)]);
    row->backend = SLICE_LITERAL("here");
    row->provider = SLICE_LITERAL("openai");
    row->source = SLICE_LITERAL("reference");
    row->state = SLICE_LITERAL("ok");
    row->exactness = SLICE_LITERAL("exact");
    row->status = 200;
    row->attempts = 1;
    row->input_tokens = 100 + (int64_t)rng_below(rng, 3000);
    row->output_tokens = 1 + (int64_t)rng_below(rng, 900);
    row->input_cost = row->input_tokens * 1250000;
    row->output_cost = row->output_tokens * 10000000;
    row->cost = row->reserved_estimate = row->input_cost + row->output_cost;
    row->baseline = row->cost;
    row->queue_us = (int64_t)rng_below(rng, 100);
    row->first_token_us = (int64_t)rng_below(rng, 2000000);
    row->total_us = row->first_token_us + (int64_t)rng_below(rng, 4000000);
    row->request_bytes = row->input_tokens * 4;
    row->answer_bytes = row->output_tokens * 4;
    row->tries[0] = (struct attempt_line){.target = SLICE_LITERAL("here/large-1"),
                                          .state = SLICE_LITERAL("ok"),
                                          .status = 200,
                                          .cost = row->cost,
                                          .ended_us = row->total_us};
    row->try_count = 1;
    /* Expected costs differ from request to request, and so do the plans. */
    snprintf(plans, PLANS_MOST,
             "[{\"t\":\"here/large-1\",\"s\":\"reference\",\"c\":\"0.%010llu\",\"f\":400,\"m\":1900,"
             "\"q\":1000000,\"v\":\"chosen\"},{\"t\":\"there/large-1\",\"s\":\"model\",\"c\":\"0.%010llu\",\"f\":700,"
             "\"m\":2100,\"q\":1000000,\"v\":\"a cheaper plan was acceptable\"}]",
             (unsigned long long)rng_below(rng, 1000000), (unsigned long long)rng_below(rng, 1000000));
    row->plans = slice_of(plans);
}

static double
cpu_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

/* What encoding and appending cost the thread that serves; making up rows is not in it. */
struct served {
    double encode_us, append_us;
};

static void
append_row(struct ledger_writer *writer, const struct row *row, struct buffer *record, struct served *out)
{
    double start_us = cpu_us(), encoded_us;

    journal_put_open(record, row);
    journal_put_settle(record, row);
    encoded_us = cpu_us();
    out->encode_us += encoded_us - start_us;
    /* Full: this loop is faster than the thread that allocates ahead. */
    while (ledger_writer_append(writer, 0, buffer_content(record)) != OK)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    out->append_us += cpu_us() - encoded_us;
    buffer_clear(record);
}

static struct served
append_rows(struct ledger_writer *writer, uint64_t rows, int64_t step_us)
{
    struct buffer record = {0};
    struct served served = {0};
    struct rng rng;
    struct row row;
    char plans[PLANS_MOST];
    int64_t now_us = clock_wall_us();

    rng_seed(&rng, 1);
    for (uint64_t i = 0; i < rows; i++) {
        fill(&rng, (i + 1) << 20, now_us - (int64_t)(rows - i) * step_us, plans, &row);
        append_row(writer, &row, &record, &served);
    }
    buffer_free(&record);
    return served;
}

/* CPU so far of each thread but this one, the busiest first: the ledger's, then the one that allocates and syncs. Linux. */
static void
other_threads_us(double out[2])
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;

    out[0] = out[1] = 0;
    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        char path[300];
        double ns = 0;
        FILE *file;

        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", task->d_name);
        file = fopen(path, "r");
        if (file != NULL && fscanf(file, "%lf", &ns) == 1 && ns / 1e3 > out[0]) {
            out[1] = out[0];
            out[0] = ns / 1e3;
        } else if (ns / 1e3 > out[1]) {
            out[1] = ns / 1e3;
        }
        if (file != NULL)
            fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
}

static double
clock_read_us(void)
{
    double start_us = cpu_us();

    for (int i = 0; i < 1000; i++)
        cpu_us();
    return (cpu_us() - start_us) / 1000;
}

int
main(int argc, char **argv)
{
    struct problems problems = {0};
    struct ledger_writer *writer;
    struct log log = log_to_stderr(LOG_WARN);
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    int64_t days = argc > 3 ? strtoll(argv[3], NULL, 10) : 0;
    usec started_us;
    double others_us[2];
    struct served served;

    if (rows == 0 || days <= 0) {
        fprintf(stderr, "usage: ledger_rows DIR ROWS DAYS\n");
        return 2;
    }
    if (ledger_writer_start(&(struct ledger_options){.dir = argv[1], .workers = 1, .log = &log}, &problems, &writer) !=
        OK) {
        fprintf(stderr, "%s\n", problems.all[0].text);
        return 1;
    }
    started_us = clock_now_us();
    served = append_rows(writer, rows, days * 86400 * USEC_PER_S / (int64_t)rows);
    if (ledger_writer_drain(writer) != OK)
        return 1;
    other_threads_us(others_us);
    printf(
        "CPU a row: encode %.2f us, append %.2f us (both with a clock read of %.2f us); the ledger's thread %.2f us, "
        "the journal's %.2f us\n",
        served.encode_us / (double)rows, served.append_us / (double)rows, clock_read_us(), others_us[0] / (double)rows,
        others_us[1] / (double)rows);
    printf("in the ledger: %.2f us a row, %.0f rows/s\n", (double)(clock_now_us() - started_us) / (double)rows,
           (double)rows * 1e6 / (double)(clock_now_us() - started_us));
    ledger_writer_stop(writer);
    return 0;
}
