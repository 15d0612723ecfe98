#include "config/config.h"
#include "config/table.h"

static const char restart_words[] = " Read at the start only.";

static void
add_type(const struct field *field, struct buffer *out)
{
    buffer_add_text(out, field_type(field));
    for (size_t i = 0; field->choices != NULL && field->choices[i] != NULL; i++)
        buffer_printf(out, "%s%s", i == 0 ? " " : ", ", field->choices[i]);
    if (field->word != NULL)
        buffer_printf(out, ", or %s", field->word);
}

static void
add_default(const struct field *field, const char *before, struct buffer *out)
{
    if (field->required)
        buffer_printf(out, "%sneeded", before);
    else if (field->standard != NULL)
        buffer_printf(out, "%sdefault %s", before, field->standard);
}

static const char *
heading(const struct section *section)
{
    return section->path[0] != '\0' ? section->path : "the top of the file";
}

/* Calls `add` for the section and all in it, each once, in the table's order. */
static void
walk(const struct section *section, struct buffer *out, void (*add)(const struct section *, struct buffer *))
{
    add(section, out);
    for (size_t i = 0; i < section->count; i++)
        if (section->fields[i].inside != NULL)
            walk(section->fields[i].inside, out, add);
}

static void
add_section_text(const struct section *section, struct buffer *out)
{
    buffer_printf(out, "%s: %s\n", heading(section), section->title);
    for (size_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];

        buffer_printf(out, "  %-16s ", field->key);
        add_type(field, out);
        add_default(field, "; ", out);
        buffer_printf(out, "\n                   %s%s\n", field->words, field->restart ? restart_words : "");
    }
    buffer_add_byte(out, '\n');
}

void
config_help(struct buffer *out)
{
    walk(&config_root, out, add_section_text);
}

/* '|' would end a cell. */
static void
add_cell(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buffer_add_byte(out, '\\');
        buffer_add_byte(out, *text);
    }
}

static void
add_later(const struct section *section, struct buffer *out)
{
    if (section->later_count == 0)
        return;
    buffer_add_text(out, "\nNot in this version, and refused:");
    for (size_t i = 0; i < section->later_count; i++)
        buffer_printf(out, "%s `%s`", i == 0 ? "" : ",", section->later[i].key);
    buffer_add_text(out, ".\n");
}

static void
add_section_markdown(const struct section *section, struct buffer *out)
{
    if (section->path[0] != '\0')
        buffer_printf(out, "## `%s`: %s\n\n", section->path, section->title);
    else
        buffer_add_text(out, "## The top of the file\n\n");
    buffer_add_text(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];

        buffer_printf(out, "| `%s` | ", field->key);
        add_type(field, out);
        buffer_printf(out, " | %s%s%s | ", field->standard != NULL ? "`" : "",
                      field->required           ? "needed"
                      : field->standard != NULL ? field->standard
                                                : "",
                      field->standard != NULL ? "`" : "");
        add_cell(field->words, out);
        buffer_add_text(out, field->restart ? restart_words : "");
        buffer_add_text(out, " |\n");
    }
    add_later(section, out);
    buffer_add_byte(out, '\n');
}

/* What a table of keys cannot say. */
static const char introduction[] =
    "# The configuration\n"
    "\n"
    "<!-- Written by `equipoise check --help-config --markdown` from the table that also reads the file. Change\n"
    "     src/config/table*.c and run `make doc`. -->\n"
    "\n"
    "One YAML file. Every key is optional, and every default is safe: without any configuration a request is "
    "forwarded\n"
    "and booked, and nothing is altered. `equipoise init` writes a file from what it finds on your machine, "
    "`equipoise\n"
    "check FILE` shows all errors at once, and `equipoise check FILE --probe` asks the backends too.\n"
    "\n"
    "```yaml\n"
    "listen: 127.0.0.1:8080\n"
    "backends:\n"
    "  openai:    { url: https://api.openai.com,    key: $OPENAI_API_KEY }\n"
    "  azure:     { url: https://example.openai.azure.com/openai, auth: { header: api-key, key: $AZURE_KEY },\n"
    "               provider: openai, region: eu }\n"
    "  anthropic: { url: https://api.anthropic.com, key: $ANTHROPIC_API_KEY }\n"
    "  gpus:\n"
    "    url: [ http://10.0.0.11:8000, http://10.0.0.12:8000 ]\n"
    "    engine: vllm\n"
    "    models: { llama-3.1-8b: meta-llama/Llama-3.1-8B-Instruct }\n"
    "routes:\n"
    "  assistant:\n"
    "    reference: openai/gpt-4o-mini\n"
    "    candidates: [ azure/gpt-4o-mini ]\n"
    "    acceptable: { first_token: 800ms, total: 20s }\n"
    "    levers: { alternatives: on }\n"
    "keys:\n"
    "  web: { sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, tenant: acme,\n"
    "         tags: { feature: search } }\n"
    "prices: { override: { gpus/llama-3.1-8b: { input: $0.05/M, output: $0.08/M } } }\n"
    "tenants: { acme: { allow: { region: eu } } }\n"
    "```\n"
    "\n"
    "How values are written:\n"
    "\n"
    "- **duration**: `800ms`, `30s`, `1h30m`, `90d`. **size**: `32KiB`, `64MiB`. **share**: `1%`, `99.5%`.\n"
    "- **money**: `$50`, `$2.50`. **price**: dollars per million tokens, `$0.05/M`.\n"
    "- **secret**: `$NAME` is an environment variable, `file:/path` a file's content. A secret that stands in the "
    "file\n"
    "  itself works too, with a warning. Secrets are never printed.\n"
    "- **path**: seen from the folder of the configuration.\n"
    "- **backend/model**: everything before the first `/` is the backend's name, everything after it the model's.\n"
    "- **lever**: `off`; `shadow` (nothing is served by it, what it would have saved is booked); `on`; `{ on: 5% }` "
    "(on for\n"
    "  that share of conversations, shadow for the rest).\n"
    "- Aliases (`*name`) are read; tags, merge keys and a second document are not. A key may stand once only.\n"
    "\n"
    "Without `keys`, everybody who can connect may ask. That is accepted on loopback addresses, with a warning, and "
    "refused\n"
    "elsewhere.\n"
    "\n"
    "The file is read at the start, and again when the gateway gets SIGHUP or `equipoise reload` is called, while "
    "requests "
    "go\n"
    "on: those under way end by what they began with. A file with an error changes nothing. Keys marked *read at the "
    "start\n"
    "only* keep what they had until a restart, and the log names those that differ. Environment variables are those of "
    "the\n"
    "start; a `file:` is read again, and so are certificates.\n"
    "\n"
    "A price in `prices.override` is what you pay, so no discount is taken off it. A model without any price is "
    "served, and\n"
    "its cost is booked as unknown, never as 0.\n"
    "\n";

void
config_help_markdown(struct buffer *out)
{
    buffer_add_text(out, introduction);
    walk(&config_root, out, add_section_markdown);
}
