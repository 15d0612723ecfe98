/* How names of models and providers are recognised. */
#include <ctype.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "money/prices/prices_book.h"

/* Longer or more repetitive expressions could cost the matcher much time or memory. */
enum { REGEX_LEN_MOST = 256, REGEX_COPIES_MOST = 4096 };

struct slice
prices_lower(struct arena *arena, struct slice text)
{
    char *lower = arena_slice_text(arena, text);

    for (size_t i = 0; i < text.len; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] - 'A' + 'a');
    return slice_make(lower, text.len);
}

bool
prices_regex_matches(const regex_t *regex, struct slice text)
{
    char copy[NAME_MOST + 1];

    if (text.len > NAME_MOST || slice_find_byte(text, '\0') < text.len)
        return false;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return regexec(regex, copy, 0, NULL, 0) == 0;
}

static bool
any_matches(const struct clause *clause, struct slice text)
{
    for (size_t i = 0; i < clause->part_count; i++)
        if (clause_matches(&clause->parts[i], text))
            return true;
    return false;
}

static bool
all_match(const struct clause *clause, struct slice text)
{
    for (size_t i = 0; i < clause->part_count; i++)
        if (!clause_matches(&clause->parts[i], text))
            return false;
    return true;
}

bool
clause_matches(const struct clause *clause, struct slice text)
{
    switch (clause->kind) {
    case CLAUSE_NEVER:
        return false;
    case CLAUSE_EQUALS:
        return slice_equal(text, clause->text);
    case CLAUSE_STARTS:
        return slice_equal(slice_first(text, clause->text.len), clause->text);
    case CLAUSE_ENDS:
        return text.len >= clause->text.len && slice_equal(slice_from(text, text.len - clause->text.len), clause->text);
    case CLAUSE_CONTAINS:
        return clause->text.len == 0 || slice_find(text, clause->text) < text.len;
    case CLAUSE_REGEX:
        return prices_regex_matches(clause->regex, text);
    case CLAUSE_ANY_OF:
        return any_matches(clause, text);
    case CLAUSE_ALL_OF:
        return all_match(clause, text);
    }
    return false;
}

/* Perl's classes in POSIX's words; NULL: not one of them. */
static const char *
class_of(char letter, bool in_brackets)
{
    switch (letter) {
    case 'd':
        return in_brackets ? "0-9" : "[0-9]";
    case 'w':
        return in_brackets ? "A-Za-z0-9_" : "[A-Za-z0-9_]";
    case 's':
        return in_brackets ? "[:space:]" : "[[:space:]]";
    default:
        return NULL;
    }
}

struct translation {
    struct slice rest; /* of the pattern */
    struct buffer *out;
    bool in_brackets;
    unsigned copies; /* of a part that the compiler may have to make, at most */
};

static bool
translate_escape(struct translation *t)
{
    char letter = t->rest.len > 1 ? t->rest.data[1] : '\0';
    const char *class = class_of(letter, t->in_brackets);

    if (class != NULL) {
        buffer_add_text(t->out, class);
    } else if (letter == '\0' || isalnum((unsigned char)letter)) {
        return false; /* \1, \b and the like */
    } else {
        if (!t->in_brackets)
            buffer_add_byte(t->out, '\\');
        buffer_add_byte(t->out, letter);
    }
    t->rest = slice_from(t->rest, 2);
    return true;
}

/* Repeats within repeats multiply. */
static bool
repeat_allowed(struct translation *t, unsigned times)
{
    t->copies *= times > 1 ? times : 1;
    return t->copies <= REGEX_COPIES_MOST;
}

/* "{4}", "{2,8}": small numbers only. */
static bool
translate_repeat(struct translation *t)
{
    unsigned number = 0;
    size_t i = 1;

    for (; i < t->rest.len && t->rest.data[i] != '}'; i++) {
        char byte = t->rest.data[i];

        if (byte != ',' && !isdigit((unsigned char)byte))
            return false;
        number = byte == ',' ? 0 : number * 10 + (unsigned)(byte - '0');
        if (number > REGEX_COPIES_MOST)
            return false;
    }
    if (i == t->rest.len || !repeat_allowed(t, number))
        return false;
    buffer_add(t->out, slice_first(t->rest, i + 1));
    t->rest = slice_from(t->rest, i + 1);
    return true;
}

static bool
translate_one(struct translation *t)
{
    char byte = t->rest.data[0];

    if (byte == '\0' || (byte & 0x80) != 0)
        return false;
    if (byte == '\\')
        return translate_escape(t);
    if (!t->in_brackets && byte == '{')
        return translate_repeat(t);
    if (!t->in_brackets && slice_starts(t->rest, "(?")) {
        if (!slice_starts(t->rest, "(?:"))
            return false; /* look-ahead and the like */
        buffer_add_byte(t->out, '(');
        t->rest = slice_from(t->rest, 3);
        return true;
    }
    if (!t->in_brackets && byte == '?' && t->out->end > t->out->start &&
        strchr("*+?}", t->out->data[t->out->end - 1]) != NULL)
        return false; /* not greedy */
    if (!t->in_brackets && slice_starts(t->rest, ")+") && !repeat_allowed(t, 2))
        return false;
    if (byte == '[')
        t->in_brackets = true;
    else if (byte == ']')
        t->in_brackets = false;
    buffer_add_byte(t->out, byte);
    t->rest = slice_from(t->rest, 1);
    return true;
}

regex_t *
prices_compile_regex(struct price_book *book, struct slice pattern, bool anchored)
{
    struct buffer out;
    struct translation t = {.rest = pattern, .out = &out, .copies = 1};
    struct regex_list *entry = arena_alloc(&book->arena, sizeof *entry);
    bool fine = pattern.len <= REGEX_LEN_MOST;

    buffer_init(&out);
    buffer_add_text(&out, anchored ? "^(" : "");
    while (fine && t.rest.len > 0)
        fine = translate_one(&t);
    buffer_add_text(&out, anchored ? ")" : "");
    buffer_add_byte(&out, '\0');
    fine = fine && !t.in_brackets && regcomp(&entry->regex, buffer_content(&out).data, REG_EXTENDED | REG_NOSUB) == 0;
    buffer_free(&out);
    if (!fine)
        return NULL;
    entry->next = book->regexes;
    book->regexes = entry;
    return &entry->regex;
}

static bool
is_number(struct slice digits, int least, int most)
{
    int number = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (!isdigit((unsigned char)digits.data[i]))
            return false;
        number = number * 10 + (digits.data[i] - '0');
    }
    return number >= least && number <= most;
}

/* True if the text begins with "-20250807" and then ends, or goes on with '-' or ':'. */
static bool
begins_with_date(struct slice text)
{
    char dashed[16];
    usec time;

    if (text.len < 9 || text.data[0] != '-' || (text.len > 9 && text.data[9] != '-' && text.data[9] != ':'))
        return false;
    if (!is_number(slice_make(text.data + 1, 8), 20000101, 20991231))
        return false;
    snprintf(dashed, sizeof dashed, "%.4s-%.2s-%.2s", text.data + 1, text.data + 5, text.data + 7);
    return clock_parse_utc(slice_of(dashed), &time) == OK;
}

bool
prices_dash_dates(struct slice name, char *out, size_t *len)
{
    bool found = false;

    *len = 0;
    for (size_t i = 0; i < name.len;) {
        if (begins_with_date(slice_from(name, i))) {
            *len +=
                (size_t)sprintf(out + *len, "-%.4s-%.2s-%.2s", name.data + i + 1, name.data + i + 5, name.data + i + 7);
            i += 9;
            found = true;
        } else {
            out[(*len)++] = name.data[i++];
        }
    }
    return found;
}
