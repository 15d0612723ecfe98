/* `equipoise changes`: who changed which lever, key, price or budget. */
#include <errno.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/data_folder.h"
#include "cmd/options.h"
#include "cmd/serve/changes_log.h"
#include "cmd/span.h"

enum { LOG_BYTES_MOST = 256 * 1024 * 1024 };

static const char *
member(yyjson_val *line, const char *name, const char *otherwise)
{
    const char *text = yyjson_get_str(yyjson_obj_get(line, name));

    return text != NULL ? text : otherwise;
}

static void
put_line(yyjson_val *line, struct buffer *out)
{
    const char *from = member(line, "from", NULL);

    buffer_printf(out, "%s  %s %s: %s -> %s  (%s%s%s)\n", member(line, "time", "?"), member(line, "what", "?"),
                  member(line, "name", "?"), member(line, "before", "nothing"), member(line, "after", "nothing"),
                  member(line, "who", "?"), from != NULL ? " from " : "", from != NULL ? from : "");
}

static bool
is_since(yyjson_val *line, usec since_us)
{
    usec at_us;

    return clock_parse_utc(slice_of(member(line, "time", "")), &at_us) == OK && at_us >= since_us;
}

/* Lines that are none are left out: a full disk may have torn one. */
static void
put_lines(struct slice lines, usec since_us, bool as_json, struct buffer *out)
{
    while (lines.len > 0) {
        struct slice text = slice_split(&lines, '\n');
        yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NOFLAG);
        yyjson_val *line = yyjson_doc_get_root(doc);

        if (yyjson_is_obj(line) && is_since(line, since_us)) {
            if (as_json)
                buffer_printf(out, "%.*s\n", SLICE_ARGS(text));
            else
                put_line(line, out);
        }
        yyjson_doc_free(doc);
    }
}

static int
show(const char *data, usec since_us, bool as_json)
{
    struct arena arena = {0};
    struct buffer lines = {0}, out = {0};
    const char *path = changes_log_path(&arena, data);
    int exit_status = CMD_FAILED;

    if (access(path, F_OK) != 0 && errno == ENOENT) {
        cmd_complain("there is no %s, and so no log of changes: the gateway begins one in its data folder when it "
                     "starts. If that is another, name it with --data or --config.",
                     path);
    } else if (cmd_read_file(path, LOG_BYTES_MOST, &lines) == OK) {
        put_lines(buffer_content(&lines), since_us, as_json, &out);
        if (buffer_len(&out) == 0 && !as_json)
            buffer_add_text(&out, "Nothing was changed in that time.\n");
        exit_status = cmd_print(buffer_content(&out)) ? CMD_FINE : CMD_FAILED;
    }
    buffer_free(&lines);
    buffer_free(&out);
    arena_reset(&arena);
    return exit_status;
}

int
cmd_changes(int argc, char **argv)
{
    struct data_folder folder = {0};
    struct arena arena = {0};
    const char *since = NULL;
    bool json = false;
    usec since_us = INT64_MIN;
    const struct option table[] = {
        DATA_FOLDER_OPTIONS(&folder),
        {"since", 0, OPTION_TEXT, "TIME", "a date, or how long ago: 24h, 7d (default: all)", &since},
        {"json", 0, OPTION_FLAG, NULL, "the lines as they stand in the log, each a JSON object", &json},
    };
    static const struct example examples[] = {
        {"equipoise changes --since 7d", "what was changed in the last week, by whom, from what to what"},
    };
    const struct options options = {
        .command = "changes",
        .summary = "Shows who changed which lever, key, price or budget, and when.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "Reads changes.log in the data folder, also while the gateway does not run. Times are UTC.\n"
                 "Of a key it shows a mark: another mark is another key. The user is the one that the caller told.\n",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (since != NULL && !span_parse("since", since, clock_wall_us(), &since_us))
        return CMD_USAGE;
    exit_status = data_folder_find(&folder, &arena);
    if (exit_status == CMD_FINE)
        exit_status = show(folder.data, since_us, json);
    arena_reset(&arena);
    return exit_status;
}
