/* What a support message is mainly about: the label that most of its sentences speak of. Each sentence speaks of one;
 * difficulty is one more than the number of sentences about something else. */
#include "twin/scan.h"
#include "twin/task_family.h"

enum { LABELS = 5, SENTENCES = 6 };

/* A sentence is recognised by its cue, the words that give its topic away. */
struct sentence {
    const char *cue, *text;
};

static const char *const labels[LABELS] = {"billing", "shipping", "technical", "account", "praise"};

static const struct sentence sentences[LABELS][SENTENCES] = {
    {
        {"charged twice", "I was charged twice this month."},
        {"invoice", "The invoice shows a line I do not understand."},
        {"refund", "I would like a refund for the difference."},
        {"credit card", "My credit card statement has another sum."},
        {"discount", "The discount you promised is missing."},
        {"tax rate", "You used the wrong tax rate for my country."},
    },
    {
        {"parcel", "The parcel has not moved for a week."},
        {"courier", "The courier left it at the wrong door."},
        {"tracking number", "The tracking number is not known to anybody."},
        {"delivery date", "The delivery date has changed three times."},
        {"customs", "It seems to be stuck in customs."},
        {"box was crushed", "The box was crushed when it came."},
    },
    {
        {"error message", "I get an error message on every start."},
        {"crashes", "The program crashes when I open a large file."},
        {"firmware", "Since the firmware update nothing works."},
        {"bluetooth", "It loses its bluetooth connection all the time."},
        {"screen stays black", "The screen stays black after a minute."},
        {"log file", "The log file ends in the middle of a line."},
    },
    {
        {"password", "I cannot reset my password."},
        {"sign in", "You do not let me sign in from my new phone."},
        {"e-mail address", "Please change the e-mail address you have for me."},
        {"username", "Somebody seems to use my username."},
        {"two-factor", "The two-factor code never arrives."},
        {"delete my profile", "I want you to delete my profile."},
    },
    {
        {"thank you", "Thank you for the quick help last week."},
        {"love", "My children love it."},
        {"best purchase", "It is the best purchase I made this year."},
        {"friendly", "Your people on the phone were friendly and patient."},
        {"recommend", "I will recommend you to everybody."},
        {"impressed", "I am really impressed by how well it is made."},
    },
};

static unsigned
count_cues(struct slice message, unsigned label)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SENTENCES; i++)
        if (scan_find(message, slice_of(sentences[label][i].cue)) < message.len)
            count++;
    return count;
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    struct slice rest = prompt, message = SLICE_NONE;
    unsigned counts[LABELS], best = 0, second = 1, others = 0;

    (void)arena;
    if (!scan_past(&rest, "classify the message as one of") || !scan_past(&rest, "message:") ||
        !scan_quoted(&rest, &message))
        return false;
    for (unsigned i = 0; i < LABELS; i++) {
        counts[i] = count_cues(message, i);
        best = counts[i] > counts[best] ? i : best;
        solution->choices[solution->choice_count++] = slice_of(labels[i]);
    }
    second = best == 0 ? 1 : 0;
    for (unsigned i = 0; i < LABELS; i++) {
        others += i == best ? 0 : counts[i];
        second = i != best && counts[i] > counts[second] ? i : second;
    }
    solution->difficulty = others + 1 < TASK_DIFFICULTY_MOST ? others + 1 : TASK_DIFFICULTY_MOST;
    solution->kind = SOLUTION_CHOICE;
    solution->right = labels[best];
    solution_mistake(solution, labels[second]);
    solution_mistake(solution, labels[(best + 1) % LABELS]);
    return true;
}

/* A sentence about `label` that is not in `used` yet. */
static const char *
pick_sentence(struct rng *rng, unsigned label, unsigned used[LABELS])
{
    for (;;) {
        unsigned at = (unsigned)rng_below(rng, SENTENCES);

        if ((used[label] & 1u << at) != 0)
            continue;
        used[label] |= 1u << at;
        return sentences[label][at].text;
    }
}

/* Sentences about other labels in turn, with one more about the right one than about any other. */
static const char *
make_message(struct rng *rng, unsigned label, unsigned others, struct arena *arena)
{
    unsigned used[LABELS] = {0};
    unsigned shift = (unsigned)rng_below(rng, LABELS - 1);
    const char *text = pick_sentence(rng, label, used);

    for (unsigned i = 0; i < others; i++) {
        unsigned other = (label + 1 + (shift + i) % 2) % LABELS;

        text = arena_printf(arena, i % 2 == 0 ? "%s %s" : "%2$s %1$s", text, pick_sentence(rng, other, used));
        text = arena_printf(arena, "%s %s", text, pick_sentence(rng, label, used));
    }
    return text;
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    unsigned label = (unsigned)rng_below(rng, LABELS);

    task->prompt = arena_printf(arena,
                                "Classify the message as one of: %s, %s, %s, %s, %s. Reply with the label of its main "
                                "topic only. Message: \"%s\"",
                                labels[0], labels[1], labels[2], labels[3], labels[4],
                                make_message(rng, label, task->difficulty - 1, arena));
    task->truth = labels[label];
}

const struct task_family_ops task_classify = {.name = "classify", .hardness = -0.4, .make = make, .solve = solve};
