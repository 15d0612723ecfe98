#include "dialect/prompt.h"

#include "base/hash.h"
#include "dialect/json/json.h"

static void
add(struct prompt_start *start, struct slice bytes)
{
    start->hash = hash_fast(bytes, start->hash);
    start->len += bytes.len;
}

/* The raw value of a member, SLICE_NONE if there is none. False: it stands there twice, or names are escaped, and then
 * parsers need not agree with us. */
static bool
plain_member(struct slice object, const char *key, struct slice *value)
{
    struct json_member member;

    *value = SLICE_NONE;
    if (object.len == 0 || object.data[0] != '{')
        return false;
    while (json_next_member(&object, &member)) {
        if (slice_find_byte(member.key, '\\') < member.key.len)
            return false;
        if (!slice_is(member.key, key))
            continue;
        if (value->data != NULL)
            return false;
        *value = member.value;
    }
    return true;
}

static bool
is_array(struct slice value)
{
    return value.len > 0 && value.data[0] == '[';
}

/* A text that is not blank: an API refuses a mark on one that is. */
static bool
says_something(struct slice text)
{
    if (text.len < 2 || text.data[0] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.data[i] == '\\' && strchr("ntr", text.data[i + 1]) != NULL)
            i++;
        else if (text.data[i] != ' ')
            return true;
    }
    return false;
}

/* Blocks of other kinds (thinking) take no mark, or we do not know that they do. */
static bool
takes_mark(struct slice block)
{
    static const struct slice kinds[] = {SLICE_CONSTANT("\"image\""), SLICE_CONSTANT("\"document\""),
                                         SLICE_CONSTANT("\"tool_use\""), SLICE_CONSTANT("\"tool_result\"")};
    struct slice type, text, control;

    if (!plain_member(block, "type", &type) || !plain_member(block, "cache_control", &control) || control.data != NULL)
        return false;
    if (slice_is(type, "\"text\""))
        return plain_member(block, "text", &text) && says_something(text);
    return slice_is_among_nocase(type, kinds, sizeof(kinds) / sizeof(kinds[0]));
}

/* Where a mark closes this content: its last block that takes one, or its text. */
static struct slice
place_in(struct slice content)
{
    struct slice block, place = SLICE_NONE;

    if (!is_array(content))
        return says_something(content) ? content : SLICE_NONE;
    while (json_next_element(&content, &block))
        if (takes_mark(block))
            place = block;
    return place;
}

/* A tool that is loaded later takes no mark. */
static bool
tool_takes_mark(struct slice tool)
{
    struct slice name, later, control;

    return plain_member(tool, "name", &name) && name.data != NULL && plain_member(tool, "defer_loading", &later) &&
           later.data == NULL && plain_member(tool, "cache_control", &control) && control.data == NULL;
}

static void
read_tools(enum api api, struct slice tools, struct prompt_start *at, struct prompt *out)
{
    struct slice tool;

    if (!is_array(tools))
        return;
    while (json_next_element(&tools, &tool)) {
        add(at, tool);
        out->places[PROMPT_TOOLS] = api == API_MESSAGES && tool_takes_mark(tool) ? tool : SLICE_NONE;
        out->parts[PROMPT_TOOLS] = *at;
    }
}

static void
read_system(enum api api, struct slice system, struct prompt_start *at, struct prompt *out)
{
    struct slice rest = system, block;

    if (is_array(system))
        while (json_next_element(&rest, &block))
            add(at, block);
    else if (says_something(system))
        add(at, system);
    else
        return;
    out->parts[PROMPT_SYSTEM] = *at;
    if (api == API_MESSAGES)
        out->places[PROMPT_SYSTEM] = place_in(system);
}

/* What a turn is to a conversation. */
enum turn { TURN_OTHER, TURN_SYSTEM, TURN_USER, TURN_TOOL };

static bool
begins_with_result(struct slice turn)
{
    struct slice content, block, type;

    return plain_member(turn, "content", &content) && is_array(content) && json_next_element(&content, &block) &&
           plain_member(block, "type", &type) && slice_is(type, "\"tool_result\"");
}

static enum turn
turn_of(enum api api, struct slice turn)
{
    struct slice role, type;

    if (!plain_member(turn, "role", &role) || !plain_member(turn, "type", &type))
        return TURN_OTHER;
    if (slice_is(role, "\"system\"") || slice_is(role, "\"developer\""))
        return TURN_SYSTEM;
    if (slice_is(role, "\"tool\"") || slice_is(role, "\"function\"") ||
        (api == API_RESPONSES && slice_ends(type, "_output\"")))
        return TURN_TOOL;
    if (!slice_is(role, "\"user\""))
        return TURN_OTHER;
    return api == API_MESSAGES && begins_with_result(turn) ? TURN_TOOL : TURN_USER;
}

static void
note_turn(struct prompt *out, struct prompt_start at)
{
    size_t kept = out->turn_count < PROMPT_TURNS_MOST ? out->turn_count : PROMPT_TURNS_MOST - 1;

    memmove(&out->turns[1], &out->turns[0], kept * sizeof(out->turns[0]));
    out->turns[0] = at;
    out->turn_count = kept + 1;
}

static void
read_turns(enum api api, struct slice turns, struct prompt_start *at, struct prompt *out)
{
    struct slice turn, before = SLICE_NONE, stable = SLICE_NONE, content;
    struct prompt_start end_before = {0};
    bool leading = api != API_MESSAGES;

    if (!is_array(turns))
        return;
    while (json_next_element(&turns, &turn)) {
        enum turn kind = turn_of(api, turn);

        add(at, turn);
        leading = leading && kind == TURN_SYSTEM;
        if (leading) {
            out->parts[PROMPT_SYSTEM] = *at;
            continue;
        }
        note_turn(out, *at);
        if (kind == TURN_TOOL || (kind == TURN_USER && before.data != NULL)) {
            stable = kind == TURN_TOOL ? turn : before;
            out->parts[PROMPT_TURNS] = kind == TURN_TOOL ? *at : end_before;
        }
        before = turn;
        end_before = *at;
    }
    if (api == API_MESSAGES && stable.data != NULL && plain_member(stable, "content", &content))
        out->places[PROMPT_TURNS] = place_in(content);
}

static struct slice
top(struct slice body, const char *name)
{
    struct slice value;

    return plain_member(body, name, &value) ? value : SLICE_NONE;
}

void
prompt_read(enum api api, struct slice body, struct prompt *out)
{
    struct prompt_start at = {0};
    struct slice key;

    *out = (struct prompt){.read = true};
    if (api != API_CHAT && api != API_RESPONSES && api != API_MESSAGES)
        return;
    body = slice_trim(body);
    out->keyed = !plain_member(body, "prompt_cache_key", &key) || key.data != NULL;
    read_tools(api, top(body, "tools"), &at, out);
    if (api != API_CHAT)
        read_system(api, top(body, api == API_MESSAGES ? "system" : "instructions"), &at, out);
    if (api == API_MESSAGES) { /* with other ones, what is kept of turns does not count */
        at.hash = hash_fast(top(body, "tool_choice"), at.hash);
        at.hash = hash_fast(top(body, "thinking"), at.hash);
    }
    read_turns(api, top(body, api == API_RESPONSES ? "input" : "messages"), &at, out);
    out->whole = at;
}

#define MARK(more) "\"cache_control\":{\"type\":\"ephemeral\"" more "}"

/* As a member before others, and as one behind a text that becomes a block. */
static const struct slice first[] = {SLICE_CONSTANT(MARK("") ","), SLICE_CONSTANT(MARK(",\"ttl\":\"1h\"") ",")};
static const struct slice last[] = {SLICE_CONSTANT("," MARK("") "}]"),
                                    SLICE_CONSTANT("," MARK(",\"ttl\":\"1h\"") "}]")};

/* A block gets a member, a text becomes a block. */
static size_t
mark_splices(struct slice place, bool hour, struct slice body, struct splice *out)
{
    size_t at = (size_t)(place.data - body.data);

    if (place.data[0] == '{') {
        out[0] = (struct splice){.at = at + 1, .with = first[hour]};
        return 1;
    }
    out[0] = (struct splice){.at = at, .with = SLICE_LITERAL("[{\"type\":\"text\",\"text\":")};
    out[1] = (struct splice){.at = at + place.len, .with = last[hour]};
    return 2;
}

size_t
prompt_splices(const struct prompt *prompt, unsigned marks, unsigned hour_marks, struct slice key, struct slice body,
               struct arena *arena, struct splice *out)
{
    size_t count = 0;

    for (unsigned part = 0; part < PROMPT_PARTS; part++)
        if ((marks >> part & 1) != 0 && prompt->places[part].data != NULL)
            count += mark_splices(prompt->places[part], (hour_marks >> part & 1) != 0, body, &out[count]);
    if (key.len > 0)
        out[count++] =
            (struct splice){.at = slice_find_byte(body, '{') + 1,
                            .with = slice_of(arena_printf(arena, "\"prompt_cache_key\":\"%.*s\",", SLICE_ARGS(key)))};
    ENSURE(count <= PROMPT_SPLICES_MOST);
    return count;
}
