#include "twin/reply.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/text.h"
#include "twin/scan.h"
#include "twin/tasks.h"
#include "twin/tokens.h"

enum { PROSE_LEAST = 40, PROSE_SPREAD = 120, REASONING_LEAST = 30, REASONING_SPREAD = 170, PROSE_MOST = 20000 };

static const double TOKENS_PER_WORD = 1.5;

static void
choice_add(struct reply_choice *choice, struct part part)
{
    ENSURE(choice->part_count < PARTS_MOST);
    part.tokens = token_count(part.text) + token_count(part.name);
    choice->parts[choice->part_count++] = part;
}

/* The number that stands before `word` in the question, as in "write 200 words"; 0 if none does. */
static int64_t
number_before(struct slice question, const char *word)
{
    int64_t value = 0;

    for (bool in_number = false; question.len != 0; question = slice_from(question, 1)) {
        struct slice rest = question;
        bool digit = *question.data >= '0' && *question.data <= '9';

        if (digit && !in_number && scan_integer(&rest, &value) && scan_word(&rest, word))
            return value;
        in_number = digit;
    }
    return 0;
}

static int64_t
prose_tokens(const struct ask *ask, struct slice question, struct rng *rng)
{
    int64_t words = number_before(question, "words"), tokens = number_before(question, "tokens");

    if (ask->to_the_limit && ask->output_most > 0)
        tokens = ask->output_most;
    else if (tokens == 0 && words != 0)
        tokens = (int64_t)((double)(words < PROSE_MOST ? words : PROSE_MOST) * TOKENS_PER_WORD);
    else if (tokens == 0)
        tokens = PROSE_LEAST + (int64_t)rng_below(rng, PROSE_SPREAD);
    return tokens < PROSE_MOST ? tokens : PROSE_MOST;
}

/* Right or a plausible mistake, as the draw has it. */
static const char *
solve_as(const struct solution *solution, const struct mind *mind, struct rng *rng)
{
    double more = mind->more != NULL ? mind->more[solution->family] : 0;

    if (rng_unit(rng) < solution_chance(solution, mind->ability + more))
        return solution->right;
    return solution->wrong[rng_below(rng, solution->wrong_count)];
}

static struct slice
compose_json(const struct ask *ask, struct slice question, const char *answer, struct arena *arena)
{
    if (ask->json_schema != NULL)
        return schema_fill(ask->json_schema, question, answer, arena);
    if (answer != NULL && *answer == '{')
        return slice_of(answer);
    return slice_of(arena_printf(arena, "{\"answer\": \"%s\"}", answer != NULL ? answer : "yes"));
}

static struct slice
compose_text(const struct ask *ask, struct slice question, const struct mind *mind, struct rng *rng,
             struct arena *arena)
{
    struct solution solution;
    const char *answer = task_solve(question, arena, &solution) ? solve_as(&solution, mind, rng) : NULL;

    if (ask->json)
        return compose_json(ask, question, answer, arena);
    if (ask->tool_result.data != NULL)
        return slice_of(arena_printf(arena, "The tool says: %.*s", SLICE_ARGS(ask->tool_result)));
    if (answer != NULL && !ask->to_the_limit)
        return slice_of(answer);
    return prose_write(rng_next(rng), prose_tokens(ask, question, rng), arena);
}

static void
add_call(struct reply_choice *choice, const struct ask_tool *tool, struct slice question, struct rng *rng,
         struct arena *arena)
{
    char id[TEXT_ID_SIZE];

    text_format_id(rng_next(rng), id);
    choice_add(choice, (struct part){.kind = PART_CALL,
                                     .text = schema_fill(tool->schema, question, NULL, arena),
                                     .name = tool->name,
                                     .id = arena_strdup(arena, id)});
}

static bool
tool_is_wanted(const struct ask *ask, const struct ask_tool *tool, struct slice question)
{
    if (ask->tool_wish == TOOL_NAMED)
        return slice_equal(tool->name, ask->tool_named);
    return tool_is_meant(tool, question);
}

/* Calls of all tools that are meant; false if none is. Once a tool has answered, only a demand brings a call. */
static bool
compose_calls(struct reply_choice *choice, const struct ask *ask, struct slice question, struct rng *rng,
              struct arena *arena)
{
    unsigned before = choice->part_count;

    if (ask->tool_count == 0 || ask->tool_wish == TOOL_NEVER ||
        (ask->tool_wish == TOOL_IF_FIT && ask->tool_result.data != NULL))
        return false;
    for (unsigned i = 0; i < ask->tool_count && choice->part_count < PARTS_MOST; i++)
        if (tool_is_wanted(ask, &ask->tools[i], question) && !(ask->one_call_only && choice->part_count > before))
            add_call(choice, &ask->tools[i], question, rng, arena);
    if (choice->part_count == before && ask->tool_wish == TOOL_SOME)
        add_call(choice, &ask->tools[0], question, rng, arena);
    choice->finish = choice->part_count > before ? FINISH_CALLS : FINISH_STOP;
    return choice->part_count > before;
}

/* Ends a text at the stop sequence that comes first. */
static void
apply_stops(struct reply_choice *choice, const struct ask *ask, struct part *part)
{
    size_t end = part->text.len;

    for (unsigned i = 0; i < ask->stop_count; i++) {
        size_t at = slice_find(part->text, ask->stops[i]);

        if (at >= end)
            continue;
        end = at;
        choice->finish = FINISH_STOP_SEQUENCE;
        choice->stop_sequence = ask->stops[i];
    }
    part->text = slice_first(part->text, end);
    part->tokens = token_count(part->text);
}

static void
apply_limit(struct reply_choice *choice, int64_t most)
{
    for (unsigned i = 0; i < choice->part_count; i++) {
        struct part *part = &choice->parts[i];
        int64_t name = token_count(part->name);

        if (part->tokens > most) {
            part->text = token_first(part->text, most > name ? most - name : 0);
            part->tokens = most;
            choice->part_count = i + 1;
            choice->finish = FINISH_LENGTH;
            return;
        }
        most -= part->tokens;
        if (most == 0 && i + 1 < choice->part_count) {
            choice->part_count = i + 1;
            choice->finish = FINISH_LENGTH;
        }
    }
}

static uint64_t
draw_seed(const struct ask *ask, const struct mind *mind, struct slice question, unsigned index)
{
    uint64_t seed = rng_mix(mind->seed) ^ hash_fast(mind->name, 1) ^ rng_mix(ask->seed + 0x51) ^ rng_mix(mind->chance);

    return hash_fast(question, seed) ^ (index == 0 ? 0 : rng_mix(index));
}

static void
compose_choice(struct reply_choice *choice, const struct ask *ask, const struct mind *mind, struct slice question,
               unsigned index, struct arena *arena)
{
    struct rng rng;

    rng_seed(&rng, draw_seed(ask, mind, question, index));
    if (mind->thinks && ask->output_said == 0) {
        int64_t tokens = REASONING_LEAST + (int64_t)rng_below(&rng, REASONING_SPREAD);

        choice_add(choice, (struct part){.kind = PART_REASONING, .text = prose_write(rng_next(&rng), tokens, arena)});
    }
    if (ask->output_said != 0) {
        choice_add(choice,
                   (struct part){.kind = PART_TEXT, .text = prose_write(rng_next(&rng), ask->output_said, arena)});
    } else if (!compose_calls(choice, ask, question, &rng, arena)) {
        choice_add(choice, (struct part){.kind = PART_TEXT, .text = compose_text(ask, question, mind, &rng, arena)});
        apply_stops(choice, ask, &choice->parts[choice->part_count - 1]);
    }
    if (ask->output_most > 0)
        apply_limit(choice, ask->output_most);
    if (ask->to_the_limit && choice->finish == FINISH_STOP)
        choice->finish = FINISH_LENGTH;
}

static void
count_output(struct reply *reply)
{
    for (unsigned i = 0; i < reply->choice_count; i++)
        for (unsigned p = 0; p < reply->choices[i].part_count; p++) {
            const struct part *part = &reply->choices[i].parts[p];

            reply->usage.output += part->tokens;
            reply->usage.reasoning += part->kind == PART_REASONING ? part->tokens : 0;
        }
}

void
reply_compose(struct reply *reply, const struct ask *ask, const struct mind *mind, struct arena *arena)
{
    ENSURE(ask->question_count >= 1 && ask->choices >= 1);
    *reply = (struct reply){.choice_count = ask->question_count * ask->choices};
    reply->choices = arena_alloc(arena, reply->choice_count * sizeof *reply->choices);
    for (unsigned i = 0; i < reply->choice_count; i++)
        compose_choice(&reply->choices[i], ask, mind, ask->questions[i / ask->choices], i % ask->choices, arena);
    reply->usage.input = ask_input_tokens(ask);
    count_output(reply);
    ENSURE(reply->usage.reasoning <= reply->usage.output);
}
