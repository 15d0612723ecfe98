/* bench_load: puts load on one server and prints what came of it as JSON. See usage below, and bench/README.md. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load/load.h"

static const char usage[] = "usage: bench_load --port PORT --body FILE [options]\n"
                            "  --address A        127.0.0.1\n"
                            "  --path P           /v1/chat/completions\n"
                            "  --header LINE      one more header of the request, \"name: value\"\n"
                            "  --expect FILE      the body of a right answer\n"
                            "  --connections N    16\n"
                            "  --seconds S        5\n"
                            "  --warm-up S        0; requests due in it are not recorded\n"
                            "  --rate R           requests per second, open loop; 0: closed loop\n"
                            "  --requests N       at most\n"
                            "  --stream-tokens N  the answers are streams of N tokens each\n";

struct arguments {
    struct load_options options;
    const char *path, *header, *body_file, *expect_file;
};

static _Noreturn void
die(const char *what, const char *which)
{
    fprintf(stderr, "bench_load: %s%s\n%s", what, which, usage);
    exit(2);
}

static double
number_of(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || number < 0)
        die("not a number: ", text);
    return number;
}

static struct bytes
read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *data;
    long len;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0)
        die("cannot read ", name);
    rewind(file);
    data = malloc((size_t)len + 1);
    if (data == NULL || fread(data, 1, (size_t)len, file) != (size_t)len)
        die("cannot read ", name);
    fclose(file);
    return (struct bytes){data, (size_t)len};
}

/* The head that the official SDKs' HTTP clients would write, by and large. */
static struct bytes
make_request(const struct arguments *arguments, struct bytes body)
{
    char head[2048], *data;
    int len =
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nhost: %s:%u\r\naccept: application/json\r\n"
                 "content-type: application/json\r\nuser-agent: bench_load\r\n%s%scontent-length: %zu\r\n\r\n",
                 arguments->path, arguments->options.address, arguments->options.port,
                 arguments->header == NULL ? "" : arguments->header, arguments->header == NULL ? "" : "\r\n", body.len);

    if (len < 0 || (size_t)len >= sizeof(head))
        die("the head of the request is too long", "");
    data = malloc((size_t)len + body.len);
    if (data == NULL)
        die("no memory", "");
    memcpy(data, head, (size_t)len);
    memcpy(data + len, body.data, body.len);
    return (struct bytes){data, (size_t)len + body.len};
}

static void
take_option(struct arguments *arguments, int option, const char *value)
{
    struct load_options *options = &arguments->options;

    switch (option) {
    case 'a':
        options->address = value;
        break;
    case 'p':
        options->port = (uint16_t)number_of(value);
        break;
    case 'P':
        arguments->path = value;
        break;
    case 'h':
        arguments->header = value;
        break;
    case 'b':
        arguments->body_file = value;
        break;
    case 'e':
        arguments->expect_file = value;
        break;
    case 'c':
        options->connections = (unsigned)number_of(value);
        break;
    case 's':
        options->seconds = number_of(value);
        break;
    case 'w':
        options->warm_up_seconds = number_of(value);
        break;
    case 'r':
        options->rate = number_of(value);
        break;
    case 'n':
        options->requests_most = (uint64_t)number_of(value);
        break;
    case 't':
        options->stream_tokens = (unsigned)number_of(value);
        break;
    default:
        die("see the usage", "");
    }
}

static void
read_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option known[] = {
        {"address", required_argument, NULL, 'a'},
        {"port", required_argument, NULL, 'p'},
        {"path", required_argument, NULL, 'P'},
        {"header", required_argument, NULL, 'h'},
        {"body", required_argument, NULL, 'b'},
        {"expect", required_argument, NULL, 'e'},
        {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"warm-up", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'r'},
        {"requests", required_argument, NULL, 'n'},
        {"stream-tokens", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        take_option(arguments, option, optarg);
    if (optind < argc)
        die("what is this: ", argv[optind]);
    if (arguments->options.port == 0 || arguments->body_file == NULL || arguments->options.connections == 0)
        die("--port, --body and at least one connection are needed", "");
}

static void
print_times(const char *name, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

    printf(",\"%s_us\":{", name);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        printf("\"%s\":%.3f,", points[i].name, (double)histogram_at(histogram, points[i].share) / 1000);
    printf("\"max\":%.3f,\"mean\":%.3f}", (double)histogram->max / 1000, histogram_mean(histogram) / 1000);
}

static uint64_t
print_failures(const struct load_result *result)
{
    uint64_t sum = 0;

    printf(",\"failures\":{");
    for (int i = 0; i < FAILURE_KINDS; i++) {
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", failure_name((enum failure)i), result->failures[i]);
        sum += result->failures[i];
    }
    printf("},\"failed\":%" PRIu64 ",\"first_failure\":\"", sum);
    for (const char *at = result->first_failure; *at != '\0'; at++)
        putchar((unsigned char)*at < ' ' || *at == '"' || *at == '\\' || *at == 0x7f ? ' ' : *at);
    putchar('"');
    return sum;
}

static double
own_cpu_seconds(void)
{
    struct rusage usage_of_self;

    getrusage(RUSAGE_SELF, &usage_of_self);
    return (double)(usage_of_self.ru_utime.tv_sec + usage_of_self.ru_stime.tv_sec) +
           (double)(usage_of_self.ru_utime.tv_usec + usage_of_self.ru_stime.tv_usec) / 1e6;
}

static uint64_t
print_result(const struct load_options *options, const struct load_result *result)
{
    uint64_t failed;

    printf("{\"answers\":%" PRIu64 ",\"answers_all\":%" PRIu64 ",\"seconds\":%.6f,\"load_cpu_seconds\":%.6f",
           result->answers, result->answers_all, result->elapsed_seconds, own_cpu_seconds());
    failed = print_failures(result);
    if (options->stream_tokens == 0) {
        print_times("latency", &result->latency);
    } else {
        printf(",\"tokens\":%" PRIu64, result->streams.tokens);
        print_times("first_token", &result->latency);
        print_times("gap", &result->streams.gaps);
        print_times("worst_gap", &result->streams.worst_gap);
        print_times("token_delay", &result->streams.delays);
    }
    puts("}");
    return failed;
}

int
main(int argc, char **argv)
{
    static struct load_result result;
    struct arguments arguments = {.options = {.address = "127.0.0.1", .connections = 16, .seconds = 5},
                                  .path = "/v1/chat/completions"};

    read_arguments(&arguments, argc, argv);
    arguments.options.request = make_request(&arguments, read_file(arguments.body_file));
    if (arguments.expect_file != NULL)
        arguments.options.expected = read_file(arguments.expect_file);
    load_run(&arguments.options, &result);
    return print_result(&arguments.options, &result) == 0 ? 0 : 1;
}
