/* What is found on a machine becomes a configuration that loads, and files are replaced whole. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/files.h"
#include "cmd/probe/discover.h"
#include "config/config.h"
#include "config/outside.h"

static const char *
no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static const char *
three_variables(const char *name)
{
    if (strcmp(name, "ANTHROPIC_API_KEY") == 0 || strcmp(name, "AZURE_OPENAI_API_KEY") == 0)
        return "secret-of-theirs";
    if (strcmp(name, "OPENAI_API_KEY") == 0)
        return ""; /* set, but empty */
    return strcmp(name, "AZURE_OPENAI_ENDPOINT") == 0 ? "https://me.openai.azure.com/" : NULL;
}

static enum status
nobody_there(unsigned port, const char *path, struct buffer *body)
{
    (void)port;
    (void)path;
    (void)body;
    return ERR_NOT_FOUND;
}

/* vLLM on 8000, Ollama on its port, and on 8080 a gateway that lists llama.cpp's models but is none. */
static enum status
some_engines(unsigned port, const char *path, struct buffer *body)
{
    bool list = strcmp(path, "/v1/models") == 0;

    if (port == 11434)
        buffer_add_text(body, list ? "{\"data\":[{\"id\":\"llama3.2:3b\",\"owned_by\":\"library\"}]}" : "{}");
    else if (port == 8000 && list)
        buffer_add_text(body, "{\"data\":[{\"id\":\"my \\\"model\\\"\",\"owned_by\":\"vllm\"},"
                              "{\"id\":\"adapter\",\"owned_by\":\"vllm\"}]}");
    else if (port == 8080 && list)
        buffer_add_text(body,
                        "{\"data\":[{\"id\":\"a\",\"owned_by\":\"llamacpp\"},{\"id\":\"b\",\"owned_by\":\"x\"}]}");
    else if (port == 30000 && list)
        buffer_add_text(body, "not JSON");
    else
        return ERR_NOT_FOUND;
    return OK;
}

static bool
all_free(unsigned port)
{
    (void)port;
    return true;
}

static bool
usual_taken(unsigned port)
{
    return port != 8080 && port != 9090 && port != 9091;
}

/* The generated text, loaded on the machine where it was found. */
static struct config *
generate(const struct discover_places *places, bool explained, char *text, size_t size)
{
    const struct config_outside outside = {places->environment, config_outside_real.read_file, NULL, false};
    struct discovery discovery;
    struct problems problems;
    struct config *config = NULL;
    struct buffer out;

    buffer_init(&out);
    problems_init(&problems);
    discover(&discovery, places);
    discovery_write(&discovery, explained, &out);
    if (config_load_input(&(struct config_input){NULL, buffer_content(&out), NULL, &outside}, &problems, &config) != OK)
        fail_msg("%.*s%s", SLICE_ARGS(buffer_content(&out)), problems.all[0].text);
    snprintf(text, size, "%.*s", SLICE_ARGS(buffer_content(&out)));
    discovery_free(&discovery);
    problems_free(&problems);
    buffer_free(&out);
    return config;
}

static void
nothing_found_still_loads(void **state)
{
    const struct discover_places places = {no_variable, nobody_there, all_free};
    char text[4096];
    struct config *config;

    (void)state;
    for (int explained = 0; explained < 2; explained++) {
        config = generate(&places, explained != 0, text, sizeof text);
        assert_int_equal(config->backend_count, 0);
        assert_int_equal(config->listen.port, 8080);
        config_release(config);
    }
}

static void
what_is_found_is_used(void **state)
{
    const struct discover_places places = {three_variables, some_engines, usual_taken};
    char text[4096];
    struct config *config = generate(&places, true, text, sizeof text);
    const struct backend_config *backend;

    (void)state;
    assert_null(strstr(text, "secret-of-theirs"));
    assert_int_equal(config->backend_count, 4);
    assert_null(config_backend(config, slice_of("openai")));
    assert_null(config_backend(config, slice_of("llamacpp")));
    assert_null(config_backend(config, slice_of("sglang")));
    assert_int_equal(config_backend(config, slice_of("anthropic"))->dialect, DIALECT_ANTHROPIC);
    backend = config_backend(config, slice_of("azure"));
    assert_string_equal(backend->base_path, "/openai");
    assert_string_equal(backend->credential.header, "api-key");
    assert_string_equal(backend->credential.secret, "secret-of-theirs");
    backend = config_backend(config, slice_of("vllm"));
    assert_int_equal(backend->engine, ENGINE_VLLM);
    assert_int_equal(backend->model_count, 2);
    assert_string_equal(backend->models[0].name, "my \"model\"");
    assert_int_equal(config_backend(config, slice_of("ollama"))->engine, ENGINE_OLLAMA);
    assert_int_equal(config->listen.port, 8081);
    assert_int_equal(config->admin.port, 9092);
    config_release(config);
}

static void
files_are_replaced_whole(void **state)
{
    char folder[] = "/tmp/equipoise-test-XXXXXX", path[64];
    struct stat about;
    struct buffer content;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/f", folder);
    buffer_init(&content);
    assert_int_equal(file_create(path, slice_of("one")), OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(file_create(path, slice_of("two")), ERR_EXISTS);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(file_replace(path, slice_of("three")), OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(config_outside_real.read_file(path, 100, &content), OK);
    assert_true(slice_is(buffer_content(&content), "three"));
    buffer_clear(&content);
    assert_int_equal(config_outside_real.read_file(path, 4, &content), ERR_LIMIT);
    assert_int_equal(config_outside_real.read_file(folder, 100, &content), ERR_INVALID);
    assert_int_equal(file_create("/nowhere/at/all", slice_of("x")), ERR_IO);
    buffer_free(&content);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing was left beside it */
}

/* A pipe, a terminal, /dev/full: what is no plain file is written to, and stays what it is. */
static void
what_is_no_file_is_not_replaced(void **state)
{
    char folder[] = "/tmp/equipoise-test-XXXXXX", path[64], got[8];
    struct stat about;
    int reader;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/f", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(file_replace(path, slice_of("three")), OK);
    assert_int_equal(stat(path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
    assert_int_equal(read(reader, got, sizeof(got)), 5);
    assert_memory_equal(got, "three", 5);
    close(reader);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_found_still_loads),
        cmocka_unit_test(what_is_found_is_used),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(what_is_no_file_is_not_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
