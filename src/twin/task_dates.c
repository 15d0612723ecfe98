/* Calendar questions: days after or before a date (1 to 3, by how far), its weekday (4), days between two dates (5). */
#include "base/clock.h"
#include "twin/scan.h"
#include "twin/task_family.h"

static const usec DAY_US = 24 * 3600 * USEC_PER_S;
static const int64_t FIRST_DAY = 7305; /* 1990-01-01 */
static const int64_t LAST_DAY = 23741; /* 2035-01-01 */

/* How many days a question of difficulty 1, 2, 3 goes at most. */
static const int64_t spans[] = {20, 60, 400};

static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static const char *
day_text(struct arena *arena, int64_t day)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(day * DAY_US, text);
    text[10] = '\0';
    return arena_strdup(arena, text);
}

static int
day_weekday(int64_t day)
{
    return clock_date_of(day * DAY_US).weekday;
}

static bool
day_sane(int64_t day)
{
    return day > -200000 && day < 400000;
}

static unsigned
span_difficulty(int64_t span)
{
    return span <= spans[0] ? 1 : span <= spans[1] ? 2 : 3;
}

static bool
solve_shift(struct slice rest, struct arena *arena, struct solution *solution)
{
    int64_t span = 0, day = 0, right;
    bool after;

    if (!scan_past(&rest, "which date is ") || !scan_integer(&rest, &span) || !scan_word(&rest, "days"))
        return false;
    after = scan_word(&rest, "after");
    if ((!after && !scan_word(&rest, "before")) || !scan_date(&rest, &day) || span > 100000)
        return false;
    right = after ? day + span : day - span;
    solution->difficulty = span_difficulty(span);
    solution->kind = SOLUTION_DATE;
    solution->right = day_text(arena, right);
    solution_mistake(solution, day_text(arena, right + 1));
    solution_mistake(solution, day_text(arena, right - 1));
    solution_mistake(solution, day_text(arena, after ? day - span : day + span));
    return true;
}

static bool
solve_weekday(struct slice rest, struct solution *solution)
{
    int64_t day = 0;
    int right;

    if (!scan_past(&rest, "on which weekday does ") || !scan_date(&rest, &day) || !day_sane(day))
        return false;
    right = day_weekday(day);
    solution->difficulty = 4;
    solution->kind = SOLUTION_CHOICE;
    solution->right = weekdays[right];
    for (unsigned i = 0; i < TASK_COUNT(weekdays); i++)
        solution->choices[solution->choice_count++] = slice_of(weekdays[i]);
    solution_mistake(solution, weekdays[(right + 1) % 7]);
    solution_mistake(solution, weekdays[(right + 6) % 7]);
    return true;
}

static bool
solve_between(struct slice rest, struct arena *arena, struct solution *solution)
{
    int64_t from = 0, to = 0;

    if (!scan_past(&rest, "how many days are there from ") || !scan_date(&rest, &from) || !scan_word(&rest, "to") ||
        !scan_date(&rest, &to) || !day_sane(from) || !day_sane(to))
        return false;
    solution->difficulty = 5;
    solution->kind = SOLUTION_NUMBER;
    solution->right = arena_printf(arena, "%lld", (long long)(to - from));
    solution_mistake(solution, arena_printf(arena, "%lld", (long long)(to - from + 1)));
    solution_mistake(solution, arena_printf(arena, "%lld", (long long)(to - from - 1)));
    solution_mistake(solution, arena_printf(arena, "%lld", (long long)(to - from + 30)));
    return true;
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    return solve_shift(prompt, arena, solution) || solve_weekday(prompt, solution) ||
           solve_between(prompt, arena, solution);
}

static void
make_shift(struct task *task, struct rng *rng, struct arena *arena, int64_t day)
{
    unsigned step = task->difficulty - 1;
    int64_t span = task_between(rng, step == 0 ? 2 : spans[step - 1] + 1, spans[step]);
    bool after = rng_below(rng, 2) == 0;

    task->prompt = arena_printf(arena, "Which date is %lld days %s %s? Reply with the date only, as YYYY-MM-DD.",
                                (long long)span, after ? "after" : "before", day_text(arena, day));
    task->truth = day_text(arena, after ? day + span : day - span);
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    int64_t day = task_between(rng, FIRST_DAY, LAST_DAY);
    int64_t later = day + task_between(rng, 40, 2000);

    if (task->difficulty <= TASK_COUNT(spans)) {
        make_shift(task, rng, arena, day);
    } else if (task->difficulty == 4) {
        task->prompt =
            arena_printf(arena, "On which weekday does %s fall? Reply with the weekday only.", day_text(arena, day));
        task->truth = weekdays[day_weekday(day)];
    } else {
        task->prompt = arena_printf(arena, "How many days are there from %s to %s? Reply with the number only.",
                                    day_text(arena, day), day_text(arena, later));
        task->truth = arena_printf(arena, "%lld", (long long)(later - day));
    }
}

const struct task_family_ops task_dates = {.name = "dates", .hardness = 0.9, .make = make, .solve = solve};
