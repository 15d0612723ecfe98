/* Conversions of units, rounded to hundredths. How hard one is, is a property of its units. */
#include "twin/scan.h"
#include "twin/task_family.h"

enum dimension { LENGTH, DURATION, MASS, VOLUME, TEMPERATURE };

/* One unit is `numerator / denominator` of its dimension's base unit (metre, second, gram, litre); exact by definition
 * (NIST SP 811, appendix B). */
struct unit {
    const char *name; /* no name is the beginning of a later one */
    enum dimension dimension;
    int64_t numerator, denominator;
    unsigned difficulty;
};

static const struct unit units[] = {
    {"kilometres", LENGTH, 1000, 1, 1},
    {"centimetres", LENGTH, 1, 100, 1},
    {"millimetres", LENGTH, 1, 1000, 1},
    {"metres", LENGTH, 1, 1, 1},
    {"inches", LENGTH, 254, 10000, 3},
    {"feet", LENGTH, 3048, 10000, 3},
    {"yards", LENGTH, 9144, 10000, 3},
    {"miles", LENGTH, 1609344, 1000, 3},
    {"seconds", DURATION, 1, 1, 2},
    {"minutes", DURATION, 60, 1, 2},
    {"hours", DURATION, 3600, 1, 2},
    {"days", DURATION, 86400, 1, 2},
    {"kilograms", MASS, 1000, 1, 1},
    {"grams", MASS, 1, 1, 1},
    {"pounds", MASS, 45359237, 100000, 4},
    {"ounces", MASS, 45359237, 1600000, 4},
    {"litres", VOLUME, 1, 1, 1},
    {"millilitres", VOLUME, 1, 1000, 1},
    {"gallons", VOLUME, 3785411784, 1000000000, 4},
    {"degrees Celsius", TEMPERATURE, 1, 1, 5},
    {"degrees Fahrenheit", TEMPERATURE, 5, 9, 5},
};

static const struct unit *
unit_scan(struct slice *rest)
{
    for (size_t i = 0; i < TASK_COUNT(units); i++)
        if (scan_word(rest, units[i].name))
            return &units[i];
    return NULL;
}

/* To the nearest, halves away from zero. */
static int64_t
divide_rounded(__int128 numerator, __int128 denominator)
{
    __int128 half = denominator / 2;

    return (int64_t)((numerator < 0 ? numerator - half : numerator + half) / denominator);
}

static int64_t
convert_temperature(int64_t thousandths, const struct unit *from, bool forget_offset)
{
    bool to_fahrenheit = from->numerator == from->denominator;
    int64_t offset = forget_offset ? 0 : 32000;

    if (to_fahrenheit)
        return divide_rounded((__int128)thousandths * 9 + (__int128)offset * 5, 50);
    return divide_rounded(((__int128)thousandths - offset) * 5, 90);
}

/* Thousandths of `from` in hundredths of `to`. */
static int64_t
convert(int64_t thousandths, const struct unit *from, const struct unit *to)
{
    if (from->dimension == TEMPERATURE)
        return convert_temperature(thousandths, from, false);
    return divide_rounded((__int128)thousandths * from->numerator * to->denominator,
                          (__int128)from->denominator * to->numerator * 10);
}

static unsigned
pair_difficulty(const struct unit *from, const struct unit *to)
{
    return from->difficulty > to->difficulty ? from->difficulty : to->difficulty;
}

static bool
pair_fits(const struct unit *from, const struct unit *to)
{
    return from != to && from->dimension == to->dimension;
}

static void
add_mistakes(struct solution *solution, struct arena *arena, int64_t thousandths, const struct unit *from,
             const struct unit *to)
{
    int64_t right = convert(thousandths, from, to);

    if (from->dimension == TEMPERATURE)
        solution_mistake(solution, task_hundredths_text(arena, convert_temperature(thousandths, from, true)));
    else
        solution_mistake(solution, task_hundredths_text(arena, convert(thousandths, to, from)));
    solution_mistake(solution, task_hundredths_text(arena, right * 10));
    solution_mistake(solution, task_hundredths_text(arena, right / 10));
    solution_mistake(solution, task_hundredths_text(arena, right + 100));
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    struct slice rest = prompt;
    int64_t thousandths = 0;
    const struct unit *from = NULL, *to = NULL;

    if (!scan_past(&rest, "convert ") || !scan_thousandths(&rest, &thousandths) || thousandths > INT32_MAX ||
        (from = unit_scan(&rest)) == NULL || !scan_word(&rest, "to") || (to = unit_scan(&rest)) == NULL ||
        !pair_fits(from, to))
        return false;
    solution->difficulty = pair_difficulty(from, to);
    solution->kind = SOLUTION_NUMBER;
    solution->tolerance = 0.0051; /* the last digit may be rounded or cut */
    solution->right = task_hundredths_text(arena, convert(thousandths, from, to));
    add_mistakes(solution, arena, thousandths, from, to);
    return true;
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    const struct unit *from = NULL, *to = NULL;
    int64_t hundredths = task_between(rng, 100, 20000);

    do {
        from = &units[rng_below(rng, TASK_COUNT(units))];
        to = &units[rng_below(rng, TASK_COUNT(units))];
    } while (!pair_fits(from, to) || pair_difficulty(from, to) != task->difficulty);

    task->prompt = arena_printf(arena, "Convert %s %s to %s. Round to two decimals and reply with the number only.",
                                task_hundredths_text(arena, hundredths), from->name, to->name);
    task->truth = task_hundredths_text(arena, convert(hundredths * 10, from, to));
}

const struct task_family_ops task_units = {.name = "units", .hardness = 0.6, .make = make, .solve = solve};
