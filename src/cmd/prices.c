/* equipoise prices list|lint|quote */
#include "money/prices/prices.h"
#include "base/clock.h"
#include "base/text.h"
#include "cmd/options.h"
#include "cmd/prices_quote.h"

enum { FILE_MOST = 256 * 1024 * 1024 };

/* The book of the file, or the built-in facts if there is none. NULL, having said why: the exit status is CMD_CONFIG. */
static struct price_book *
open_book(const char *file)
{
    struct price_book *book = NULL;
    struct problems problems;
    struct buffer text;

    if (file == NULL)
        return prices_builtin();
    problems_init(&problems);
    buffer_init(&text);
    if (cmd_read_file(file, FILE_MOST, &text) == OK && prices_load(buffer_content(&text), file, &problems, &book) != OK)
        cmd_print_problems(&problems, buffer_content(&text));
    buffer_free(&text);
    problems_free(&problems);
    return book;
}

/* list */

struct listing {
    const char *file, *provider, *model;
    usec at;
    bool json;
};

static const enum usage_kind listed_kinds[] = {USAGE_input_tokens, USAGE_cache_read_tokens, USAGE_cache_write_tokens,
                                               USAGE_output_tokens};

static bool
is_listed(const struct price *price, const struct listing *listing)
{
    if (listing->provider != NULL && strcmp(price_provider(price), listing->provider) != 0)
        return false;
    return listing->model == NULL || text_glob(slice_of(listing->model), slice_of(price_model(price)));
}

static const char *
rate_text(const struct price *price, usec at, enum usage_kind kind, char *out)
{
    usd_rate rate = price_rate_at(price, at, kind);

    usd_rate_format(rate, out);
    return rate != USD_RATE_NONE ? out : "-";
}

static void
list_line(const struct price *price, const struct listing *listing, struct buffer *out)
{
    char text[USD_RATE_TEXT_SIZE];

    buffer_printf(out, "%-14s %-44s", price_provider(price), price_model(price));
    for (size_t i = 0; i < sizeof listed_kinds / sizeof listed_kinds[0]; i++)
        buffer_printf(out, " %10s", rate_text(price, listing->at, listed_kinds[i], text));
    if (price_context_window(price) > 0)
        buffer_printf(out, " %10lld", (long long)price_context_window(price));
    buffer_add_text(out, "\n");
}

static void
list_json(const struct price *price, const struct listing *listing, bool first, struct buffer *out)
{
    char text[USD_RATE_TEXT_SIZE];
    bool some = false;

    buffer_printf(out, "%s{\"provider\":\"", first ? "" : ",\n ");
    buffer_add_json(out, slice_of(price_provider(price)));
    buffer_add_text(out, "\",\"model\":\"");
    buffer_add_json(out, slice_of(price_model(price)));
    buffer_add_text(out, "\",\"prices\":{");
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++) {
        if (price_rate_at(price, listing->at, kind) == USD_RATE_NONE)
            continue;
        buffer_printf(out, "%s\"%s\":\"%s\"", some ? "," : "", usage_kind_price_name(kind),
                      rate_text(price, listing->at, kind, text));
        some = true;
    }
    buffer_add_text(out, "}");
    if (price_context_window(price) > 0)
        buffer_printf(out, ",\"context_window\":%lld", (long long)price_context_window(price));
    buffer_add_text(out, "}");
}

static size_t
list_all(const struct price_book *book, const struct listing *listing, struct buffer *out)
{
    const struct price *price;
    size_t count = 0;

    if (listing->json)
        buffer_add_text(out, "[");
    else
        buffer_printf(out, "%-14s %-44s %10s %10s %10s %10s %10s\n", "PROVIDER", "MODEL", "INPUT", "CACHED", "WRITE",
                      "OUTPUT", "CONTEXT");
    for (size_t at = 0; (price = prices_next(book, &at)) != NULL;) {
        if (!is_listed(price, listing))
            continue;
        if (listing->json)
            list_json(price, listing, count == 0, out);
        else
            list_line(price, listing, out);
        count++;
    }
    if (listing->json)
        buffer_add_text(out, "]\n");
    return count;
}

static int
print_list(const struct price_book *book, struct listing *listing)
{
    struct buffer out;
    size_t count;
    bool fine;

    if (listing->provider != NULL && prices_provider_by_name(book, slice_of(listing->provider)) == NULL) {
        cmd_complain("the price book has no provider '%s'. `equipoise prices list` shows all.", listing->provider);
        return CMD_FAILED;
    }
    if (listing->provider != NULL)
        listing->provider = prices_provider_by_name(book, slice_of(listing->provider));
    buffer_init(&out);
    count = list_all(book, listing, &out);
    fine = cmd_print(buffer_content(&out));
    buffer_free(&out);
    if (count == 0)
        cmd_complain("no model fits.");
    else if (!listing->json && listing->file == NULL)
        fprintf(stderr, "Dollars per million tokens. Built-in facts of %s; --prices FILE lists another book.\n",
                prices_builtin_date());
    return fine && count > 0 ? CMD_FINE : CMD_FAILED;
}

static int
run_list(int argc, char **argv)
{
    struct listing listing = {.at = clock_wall_us()};
    const struct option table[] = {
        {"provider", 'p', OPTION_TEXT, "ID", "only this provider", &listing.provider},
        {"model", 'm', OPTION_TEXT, "GLOB", "only models that fit, with * and ?", &listing.model},
        {"at", 0, OPTION_TIME, "TIME", "prices as of then (default: now)", &listing.at},
        {"prices", 0, OPTION_TEXT, "FILE", "a price file, instead of the built-in facts", &listing.file},
        {"json", 0, OPTION_FLAG, NULL, "everything, as JSON", &listing.json},
    };
    const struct example examples[] = {
        {"equipoise prices list --provider anthropic", "what a provider's models cost now"},
        {"equipoise prices list --model 'gpt-5*' --at 2027-01-01", "what some models will cost"},
        {"equipoise prices list --prices genai-prices.json --json", "a price file's content, for a program"},
    };
    const struct options options = {.command = "prices list",
                                    .summary = "Lists the price book: dollars per million tokens.",
                                    .operands = "",
                                    .examples = examples,
                                    .example_count = sizeof examples / sizeof examples[0],
                                    .options = table,
                                    .option_count = sizeof table / sizeof table[0]};
    struct price_book *book;
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    book = open_book(listing.file);
    if (book == NULL)
        return CMD_CONFIG;
    end = print_list(book, &listing);
    prices_release(book);
    return end;
}

/* lint */

static int
lint_text(struct slice text, const char *file)
{
    struct problems problems;
    int end;

    problems_init(&problems);
    prices_lint(text, file, &problems);
    cmd_print_problems(&problems, text);
    fprintf(stderr, "%s: %zu errors, %zu warnings.\n", file, problems.errors, problems.count - problems.errors);
    end = problems.errors > 0 ? CMD_CONFIG : CMD_FINE;
    problems_free(&problems);
    return end;
}

static int
run_lint(int argc, char **argv)
{
    const struct example examples[] = {
        {"equipoise prices lint genai-prices.json", "shows all mistakes of a price file before it is used"},
    };
    const struct options options = {
        .command = "prices lint",
        .summary = "Checks a price file: errors for what cannot be meant, warnings for what looks odd.",
        .operands = "FILE|-",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = 1,
        .notes = "Exit status: 0 usable (perhaps with warnings), 3 refused, 1 cannot be read."};
    struct buffer text;
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    buffer_init(&text);
    end = cmd_read_file(argv[1], FILE_MOST, &text) == OK ? lint_text(buffer_content(&text), argv[1]) : CMD_FAILED;
    buffer_free(&text);
    return end;
}

/* quote */

static int
quote_file(const char *file, const struct quote *quote, bool batch)
{
    struct buffer text, out;
    int end = CMD_FAILED;

    buffer_init(&text);
    buffer_init(&out);
    if (cmd_read_file(file, FILE_MOST, &text) == OK) {
        end = batch ? quote_lines(buffer_content(&text), quote, &out) : quote_body(buffer_content(&text), quote, &out);
        if (!cmd_print(buffer_content(&out)))
            end = CMD_FAILED;
    }
    buffer_free(&out);
    buffer_free(&text);
    return end;
}

static int
run_quote(int argc, char **argv)
{
    struct quote quote = {.at = clock_wall_us()};
    struct price_book *book;
    const char *file = NULL;
    bool batch = false;
    const struct option table[] = {
        {"provider", 'p', OPTION_TEXT, "ID", "who answered (default: whose model it is)", &quote.provider},
        {"flavor", 'f', OPTION_TEXT, "FLAVOR", "which of its APIs: chat, responses, ... (default: what fits)",
         &quote.flavor},
        {"model", 'm', OPTION_TEXT, "NAME", "the model, if the answer does not name it", &quote.model},
        {"at", 0, OPTION_TIME, "TIME", "when it was served (default: now)", &quote.at},
        {"prices", 0, OPTION_TEXT, "FILE", "a price file, instead of the built-in facts", &file},
        {"batch", 0, OPTION_FLAG, NULL, "many: lines of {\"provider\", \"flavor\", \"model\", \"body\"}", &batch},
    };
    const struct example examples[] = {
        {"equipoise prices quote --provider openai --flavor chat answer.json",
         "what an answer cost, to the pico-dollar"},
        {"curl -s ... | equipoise prices quote -", "the same for an answer that comes by pipe"},
    };
    const struct options options = {
        .command = "prices quote",
        .summary =
            "Prices a provider's answer by the price book, and prints the normalised usage and the amounts as JSON.",
        .operands = "FILE|-",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes =
            "Amounts are exact decimals. What cannot be priced is null, and \"why\" says why; that too is exit status "
            "0.\nExit status 1: the input is not readable as JSON."};
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    quote.book = book = open_book(file);
    if (book == NULL)
        return CMD_CONFIG;
    end = quote_file(argv[1], &quote, batch);
    prices_release(book);
    return end;
}

int
cmd_prices(int argc, char **argv)
{
    static const struct command commands[] = {
        {"list", run_list, "what models cost"},
        {"lint", run_lint, "check a price file"},
        {"quote", run_quote, "price an answer"},
    };

    return cmd_dispatch("equipoise prices", "The price book: what every model of every provider costs.", commands,
                        sizeof commands / sizeof commands[0], argc - 1, argv + 1);
}
