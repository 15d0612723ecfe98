#include "quality/judge.h"

#include <math.h>
#include <stdlib.h>

#include "dialect/json/json_schema.h"

static const char *const names[JUDGE_COUNT] = {"exact", "numeric", "json", "embedding"};

/* JSON values are compared to this depth. */
enum { JSON_DEPTH_MOST = 200, NUMBER_CHARACTERS_MOST = 64 };

const char *
judge_name(enum judge judge)
{
    return names[judge];
}

bool
judge_of_name(struct slice name, enum judge *out)
{
    for (unsigned i = 0; i < JUDGE_COUNT; i++)
        if (slice_is(name, names[i])) {
            *out = (enum judge)i;
            return true;
        }
    return false;
}

/* Exact */

static bool
is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct slice
skip_space(struct slice text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = slice_from(text, 1);
    return text;
}

static struct slice
trim(struct slice text)
{
    text = skip_space(text);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Without white space around it and one full stop at its end. */
static struct slice
without_end(struct slice text)
{
    text = trim(text);
    return slice_ends(text, ".") ? trim(slice_first(text, text.len - 1)) : text;
}

static bool
same_text(struct slice a, struct slice b)
{
    a = without_end(a);
    b = without_end(b);
    while (a.len > 0 && b.len > 0) {
        bool space = is_space(a.data[0]);

        if (space != is_space(b.data[0]))
            return false;
        if (!space && !slice_equal_nocase(slice_first(a, 1), slice_first(b, 1)))
            return false;
        a = space ? skip_space(a) : slice_from(a, 1);
        b = space ? skip_space(b) : slice_from(b, 1);
    }
    return a.len == b.len;
}

/* Numeric */

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool
is_letter(char byte)
{
    return ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '_';
}

static bool
digit_at(struct slice text, size_t at)
{
    return at < text.len && is_digit(text.data[at]);
}

static size_t
skip_digits(struct slice text, size_t at)
{
    while (digit_at(text, at))
        at++;
    return at;
}

/* "12", "1,234,567"; a comma is part of it if exactly three digits follow, and at most three stood before the first. */
static size_t
skip_whole_part(struct slice text)
{
    size_t at = skip_digits(text, 0);

    if (at > 3)
        return at;
    while (at < text.len && text.data[at] == ',' && skip_digits(text, at + 1) == at + 4)
        at += 4;
    return at;
}

/* The length of the number at the front of `text`, which begins with a digit, or with a point before one. */
static size_t
number_len(struct slice text)
{
    size_t at = skip_whole_part(text), sign;

    if (at < text.len && text.data[at] == '.' && digit_at(text, at + 1))
        at = skip_digits(text, at + 1);
    if (at < text.len && (text.data[at] | 0x20) == 'e') {
        sign = at + 1 < text.len && (text.data[at + 1] == '-' || text.data[at + 1] == '+');
        if (digit_at(text, at + 1 + sign))
            at = skip_digits(text, at + 1 + sign);
    }
    return at;
}

static double
number_value(struct slice text)
{
    char digits[NUMBER_CHARACTERS_MOST + 1];
    size_t len = 0;

    if (text.len > NUMBER_CHARACTERS_MOST)
        return INFINITY;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != ',')
            digits[len++] = text.data[i];
    digits[len] = '\0';
    return strtod(digits, NULL);
}

static bool
ends_with_minus(struct slice text)
{
    return slice_ends(text, "-") || slice_ends(text, "\xe2\x88\x92"); /* U+2212 */
}

/* "-5", "-$5"; not "10-5", "covid-19". */
static bool
is_negative(struct slice before)
{
    char further;

    if (slice_ends(before, "$"))
        before.len--;
    if (!ends_with_minus(before))
        return false;
    before.len -= slice_ends(before, "-") ? 1 : 3;
    further = before.len > 0 ? before.data[before.len - 1] : ' ';
    return !is_letter(further) && !is_digit(further);
}

/* Does a number begin here? Not within a word, nor within what looks like one number more ("1.2.3"). */
static bool
number_begins(struct slice text, size_t at)
{
    char before = at > 0 ? text.data[at - 1] : ' ';

    if (!digit_at(text, at) && (text.data[at] != '.' || !digit_at(text, at + 1)))
        return false;
    return !is_letter(before) && !is_digit(before) && (before != '.' || at < 2 || !is_digit(text.data[at - 2]));
}

bool
judge_next_number(struct slice text, size_t *at, double *out)
{
    for (; *at < text.len; ++*at) {
        struct slice number = slice_from(text, *at);

        if (!number_begins(text, *at))
            continue;
        number.len = number_len(number);
        *out = number_value(number);
        if (is_negative(slice_first(text, *at)))
            *out = -*out;
        *at += number.len;
        return true;
    }
    return false;
}

static bool
last_number(struct slice text, double *out)
{
    bool found = false;
    size_t at = 0;

    while (judge_next_number(text, &at, out))
        found = true;
    return found;
}

static bool
same_number(double a, double b, double tolerance)
{
    return isfinite(a) && isfinite(b) && fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

static enum status
compare_numbers(const struct judge_rule *rule, struct slice reference, struct slice candidate, double *outcome)
{
    double wanted, number;
    size_t at = 0;

    if (!last_number(reference, &wanted) || !isfinite(wanted))
        return ERR_INVALID;
    *outcome = 0;
    if (!rule->any_number)
        *outcome = last_number(candidate, &number) && same_number(wanted, number, rule->tolerance) ? 1 : 0;
    else
        while (*outcome == 0 && judge_next_number(candidate, &at, &number))
            *outcome = same_number(wanted, number, rule->tolerance) ? 1 : 0;
    return OK;
}

/* JSON */

static bool same_json(yyjson_val *a, yyjson_val *b, unsigned depth);

/* By their bytes; of equal ones the first comes first (yyjson keeps the values of a text in its order). */
static int
by_key(const void *a, const void *b)
{
    yyjson_val *left = *(yyjson_val *const *)a, *right = *(yyjson_val *const *)b;
    size_t left_len = yyjson_get_len(left), right_len = yyjson_get_len(right);
    int order = memcmp(yyjson_get_str(left), yyjson_get_str(right), left_len < right_len ? left_len : right_len);

    if (order != 0)
        return order;
    return left_len != right_len ? (left_len > right_len) - (left_len < right_len) : (left > right) - (left < right);
}

static yyjson_val **
sorted_keys(yyjson_val *object)
{
    yyjson_val **keys = must_alloc((yyjson_obj_size(object) + 1) * sizeof(*keys)); /* malloc(0) may be NULL */
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    size_t count = 0;

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != NULL;)
        keys[count++] = key;
    qsort(keys, count, sizeof(*keys), by_key);
    return keys;
}

static bool
same_object(yyjson_val *a, yyjson_val *b, unsigned depth)
{
    yyjson_val **left, **right;
    bool same = yyjson_obj_size(a) == yyjson_obj_size(b);

    if (!same)
        return false;
    left = sorted_keys(a);
    right = sorted_keys(b);
    for (size_t i = 0; i < yyjson_obj_size(a) && same; i++)
        same = yyjson_equals(left[i], right[i]) &&
               same_json(yyjson_obj_iter_get_val(left[i]), yyjson_obj_iter_get_val(right[i]), depth);
    free(left);
    free(right);
    return same;
}

static bool
same_array(yyjson_val *a, yyjson_val *b, unsigned depth)
{
    yyjson_arr_iter left = yyjson_arr_iter_with(a), right = yyjson_arr_iter_with(b);

    if (yyjson_arr_size(a) != yyjson_arr_size(b))
        return false;
    for (yyjson_val *value; (value = yyjson_arr_iter_next(&left)) != NULL;)
        if (!same_json(value, yyjson_arr_iter_next(&right), depth))
            return false;
    return true;
}

static bool
same_json(yyjson_val *a, yyjson_val *b, unsigned depth)
{
    if (depth > JSON_DEPTH_MOST)
        return false;
    if (yyjson_is_num(a) && yyjson_is_num(b))
        return yyjson_is_int(a) && yyjson_is_int(b) ? yyjson_equals(a, b) : yyjson_get_num(a) == yyjson_get_num(b);
    if (yyjson_is_obj(a) && yyjson_is_obj(b))
        return same_object(a, b, depth + 1);
    if (yyjson_is_arr(a) && yyjson_is_arr(b))
        return same_array(a, b, depth + 1);
    return yyjson_equals(a, b);
}

static yyjson_doc *
read_json(struct slice text)
{
    return text.len > 0 ? yyjson_read(text.data, text.len, YYJSON_READ_NOFLAG) : NULL;
}

static enum status
check_schema(const struct json_schema *schema, yyjson_doc *candidate, double *outcome)
{
    char why[SCHEMA_WORDS_SIZE];
    enum schema_verdict verdict = json_schema_check(schema, yyjson_doc_get_root(candidate), why);

    *outcome = verdict == SCHEMA_FITS ? 1 : 0;
    return verdict == SCHEMA_TOO_COSTLY ? ERR_LIMIT : OK;
}

static enum status
compare_json(const struct judge_rule *rule, struct slice reference, struct slice candidate, double *outcome)
{
    yyjson_doc *wanted = rule->same_fields ? read_json(reference) : NULL, *found = read_json(candidate);
    enum status status = OK;

    if (rule->same_fields ? wanted == NULL : rule->schema == NULL)
        status = ERR_INVALID;
    *outcome = found != NULL ? 1 : 0;
    if (status == OK && found != NULL && rule->schema != NULL)
        status = check_schema(rule->schema, found, outcome);
    if (status == OK && *outcome > 0 && rule->same_fields)
        *outcome = same_json(yyjson_doc_get_root(wanted), yyjson_doc_get_root(found), 0) ? 1 : 0;
    yyjson_doc_free(wanted);
    yyjson_doc_free(found);
    return status;
}

/* Embedding */

static enum status
compare_meaning(const struct judge_rule *rule, struct slice reference, struct slice candidate, double *outcome)
{
    double cosine = 0;

    ENSURE(rule->similarity != NULL);
    *outcome = 0;
    if (trim(candidate).len == 0)
        return OK; /* nothing was said, where something should have been */
    if (!rule->similarity(rule->context, reference, candidate, &cosine) || !isfinite(cosine))
        return ERR_INVALID;
    *outcome = cosine >= rule->cosine_least ? 1 : 0;
    return OK;
}

struct judge_rule
judge_rule_of(const struct judge_config *config)
{
    return (struct judge_rule){.judge = (enum judge)config->judge,
                               .tolerance = config->tolerance_ppm / 1e6,
                               .schema = config->schema,
                               .same_fields = config->schema == NULL,
                               .cosine_least = config->similar_ppm / 1e6};
}

enum status
judge_compare(const struct judge_rule *rule, struct slice reference, struct slice candidate, double *outcome)
{
    ENSURE(rule->judge < JUDGE_COUNT);
    *outcome = 1;
    if (slice_equal(reference, candidate) && rule->schema == NULL)
        return OK;
    switch (rule->judge) {
    case JUDGE_EXACT:
        *outcome = same_text(reference, candidate) ? 1 : 0;
        return OK;
    case JUDGE_NUMERIC:
        return compare_numbers(rule, reference, candidate, outcome);
    case JUDGE_JSON:
        return compare_json(rule, reference, candidate, outcome);
    case JUDGE_EMBEDDING:
        return compare_meaning(rule, reference, candidate, outcome);
    case JUDGE_COUNT:
        break;
    }
    return ERR_INVALID;
}
