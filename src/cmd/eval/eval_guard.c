/* equipoise eval guard: how soon evidence notices that answers have become worse. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cmd/eval/eval_commands.h"
#include "cmd/eval/eval_drift.h"
#include "cmd/eval/guard_file.h"
#include "cmd/options.h"
#include "config/value.h"

enum {
    HISTORIES_MOST = 100000,
    WATCHED = 20000, /* audits after a change */
    QUIET = 500,     /* audits at the floor in which a suspension is a false alarm */
    YOUNG = 100,     /* audits before the change */
    GROWN = 500,
    OLD = 8000,
    CHANGES_SHOWN_MOST = 256
};

struct wanted {
    const char *floor, *confidence;
    uint64_t seed, histories;
    bool json;
};

struct settings {
    uint32_t floor_ppm, alpha_ppm;
    uint64_t seed;
    unsigned histories;
};

/* A change, and how soon it is noticed at three ages. */
struct told {
    const char *task, *from, *to; /* to: NULL where the change is made up */
    bool paired;
    double before, after; /* shares of acceptable answers */
    struct drift_summary young, grown, old;
};

struct result {
    struct settings settings;
    struct told changes[CHANGES_SHOWN_MOST];
    size_t change_count;
    struct drift_summary quiet; /* at the floor */
};

static struct drift_summary
play(const struct settings *settings, struct drift_source before, struct drift_source after, unsigned age,
     unsigned most)
{
    const struct drift_wanted wanted = {.floor_ppm = settings->floor_ppm,
                                        .alpha_ppm = settings->alpha_ppm,
                                        .before = before,
                                        .after = after,
                                        .age = age,
                                        .most = most,
                                        .histories = settings->histories,
                                        .seed = settings->seed};

    return drift_play(&wanted);
}

static void
tell(struct result *result, struct told told, struct drift_source before, struct drift_source after)
{
    const struct settings *settings = &result->settings;

    if (result->change_count == CHANGES_SHOWN_MOST)
        return;
    told.before = drift_source_mean(&before);
    told.after = drift_source_mean(&after);
    told.young = play(settings, before, after, YOUNG, WATCHED);
    told.grown = play(settings, before, after, GROWN, WATCHED);
    told.old = play(settings, before, after, OLD, WATCHED);
    result->changes[result->change_count++] = told;
}

static void
tell_file(struct result *result, const struct guard_answers *answers)
{
    struct guard_change *changes;
    size_t count = guard_changes(answers, &changes);

    for (size_t i = 0; i < count; i++) {
        const struct guard_change *one = &changes[i];

        tell(result, (struct told){.task = one->task, .from = one->from, .to = one->to, .paired = one->paired},
             (struct drift_source){.outcomes = one->before, .count = one->before_count},
             (struct drift_source){.outcomes = one->after, .count = one->after_count});
    }
    guard_changes_free(changes, count);
}

/* From answers a third as often wrong as the floor allows, to far below the floor and to little below it. */
static void
tell_made_up(struct result *result)
{
    const double floor = (double)result->settings.floor_ppm / PPM;
    const double after[] = {.5, .75, floor - .1, floor - .05, floor - .02};
    const struct drift_source good = {.chance = 1 - (1 - floor) / 3}, at_floor = {.chance = floor};

    for (unsigned i = 0; i < sizeof after / sizeof after[0]; i++) {
        const struct drift_source fallen = {.chance = after[i]};

        if (after[i] > 0)
            tell(result, (struct told){.task = "made up"}, good, fallen);
    }
    result->quiet = play(&result->settings, at_floor, at_floor, 0, QUIET);
}

static void
add_labels(struct buffer *out, double labels, unsigned width)
{
    if (isinf(labels))
        buffer_printf(out, "%*s", width, "not seen");
    else
        buffer_printf(out, "%*.0f", width, labels);
}

static void
add_told(const struct told *told, struct buffer *out)
{
    bool falls = !isinf(told->grown.median);

    buffer_printf(out, "%-22.22s%-22.22s%8.3f%8.3f", told->task, told->to != NULL ? told->to : "", told->before,
                  told->after);
    if (told->grown.never_served == told->grown.histories) {
        buffer_add_text(out, "  never served: nothing to lose\n");
        return;
    }
    add_labels(out, told->young.median, 10);
    add_labels(out, told->grown.median, 10);
    add_labels(out, told->grown.p95, 10);
    add_labels(out, told->old.median, 10);
    if (falls)
        buffer_printf(out, "%10.0f%10.0f%10u", told->grown.median * PPM / AUDIT_SERVING_PPM,
                      told->grown.median * PPM / AUDIT_STALLED_PPM, told->grown.relearned);
    else
        buffer_printf(out, "%10s%10s%10s", "-", "-", "-");
    buffer_printf(out, "%8u\n", told->young.early + told->grown.early + told->old.early);
}

static void
add_text(const struct result *result, struct buffer *out)
{
    const struct settings *settings = &result->settings;

    buffer_printf(out, "Floor %g %% of what is served, %u histories each, seed %llu.\n\n", settings->floor_ppm / 1e4,
                  settings->histories, (unsigned long long)settings->seed);
    buffer_printf(out, "%-22s%-22s%8s%8s%10s%10s%10s%10s%10s%10s%10s%8s\n", "", "", "", "", "after 100", "after 500",
                  "", "8,000", "exposed", "exposed", "good ones", "early");
    buffer_printf(out, "%-22s%-22s%8s%8s%10s%10s%10s%10s%10s%10s%10s%8s\n", "task", "new version", "before", "after",
                  "median", "median", "p95", "median", "at 10 %", "at 3 %", "to serve", "alarms");
    for (size_t i = 0; i < result->change_count; i++)
        add_told(&result->changes[i], out);
    buffer_printf(
        out,
        "\nAudits from the change until nothing is served any more, after so many audits while serving. "
        "Exposed: requests that\nare served or audited until then, while a tenth or 3 %% of them are audited. "
        "Good ones: acceptable answers in a row\nuntil it serves again.\nFalse alarms with answers exactly at "
        "the floor: %u of %u histories of %d audits.\n",
        result->quiet.suspended, settings->histories, QUIET);
}

static void
add_number(struct buffer *out, const char *name, double number)
{
    if (isfinite(number))
        buffer_printf(out, ",\"%s\":%.6g", name, number);
    else
        buffer_printf(out, ",\"%s\":null", name);
}

static void
add_age_json(struct buffer *out, const char *name, const struct drift_summary *sum)
{
    buffer_printf(out, ",\"%s\":{\"never_served\":%u,\"early\":%u,\"suspended\":%u,\"good_to_serve\":%u", name,
                  sum->never_served, sum->early, sum->suspended, sum->relearned);
    add_number(out, "median", sum->median);
    add_number(out, "p95", sum->p95);
    buffer_add_byte(out, '}');
}

static void
add_json(const struct result *result, struct buffer *out)
{
    buffer_printf(out, "{\"floor\":%g,\"histories\":%u,\"seed\":%llu,\"false_alarms\":%u,\"false_alarm_audits\":%d",
                  result->settings.floor_ppm / 1e6, result->settings.histories,
                  (unsigned long long)result->settings.seed, result->quiet.suspended, QUIET);
    buffer_add_text(out, ",\"changes\":[");
    for (size_t i = 0; i < result->change_count; i++) {
        const struct told *told = &result->changes[i];

        buffer_add_text(out, i > 0 ? ",{\"task\":\"" : "{\"task\":\"");
        buffer_add_json(out, slice_of(told->task));
        if (told->to != NULL) {
            buffer_add_text(out, "\",\"from\":\"");
            buffer_add_json(out, slice_of(told->from));
            buffer_add_text(out, "\",\"to\":\"");
            buffer_add_json(out, slice_of(told->to));
        }
        buffer_printf(out, "\",\"paired\":%s", told->paired ? "true" : "false");
        add_number(out, "before", told->before);
        add_number(out, "after", told->after);
        add_age_json(out, "after_100", &told->young);
        add_age_json(out, "after_500", &told->grown);
        add_age_json(out, "after_8000", &told->old);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}\n");
}

static enum status
read_answers(FILE *file, const char *name, struct problems *problems, void *out)
{
    return guard_answers_read(file, name, problems, out);
}

static int
run(const char *path, const struct settings *settings, bool json)
{
    struct result *result = must_calloc(1, sizeof(*result));
    struct guard_answers answers = {.count = 0};
    struct buffer out = {0};
    int end = cmd_read_lines(path, read_answers, &answers);

    result->settings = *settings;
    if (end == CMD_FINE) {
        tell_file(result, &answers);
        tell_made_up(result);
        if (json)
            add_json(result, &out);
        else
            add_text(result, &out);
        end = cmd_print(buffer_content(&out)) ? CMD_FINE : CMD_FAILED;
    }
    buffer_free(&out);
    guard_answers_free(&answers);
    free(result);
    return end;
}

static bool
parse_share(const char *option, const char *text, unsigned *ppm)
{
    if (value_share(slice_of(text), ppm) == OK && *ppm > 0 && *ppm < PPM)
        return true;
    cmd_complain("eval guard: %s wants a share such as 95%%, not '%s'.", option, text);
    return false;
}

int
eval_guard(int argc, char **argv)
{
    struct wanted wanted = {.floor = "95%", .confidence = "95%", .seed = 1, .histories = 200};
    struct settings settings;
    unsigned confidence_ppm;
    const struct option table[] = {
        {"floor", 0, OPTION_TEXT, "SHARE", "of what is served that must be acceptable (default: 95%)", &wanted.floor},
        {"confidence", 0, OPTION_TEXT, "SHARE", "for earning (default: 95%)", &wanted.confidence},
        {"histories", 0, OPTION_NUMBER, "N", "of each change, each by a seed of its own (default: 200)",
         &wanted.histories},
        {"seed", 0, OPTION_NUMBER, "N", "the same seed, the same figures (default: 1)", &wanted.seed},
        {"json", 0, OPTION_FLAG, NULL, "as JSON", &wanted.json},
    };
    const struct example examples[] = {
        {"equipoise eval guard answers.jsonl.gz", "what a change of version would have come to"},
    };
    const struct options options = {
        .command = "eval guard",
        .summary = "How soon evidence suspends a model whose answers have become worse, and how rarely without that.",
        .operands = "FILE",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes =
            "A line is {\"model\": \"large-march\", \"correct\": 1, \"task\": \"sums\", \"id\": \"17\"}; task and id "
            "may be left out.\nVersions are models of one name up to its last \"-\", in the order in which they come. "
            "Where both have answered the\nsame ids, an answer is acceptable if it is at least as right as the one "
            "of the version before; else if it is right."};
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    if (wanted.histories < 1 || wanted.histories > HISTORIES_MOST) {
        cmd_complain("eval guard: --histories wants a number from 1 to %d.", HISTORIES_MOST);
        return CMD_USAGE;
    }
    settings.seed = wanted.seed;
    settings.histories = (unsigned)wanted.histories;
    if (!parse_share("--floor", wanted.floor, &settings.floor_ppm) ||
        !parse_share("--confidence", wanted.confidence, &confidence_ppm))
        return CMD_USAGE;
    settings.alpha_ppm = PPM - confidence_ppm;
    return run(argv[1], &settings, wanted.json);
}
