#include "dialect/json/json_pattern.h"

#include <stdlib.h>
#include <string.h>

#include "dialect/json/json_pattern_steps.h"

/* The tree is as deep as the text is long. */
enum { TEXT_MOST = 4096, STEPS_MOST = 8192, VISITS_MOST = 16 * STEPS_MOST, GROUPS_DEEP = 64, REPEATS_MOST = 1000 };

#define CHARACTER_MOST 0x10ffffu

/* The expression as a tree, from which the steps are written. */
enum tree_kind { TREE_EMPTY, TREE_SET, TREE_START, TREE_END, TREE_EDGE, TREE_NO_EDGE, TREE_CAT, TREE_OR, TREE_REPEAT };

struct tree {
    enum tree_kind kind;
    const struct set *set;
    const struct tree *left, *right;
    unsigned least, most; /* TREE_REPEAT; UNBOUNDED */
};

enum { UNBOUNDED = REPEATS_MOST + 1 };

/* Reading */

struct parser {
    struct arena *arena;
    struct slice rest;
    unsigned depth;
    const char *why; /* NULL: all well so far */
};

static const struct tree *parse_either(struct parser *parser);

static char
peek(const struct parser *parser)
{
    return parser->rest.len > 0 ? parser->rest.data[0] : '\0';
}

static bool
take(struct parser *parser, const char *text)
{
    if (!slice_starts(parser->rest, text))
        return false;
    parser->rest = slice_from(parser->rest, strlen(text));
    return true;
}

static void
fail(struct parser *parser, const char *why)
{
    if (parser->why == NULL)
        parser->why = why;
}

static struct tree *
new_tree(struct parser *parser, enum tree_kind kind)
{
    struct tree *tree = arena_alloc(parser->arena, sizeof(*tree));

    tree->kind = kind;
    return tree;
}

static void
add_range(struct parser *parser, struct set *set, uint32_t from, uint32_t to)
{
    if (set->count == set->size) {
        struct range *larger;

        set->size = set->size == 0 ? 4 : 2 * set->size;
        larger = arena_alloc(parser->arena, set->size * sizeof(*larger));
        if (set->count > 0)
            memcpy(larger, set->ranges, set->count * sizeof(*larger));
        set->ranges = larger;
    }
    set->ranges[set->count++] = (struct range){from, to};
}

/* In order, without overlap: what add_class turns round. */
static const struct range digits[] = {{'0', '9'}};
static const struct range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct range spaces[] = {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
                                      {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                      {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void
add_class(struct parser *parser, struct set *set, const struct range *ranges, size_t count, bool inverse)
{
    uint32_t from = 0;

    for (size_t i = 0; i < count; i++) {
        if (!inverse)
            add_range(parser, set, ranges[i].from, ranges[i].to);
        else if (ranges[i].from > from)
            add_range(parser, set, from, ranges[i].from - 1);
        from = ranges[i].to + 1;
    }
    if (inverse)
        add_range(parser, set, from, CHARACTER_MOST);
}

/* \d and the like; false if the letter is none of them. */
static bool
add_named(struct parser *parser, struct set *set, char letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        add_class(parser, set, digits, COUNT_OF(digits), letter == 'D');
        return true;
    case 'w':
    case 'W':
        add_class(parser, set, words, COUNT_OF(words), letter == 'W');
        return true;
    case 's':
    case 'S':
        add_class(parser, set, spaces, COUNT_OF(spaces), letter == 'S');
        return true;
    default:
        return false;
    }
}

static uint32_t
take_hex(struct parser *parser, unsigned least, unsigned most)
{
    uint32_t value = 0;
    unsigned count = 0;

    for (; count < most && parser->rest.len > 0; count++) {
        char c = peek(parser);
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;

        if (digit < 0)
            break;
        value = value << 4 | (uint32_t)digit;
        parser->rest = slice_from(parser->rest, 1);
    }
    if (count < least || value > CHARACTER_MOST)
        fail(parser, "an escape needs hexadecimal digits, as in \\x41, \\u0041 or \\u{1f600}");
    return value;
}

static uint32_t
take_unicode(struct parser *parser)
{
    uint32_t value;

    if (take(parser, "{")) {
        value = take_hex(parser, 1, 6);
        if (!take(parser, "}"))
            fail(parser, "\\u{ without }");
        return value;
    }
    value = take_hex(parser, 4, 4);
    if (value >= 0xd800 && value < 0xdc00 && take(parser, "\\u")) {
        uint32_t low = take_hex(parser, 4, 4);

        if (low < 0xdc00 || low > 0xdfff)
            fail(parser, "half a surrogate pair");
        value = 0x10000 + ((value - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
    }
    return value;
}

/* Behind a backslash, what is not a class: one character. */
static uint32_t
take_escaped(struct parser *parser)
{
    static const char from[] = "tnvfr0", to[] = "\t\n\v\f\r\0";
    char c = peek(parser);
    const char *at;

    if (parser->rest.len == 0) {
        fail(parser, "it ends with a backslash");
        return 0;
    }
    if (c == 'x' || c == 'u') {
        parser->rest = slice_from(parser->rest, 1);
        return c == 'x' ? take_hex(parser, 2, 2) : take_unicode(parser);
    }
    at = c != '\0' ? strchr(from, c) : NULL;
    if (at != NULL) {
        parser->rest = slice_from(parser->rest, 1);
        return (unsigned char)to[at - from];
    }
    if (c >= '1' && c <= '9')
        fail(parser, "back-references are not taken");
    else if ((c | 32) == 'p')
        fail(parser, "\\p{...} is not taken; list the characters in [...]");
    else if ((c | 32) >= 'a' && (c | 32) <= 'z')
        fail(parser,
             "an escape that is not known: a backslash stands before d, w, s, b, t, n, v, f, r, 0, x, u or a sign");
    return pattern_take_character(&parser->rest);
}

/* One end of a range in [...], or a class: then true. */
static bool
take_member(struct parser *parser, struct set *set, uint32_t *character)
{
    char letter;

    if (!take(parser, "\\")) {
        *character = pattern_take_character(&parser->rest);
        return false;
    }
    letter = peek(parser);
    if (add_named(parser, set, letter)) {
        parser->rest = slice_from(parser->rest, 1);
        return true;
    }
    if (letter == 'b') { /* here a backspace */
        parser->rest = slice_from(parser->rest, 1);
        *character = '\b';
        return false;
    }
    *character = take_escaped(parser);
    return false;
}

static const struct tree *
parse_set(struct parser *parser)
{
    struct set *set = arena_alloc(parser->arena, sizeof(*set));
    struct tree *tree = new_tree(parser, TREE_SET);
    uint32_t from, to;

    set->inverse = take(parser, "^");
    while (parser->why == NULL && !take(parser, "]")) {
        if (parser->rest.len == 0) {
            fail(parser, "[ without ]");
            break;
        }
        if (take_member(parser, set, &from))
            continue;
        to = from;
        if (parser->rest.len > 1 && peek(parser) == '-' && parser->rest.data[1] != ']') {
            parser->rest = slice_from(parser->rest, 1);
            if (take_member(parser, set, &to) || to < from)
                fail(parser, "a range in [...] must go from a character to a later one");
        }
        add_range(parser, set, from, to);
    }
    tree->set = set;
    return tree;
}

static const struct tree *
one_character(struct parser *parser, uint32_t character)
{
    struct set *set = arena_alloc(parser->arena, sizeof(*set));
    struct tree *tree = new_tree(parser, TREE_SET);

    add_range(parser, set, character, character);
    tree->set = set;
    return tree;
}

static const struct tree *
parse_escape(struct parser *parser)
{
    struct set *set = arena_alloc(parser->arena, sizeof(*set));
    struct tree *tree = new_tree(parser, TREE_SET);

    tree->set = set;
    if (take(parser, "b"))
        return new_tree(parser, TREE_EDGE);
    if (take(parser, "B"))
        return new_tree(parser, TREE_NO_EDGE);
    if (parser->rest.len > 0 && add_named(parser, set, peek(parser))) {
        parser->rest = slice_from(parser->rest, 1);
        return tree;
    }
    return one_character(parser, take_escaped(parser));
}

/* Behind ( stands what kind of group it is. Groups capture nothing here, so a name is of no use. */
static void
take_group_kind(struct parser *parser)
{
    if (take(parser, "?:"))
        return;
    if (take(parser, "?<=") || take(parser, "?<!")) {
        fail(parser, "lookbehinds are not taken");
    } else if (take(parser, "?=") || take(parser, "?!")) {
        fail(parser, "lookaheads are not taken");
    } else if (take(parser, "?<")) {
        size_t end = slice_find_byte(parser->rest, '>');

        if (end == parser->rest.len)
            fail(parser, "(?< without >");
        parser->rest = slice_from(parser->rest, end + 1);
    } else if (peek(parser) == '?') {
        fail(parser, "inline flags are not taken");
    }
}

static const struct tree *
parse_group(struct parser *parser)
{
    const struct tree *tree;

    take_group_kind(parser);
    if (++parser->depth > GROUPS_DEEP)
        fail(parser, "the groups are nested too deeply");
    tree = parser->why == NULL ? parse_either(parser) : new_tree(parser, TREE_EMPTY);
    parser->depth--;
    if (!take(parser, ")"))
        fail(parser, "( without )");
    return tree;
}

static const struct tree *
parse_atom(struct parser *parser)
{
    if (take(parser, "("))
        return parse_group(parser);
    if (take(parser, "["))
        return parse_set(parser);
    if (take(parser, "\\"))
        return parse_escape(parser);
    if (take(parser, "^"))
        return new_tree(parser, TREE_START);
    if (take(parser, "$"))
        return new_tree(parser, TREE_END);
    if (take(parser, ".")) {
        struct set *set = arena_alloc(parser->arena, sizeof(*set));
        struct tree *tree = new_tree(parser, TREE_SET);

        add_class(parser, set, line_ends, COUNT_OF(line_ends), true);
        tree->set = set;
        return tree;
    }
    if (peek(parser) == '*' || peek(parser) == '+' || peek(parser) == '?')
        fail(parser, "there is nothing before *, + or ? that it could repeat");
    return one_character(parser, pattern_take_character(&parser->rest));
}

/* Digits at *at; false if there are none. Too large a number is REPEATS_MOST + 1. */
static bool
take_number(struct slice *at, unsigned *out)
{
    size_t len = 0;

    *out = 0;
    for (; len < at->len && at->data[len] >= '0' && at->data[len] <= '9'; len++)
        if (*out <= REPEATS_MOST)
            *out = *out * 10 + (unsigned)(at->data[len] - '0');
    *at = slice_from(*at, len);
    return len > 0;
}

/* {2}, {2,} or {2,5}; what only looks like it is text (ECMA-262, B.1.2). */
static bool
take_braces(struct parser *parser, unsigned *least, unsigned *most)
{
    struct slice at = slice_from(parser->rest, 1);

    if (peek(parser) != '{' || !take_number(&at, least))
        return false;
    *most = *least;
    if (at.len > 0 && at.data[0] == ',') {
        at = slice_from(at, 1);
        if (!take_number(&at, most))
            *most = UNBOUNDED;
        else if (*most > REPEATS_MOST)
            fail(parser, "a repetition of more than 1000 is not taken");
    }
    if (at.len == 0 || at.data[0] != '}')
        return false;
    if (*least > REPEATS_MOST)
        fail(parser, "a repetition of more than 1000 is not taken");
    else if (*most < *least)
        fail(parser, "a repetition's numbers are the wrong way round");
    parser->rest = slice_from(at, 1);
    return true;
}

static bool
take_quantifier(struct parser *parser, unsigned *least, unsigned *most)
{
    *least = 0;
    *most = UNBOUNDED;
    if (take(parser, "+")) {
        *least = 1;
    } else if (take(parser, "?")) {
        *most = 1;
    } else if (!take(parser, "*") && !take_braces(parser, least, most)) {
        return false;
    }
    take(parser, "?"); /* lazy: finds the same texts */
    return true;
}

static const struct tree *
parse_repeated(struct parser *parser)
{
    const struct tree *atom = parse_atom(parser);
    struct tree *repeat;
    unsigned least, most;

    if (parser->why != NULL || !take_quantifier(parser, &least, &most))
        return atom;
    if (atom->kind >= TREE_START && atom->kind <= TREE_NO_EDGE)
        fail(parser, "a place such as ^ cannot be repeated");
    repeat = new_tree(parser, TREE_REPEAT);
    repeat->left = atom;
    repeat->least = least;
    repeat->most = most;
    return repeat;
}

static const struct tree *
join(struct parser *parser, enum tree_kind kind, const struct tree *left, const struct tree *right)
{
    struct tree *tree = new_tree(parser, kind);

    tree->left = left;
    tree->right = right;
    return tree;
}

static const struct tree *
parse_either(struct parser *parser)
{
    const struct tree *either = NULL;

    do {
        const struct tree *way = new_tree(parser, TREE_EMPTY);

        while (parser->why == NULL && parser->rest.len > 0 && peek(parser) != '|' && peek(parser) != ')')
            way = join(parser, TREE_CAT, way, parse_repeated(parser));
        either = either == NULL ? way : join(parser, TREE_OR, either, way);
    } while (parser->why == NULL && take(parser, "|"));
    return either;
}

/* Writing the steps */

struct writer {
    struct step *steps;
    unsigned count, visits;
};

static bool
is_too_large(const struct writer *writer)
{
    return writer->count >= STEPS_MOST || writer->visits >= VISITS_MOST;
}

static struct step *
put(struct writer *writer, enum step_kind kind)
{
    struct step *step = &writer->steps[writer->count];

    *step = (struct step){.kind = kind};
    if (writer->count + 1 < STEPS_MOST)
        writer->count++;
    else
        writer->visits = VISITS_MOST;
    return step;
}

static void write_tree(struct writer *writer, const struct tree *tree);

static void
write_either(struct writer *writer, const struct tree *tree)
{
    struct step *fork = put(writer, STEP_FORK), *go;

    fork->to = writer->count;
    write_tree(writer, tree->left);
    go = put(writer, STEP_GO);
    fork->other = writer->count;
    write_tree(writer, tree->right);
    go->to = writer->count;
}

/* One more of it, or none. */
static void
write_optional(struct writer *writer, const struct tree *tree, bool again)
{
    unsigned start = writer->count;
    struct step *fork = put(writer, STEP_FORK);

    fork->to = writer->count;
    write_tree(writer, tree);
    if (again)
        put(writer, STEP_GO)->to = start;
    fork->other = writer->count;
}

static void
write_repeat(struct writer *writer, const struct tree *tree)
{
    for (unsigned i = 0; i < tree->least && !is_too_large(writer); i++)
        write_tree(writer, tree->left);
    if (tree->most == UNBOUNDED)
        write_optional(writer, tree->left, true);
    else
        for (unsigned i = tree->least; i < tree->most && !is_too_large(writer); i++)
            write_optional(writer, tree->left, false);
}

static void
write_tree(struct writer *writer, const struct tree *tree)
{
    writer->visits++;
    if (is_too_large(writer))
        return;
    switch (tree->kind) {
    case TREE_EMPTY:
        break;
    case TREE_SET:
        put(writer, STEP_SET)->set = tree->set;
        break;
    case TREE_START:
    case TREE_END:
    case TREE_EDGE:
    case TREE_NO_EDGE:
        put(writer, (enum step_kind)(STEP_START + (tree->kind - TREE_START)));
        break;
    case TREE_CAT:
        write_tree(writer, tree->left);
        write_tree(writer, tree->right);
        break;
    case TREE_OR:
        write_either(writer, tree);
        break;
    case TREE_REPEAT:
        write_repeat(writer, tree);
        break;
    }
}

const struct pattern *
pattern_compile(struct arena *arena, struct slice text, const char **why)
{
    struct parser parser = {.arena = arena, .rest = text};
    struct pattern *pattern = arena_alloc(arena, sizeof(*pattern));
    const struct tree *tree;
    struct writer writer = {0};

    if (text.len > TEXT_MOST) {
        *why = "it is longer than 4096 bytes";
        return NULL;
    }
    tree = parse_either(&parser);
    if (parser.why == NULL && parser.rest.len > 0)
        parser.why = ") without (";
    *why = parser.why;
    if (parser.why != NULL)
        return NULL;
    writer.steps = must_calloc(STEPS_MOST, sizeof(*writer.steps));
    write_tree(&writer, tree);
    put(&writer, STEP_FOUND);
    if (is_too_large(&writer)) {
        *why = "its repetitions make it too large";
        pattern = NULL;
    } else {
        pattern->count = writer.count;
        pattern->steps = arena_alloc(arena, writer.count * sizeof(*writer.steps));
        memcpy(pattern->steps, writer.steps, writer.count * sizeof(*writer.steps));
    }
    free(writer.steps);
    return pattern;
}
