#include "fleet/health/metrics_page.h"

#include <math.h>
#include <stdlib.h>

void
metrics_page_init(struct metrics_page *page, struct slice text)
{
    *page = (struct metrics_page){.rest = text.data != NULL ? text : SLICE_LITERAL("")};
    if (text.len > METRICS_PAGE_BYTES_MOST)
        page->why = "the page is larger than 4 MiB";
}

struct slice
metrics_label_of(const struct metrics_sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->label_count; i++)
        if (slice_is(sample->labels[i].name, name))
            return sample->labels[i].value;
    return SLICE_NONE;
}

static enum status
fail(struct metrics_page *page, enum status status, const char *why)
{
    page->why = why;
    return status;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void
skip_blanks(struct slice *line)
{
    size_t count = 0;

    while (count < line->len && (line->data[count] == ' ' || line->data[count] == '\t'))
        count++;
    *line = slice_from(*line, count);
}

/* [a-zA-Z_][a-zA-Z0-9_]*, for metrics also colons; empty if there is none. */
static struct slice
take_name(struct slice *line, bool colons)
{
    struct slice name = *line;
    size_t len = 0;

    while (len < line->len &&
           (is_letter(line->data[len]) || (colons && line->data[len] == ':') || (len > 0 && is_digit(line->data[len]))))
        len++;
    *line = slice_from(*line, len);
    return slice_first(name, len);
}

static bool
take_byte(struct slice *line, char byte)
{
    if (line->len == 0 || line->data[0] != byte)
        return false;
    *line = slice_from(*line, 1);
    return true;
}

/* Behind its opening quote. Only \\, \" and \n are escapes. */
static bool
take_quoted(struct slice *line, struct slice *out)
{
    size_t len = 0;

    for (; len < line->len && line->data[len] != '"'; len++) {
        if (line->data[len] != '\\')
            continue;
        if (++len >= line->len || (line->data[len] != '\\' && line->data[len] != '"' && line->data[len] != 'n'))
            return false;
    }
    if (len >= line->len)
        return false;
    *out = slice_first(*line, len);
    *line = slice_from(*line, len + 1);
    return true;
}

static enum status
take_label(struct metrics_page *page, struct slice *line, struct metrics_sample *out)
{
    struct metrics_label label = {.name = take_name(line, false)};

    if (label.name.len == 0)
        return fail(page, ERR_INVALID, "expected a label's name");
    skip_blanks(line);
    if (!take_byte(line, '='))
        return fail(page, ERR_INVALID, "expected = behind a label's name");
    skip_blanks(line);
    if (!take_byte(line, '"') || !take_quoted(line, &label.value))
        return fail(page, ERR_INVALID, "expected a label's value in quotes");
    if (out->label_count == METRICS_LABELS_MOST)
        return fail(page, ERR_LIMIT, "more than 64 labels");
    out->labels[out->label_count++] = label;
    skip_blanks(line);
    return OK;
}

/* Behind the opening brace, up to and with the closing one. A comma may stand behind the last. */
static enum status
take_labels(struct metrics_page *page, struct slice *line, struct metrics_sample *out)
{
    enum status status;

    skip_blanks(line);
    while (!take_byte(line, '}')) {
        status = take_label(page, line, out);
        if (status != OK)
            return status;
        if (!take_byte(line, ',') && (line->len == 0 || line->data[0] != '}'))
            return fail(page, ERR_INVALID, "expected a comma or } behind a label");
        skip_blanks(line);
    }
    return OK;
}

static struct slice
take_word(struct slice *line)
{
    struct slice word = *line;
    size_t len = 0;

    while (len < line->len && line->data[len] != ' ' && line->data[len] != '\t')
        len++;
    *line = slice_from(*line, len);
    return slice_first(word, len);
}

static size_t
count_digits(struct slice text, size_t from)
{
    size_t at = from;

    while (at < text.len && is_digit(text.data[at]))
        at++;
    return at - from;
}

/* Digits with at most one point, and an exponent. What strtod takes beyond that (hexadecimals, locales) is no number here. */
static bool
is_decimal(struct slice text)
{
    size_t at = text.len > 0 && (text.data[0] == '+' || text.data[0] == '-') ? 1 : 0;
    size_t digits = count_digits(text, at);

    at += digits;
    if (at < text.len && text.data[at] == '.') {
        size_t behind = count_digits(text, at + 1);

        at += 1 + behind;
        digits += behind;
    }
    if (digits == 0)
        return false;
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
            at++;
        digits = count_digits(text, at);
        if (digits == 0)
            return false;
        at += digits;
    }
    return at == text.len;
}

static bool
read_number(struct slice text, double *out)
{
    char copy[METRICS_NUMBER_BYTES_MOST + 1];
    struct slice bare = text;

    if (text.len == 0 || text.len > METRICS_NUMBER_BYTES_MOST)
        return false;
    if (text.data[0] == '+' || text.data[0] == '-')
        bare = slice_from(text, 1);
    if (slice_is_nocase(bare, "inf") || slice_is_nocase(bare, "infinity")) {
        *out = text.data[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (slice_is_nocase(text, "nan")) {
        *out = (double)NAN;
        return true;
    }
    if (!is_decimal(text))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, NULL);
    return true;
}

/* OpenMetrics: `{labels} value [time]` behind a #. Nobody here asks for it. */
static enum status
pass_exemplar(struct metrics_page *page, struct slice line)
{
    struct metrics_sample exemplar = {.label_count = 0};
    enum status status;
    double number;

    skip_blanks(&line);
    if (!take_byte(&line, '{'))
        return fail(page, ERR_INVALID, "expected an exemplar's labels");
    status = take_labels(page, &line, &exemplar);
    if (status != OK)
        return status;
    skip_blanks(&line);
    if (!read_number(take_word(&line), &number))
        return fail(page, ERR_INVALID, "expected an exemplar's value");
    skip_blanks(&line);
    if (line.len > 0 && !read_number(take_word(&line), &number))
        return fail(page, ERR_INVALID, "expected an exemplar's time");
    skip_blanks(&line);
    return line.len == 0 ? OK : fail(page, ERR_INVALID, "expected the end of the line");
}

/* What may stand behind the value: a time, an exemplar. */
static enum status
pass_rest(struct metrics_page *page, struct slice line)
{
    double number;

    if (line.len > 0 && line.data[0] != '#' && !read_number(take_word(&line), &number))
        return fail(page, ERR_INVALID, "expected a time behind the value");
    skip_blanks(&line);
    if (take_byte(&line, '#'))
        return pass_exemplar(page, line);
    return line.len == 0 ? OK : fail(page, ERR_INVALID, "expected the end of the line");
}

static enum status
read_sample(struct metrics_page *page, struct slice line, struct metrics_sample *out)
{
    enum status status;

    skip_blanks(&line);
    out->label_count = 0;
    out->name = take_name(&line, true);
    if (out->name.len == 0)
        return fail(page, ERR_INVALID, "expected a metric's name");
    skip_blanks(&line);
    if (take_byte(&line, '{')) {
        status = take_labels(page, &line, out);
        if (status != OK)
            return status;
    } else if (line.data == out->name.data + out->name.len) {
        return fail(page, ERR_INVALID, "expected a blank or { behind a metric's name");
    }
    skip_blanks(&line);
    if (!read_number(take_word(&line), &out->value))
        return fail(page, ERR_INVALID, "expected a number");
    skip_blanks(&line);
    return pass_rest(page, line);
}

/* Empty lines and comments bring nothing. */
static bool
is_silent(struct metrics_page *page, struct slice line)
{
    skip_blanks(&line);
    if (line.len > 0 && line.data[0] != '#')
        return false;
    page->ended = slice_is(line, "# EOF");
    return true;
}

/* A line without its line feed may have been cut; only # EOF may stand so. */
static enum status
take_line(struct metrics_page *page, struct slice *line)
{
    size_t len = slice_find_byte(page->rest, '\n');

    page->line++;
    if (page->ended)
        return fail(page, ERR_INVALID, "something stands behind # EOF");
    *line = slice_first(page->rest, len);
    if (len > METRICS_LINE_BYTES_MOST)
        return fail(page, ERR_LIMIT, "the line is longer than 64 KiB");
    if (len == page->rest.len && !slice_is(*line, "# EOF"))
        return fail(page, ERR_INVALID, "the last line has no line feed: the page is cut off");
    page->rest = slice_from(page->rest, len + 1);
    return OK;
}

enum status
metrics_page_next(struct metrics_page *page, struct metrics_sample *out)
{
    struct slice line;
    enum status status;

    if (page->why != NULL)
        return page->line == 0 ? ERR_LIMIT : ERR_INVALID;
    while (page->rest.len > 0) {
        status = take_line(page, &line);
        if (status != OK)
            return status;
        if (!is_silent(page, line))
            return read_sample(page, line, out);
    }
    return ERR_NOT_FOUND;
}
