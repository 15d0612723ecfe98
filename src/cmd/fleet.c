/* `equipoise fleet`: engines of one's own as the running gateway sees them: a table, how busy they were, and what the size of
 * a batch comes to. */
#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "base/usd.h"
#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

enum { BAR_WIDTH = 32, CELL = 24, LEVELS = 8 };

static double
number_of(yyjson_val *value, const char *name)
{
    yyjson_val *member = yyjson_obj_get(value, name);

    return yyjson_is_num(member) ? yyjson_get_num(member) : -1;
}

static const char *
text_of(yyjson_val *value, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(value, name));

    return text != NULL ? text : "-";
}

/* "-" where it is not known. */
static const char *
show(double number, const char *format, double factor, char cell[CELL])
{
    if (number < 0)
        return "-";
    snprintf(cell, CELL, format, number * factor);
    return cell;
}

static const char *
show_usd(yyjson_val *value, const char *name, char cell[CELL])
{
    const char *text = yyjson_get_str(yyjson_obj_get(value, name));
    usd amount;

    if (text == NULL || usd_parse(slice_of(text), &amount) != OK)
        return "-";
    snprintf(cell, CELL, "$%.4g", (double)amount / (double)USD_ONE);
    return cell;
}

/* The table */

static void
print_replica(yyjson_val *replica)
{
    yyjson_val *minute = yyjson_obj_get(replica, "minute"), *hour = yyjson_obj_get(replica, "hour");
    double output = number_of(minute, "output_per_second"), capacity = number_of(replica, "capacity_per_second");
    bool told = yyjson_get_bool(yyjson_obj_get(replica, "kv_told"));
    char cells[11][CELL];

    printf("  %-24.24s %-5s %9s %6s %6s %7s %7s %5s%s %6s %8s %9s %9s %9s\n", text_of(replica, "name"),
           text_of(replica, "state"), show(number_of(replica, "in_flight"), "%.0f", 1, cells[0]),
           show(number_of(replica, "others"), "%.0f", 1, cells[9]),
           show(number_of(replica, "queued"), "%.0f", 1, cells[1]),
           show(number_of(minute, "busy"), "%.0f%%", 100, cells[2]),
           show(number_of(hour, "busy"), "%.0f%%", 100, cells[3]),
           show(number_of(replica, "kv"), "%.0f%%", 100, cells[4]), told ? " " : "~",
           show(number_of(minute, "batch"), "%.1f", 1, cells[5]), show(output, "%.4g", 1, cells[6]),
           show(capacity > 0 && output >= 0 ? output / capacity : -1, "%.0f%%", 100, cells[7]),
           show_usd(replica, "idle_usd_per_hour", cells[8]), show_usd(replica, "usd_per_million_tokens", cells[10]));
}

static void
print_engine(yyjson_val *pool)
{
    yyjson_val *engine = yyjson_obj_get(pool, "engine");
    char cells[8][CELL];

    printf("  engine model %s: alpha %s ms, beta %s us, delta %s ns, epsilon %s ns, gamma %s us, host %s ms\n",
           text_of(engine, "from"), show(number_of(engine, "alpha_us"), "%.3g", 1e-3, cells[0]),
           show(number_of(engine, "beta_us"), "%.3g", 1, cells[1]),
           show(number_of(engine, "delta_us"), "%.3g", 1e3, cells[2]),
           show(number_of(engine, "epsilon_us"), "%.3g", 1e3, cells[3]),
           show(number_of(engine, "gamma_us"), "%.3g", 1, cells[4]),
           show(number_of(engine, "host_us"), "%.3g", 1e-3, cells[5]));
    printf("    off by %s from token to token, %s to a first token (medians); %s answers, %s left out%s\n",
           show(number_of(engine, "gap_error"), "%.1f%%", 100, cells[0]),
           show(number_of(engine, "first_token_error"), "%.1f%%", 100, cells[1]),
           show(number_of(engine, "samples"), "%.0f", 1, cells[2]),
           show(number_of(engine, "gated"), "%.0f", 1, cells[3]),
           yyjson_get_bool(yyjson_obj_get(engine, "alpha_told")) ? "" : "; alpha and host cannot be told apart yet");
}

static void
print_batch(yyjson_val *pool)
{
    yyjson_val *batch = yyjson_obj_get(pool, "batch");
    char cells[3][CELL];

    if (!yyjson_is_obj(batch))
        return;
    printf("  recommended: max_num_seqs %s (%s)", show(number_of(batch, "most"), "%.0f", 1, cells[0]),
           text_of(batch, "why"));
    if (number_of(batch, "gap_limit_ms") > 0)
        printf(", %s ms from token to token", show(number_of(batch, "gap_limit_ms"), "%.4g", 1, cells[1]));
    printf("; %s tokens/s a replica\n", show(number_of(batch, "tokens_per_second"), "%.4g", 1, cells[2]));
}

/* How many replicas the traffic needs. */
static void
print_size(yyjson_val *pool)
{
    yyjson_val *size = yyjson_obj_get(pool, "size");
    char cells[3][CELL];

    if (!yyjson_is_obj(size))
        return;
    printf("  replicas: %s there, %s wanted (%s); another takes %s s to start\n",
           show(number_of(size, "there"), "%.0f", 1, cells[0]), show(number_of(size, "wanted"), "%.0f", 1, cells[1]),
           text_of(size, "why"), show(number_of(size, "cold_start_s"), "%.3g", 1, cells[2]));
}

static void
print_price(yyjson_val *pool)
{
    char cell[CELL];

    if (!yyjson_is_null(yyjson_obj_get(pool, "usd_per_million_tokens")))
        printf("  a million tokens came to %s in the last minute, idle time and all\n",
               show_usd(pool, "usd_per_million_tokens", cell));
}

/* Plots */

/* A column of eight heights; ASCII where the output is no terminal that can. */
static void
print_level(double share, bool blocks)
{
    static const char *const bars[LEVELS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char plain[LEVELS + 1] = " .:-=+*#@";
    int level = share < 0 ? 0 : (int)ceil(fmin(share, 1) * LEVELS);

    if (blocks)
        fputs(bars[level], stdout);
    else
        putchar(plain[level]);
}

static void
print_busy(yyjson_val *replicas, bool blocks)
{
    yyjson_val *replica;
    size_t i, count;

    puts("  busy, minute by minute, now at the right");
    yyjson_arr_foreach(replicas, i, count, replica)
    {
        yyjson_val *minute;
        size_t k, minutes;

        printf("  %-24.24s |", text_of(replica, "name"));
        yyjson_arr_foreach(yyjson_obj_get(replica, "busy_minutes"), k, minutes, minute)
        {
            print_level(yyjson_is_num(minute) ? yyjson_get_num(minute) : -1, blocks);
        }
        puts("|");
    }
}

static double
most_of(yyjson_val *curve, const char *name)
{
    yyjson_val *point;
    double most = 0;
    size_t i, count;

    yyjson_arr_foreach(curve, i, count, point) most = fmax(most, number_of(point, name));
    return most;
}

static void
print_bar(double share)
{
    for (int i = 0; i < BAR_WIDTH; i++)
        putchar(i < (int)lround(share * BAR_WIDTH) ? '#' : ' ');
}

static void
print_curve(yyjson_val *curve)
{
    double most = most_of(curve, "gap_ms");
    yyjson_val *point;
    size_t i, count;

    if (yyjson_arr_size(curve) == 0)
        return;
    puts("  batch    gap ms   modelled  $/Mtoken out  gap");
    yyjson_arr_foreach(curve, i, count, point)
    {
        char cells[4][CELL];

        printf("  %5s %9s %10s %13s  ", show(number_of(point, "batch"), "%.1f", 1, cells[0]),
               show(number_of(point, "gap_ms"), "%.4g", 1, cells[1]),
               show(number_of(point, "model_gap_ms"), "%.4g", 1, cells[2]),
               show_usd(point, "usd_per_million_output", cells[3]));
        print_bar(most > 0 ? number_of(point, "gap_ms") / most : 0);
        putchar('\n');
    }
}

static void
print_pool(yyjson_val *pool, bool blocks)
{
    yyjson_val *replicas = yyjson_obj_get(pool, "replicas"), *replica;
    char cell[CELL];
    size_t i, count;

    printf("%s/%s%s, %zu replicas, %s an hour each\n", text_of(pool, "backend"), text_of(pool, "model"),
           yyjson_get_bool(yyjson_obj_get(pool, "modelled")) ? " (modelled)" : "", yyjson_arr_size(replicas),
           show_usd(pool, "usd_per_hour", cell));
    printf("  %-24s %-5s %9s %6s %6s %7s %7s %5s  %6s %8s %9s %9s %9s\n", "replica", "state", "in flight", "others",
           "queued", "busy 1m", "busy 1h", "KV", "batch", "tokens/s", "of most", "idle $/h", "$/Mtoken");
    yyjson_arr_foreach(replicas, i, count, replica) print_replica(replica);
    print_price(pool);
    print_size(pool);
    print_engine(pool);
    print_batch(pool);
    print_busy(replicas, blocks);
    print_curve(yyjson_obj_get(pool, "curve"));
}

static int
print_fleet(struct slice json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, YYJSON_READ_NOFLAG);
    yyjson_val *pools = yyjson_obj_get(yyjson_doc_get_root(doc), "pools"), *pool;
    bool understood = yyjson_is_arr(pools);
    size_t i, count;

    if (!understood)
        cmd_complain("the gateway's answer is not understood; is it another version than this program?");
    else if (yyjson_arr_size(pools) == 0)
        puts("No route leads to an engine of your own: a backend with engine, engine_model or usd_per_hour.");
    yyjson_arr_foreach(pools, i, count, pool)
    {
        if (i > 0)
            putchar('\n');
        print_pool(pool, cmd_colour(stdout));
    }
    yyjson_doc_free(doc);
    return understood ? CMD_FINE : CMD_FAILED;
}

int
cmd_fleet(int argc, char **argv)
{
    const char *admin = NULL;
    bool json = false;
    const struct option table[] = {
        ADMIN_OPTION(&admin),
        {"json", 0, OPTION_FLAG, NULL, "as JSON; dollars are exact decimal texts", &json},
    };
    static const struct example examples[] = {
        {"equipoise fleet", "replicas, how busy they are, what they are like, and what their batches come to"},
        {"equipoise fleet --json", "the same, for programs"},
    };
    const struct options options = {
        .command = "fleet",
        .summary =
            "Shows engines of your own: in flight, busy, idle dollars, how many replicas are wanted, the engine model\n"
            "and its error, and the batch size that the routes' limits want.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "Engines are backends with engine, engine_model or usd_per_hour that some route names.\n"
                 "$/Mtoken is what tokens, read and written, came to in the last minute, idle time and all.\n"
                 "KV with ~ is of our own requests alone, as the engine does not tell.\n"
                 "`of most` is the output against what the engine's model allows within the routes' limits.\n"
                 "Exit status: 0 fine, 1 no gateway answers, 2 the command line is wrong.",
    };
    struct buffer out = {0};
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    exit_status = admin_call(admin, "GET", "/fleet", SLICE_NONE, &out);
    if (exit_status == CMD_FINE && json)
        exit_status = cmd_print(buffer_content(&out)) && putchar('\n') != EOF ? CMD_FINE : CMD_FAILED;
    else if (exit_status == CMD_FINE)
        exit_status = print_fleet(buffer_content(&out));
    buffer_free(&out);
    return exit_status;
}
