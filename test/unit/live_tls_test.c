/* labels: threads */
/* TLS on both sides, with certificates made here: an application behind TLS is called through another one that verifies
 * it. What must not be trusted is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "live_rig.h"

struct scene {
    char folder[64];
    char cert[128], key[128], other[128];
    struct rig *front; /* plain, calls the back */
    struct rig *back;  /* TLS */
};

static X509 *
sign(EVP_PKEY *key, const char *name, const char *alternatives)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_EXTENSION *names;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternatives);
    assert_non_null(names);
    X509_add_ext(cert, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

/* A certificate signed by its own key: its own authority. */
static void
make_certificate(const char *cert_path, const char *key_path, const char *name, const char *alternatives)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = sign(key, name, alternatives);
    FILE *file = fopen(cert_path, "w");

    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
    file = fopen(key_path, "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct live_listener listener = {.address = "127.0.0.1"};
    struct live_options options = {.workers = 1, .listeners = &listener, .listener_count = 1};
    char spare[128];

    snprintf(scene->folder, sizeof(scene->folder), "/tmp/equipoise-tls-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->cert, sizeof(scene->cert), "%s/cert.pem", scene->folder);
    snprintf(scene->key, sizeof(scene->key), "%s/key.pem", scene->folder);
    snprintf(scene->other, sizeof(scene->other), "%s/other.pem", scene->folder);
    snprintf(spare, sizeof(spare), "%s/spare.pem", scene->folder);
    make_certificate(scene->cert, scene->key, "back", "DNS:localhost,IP:127.0.0.1");
    make_certificate(scene->other, spare, "other", "DNS:localhost,IP:127.0.0.1");
    unlink(spare);
    scene->front = rig_plain();
    listener.cert_file = scene->cert;
    listener.key_file = scene->key;
    scene->back = rig_new(options);
    scene->front->backend.port = scene->back->port;
    scene->front->backend.tls = scene->front->backend.verify = true;
    scene->front->backend.ca_file = scene->cert;
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    rig_free(scene->front);
    rig_free(scene->back);
    unlink(scene->cert);
    unlink(scene->key);
    unlink(scene->other);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

static struct buffer
call(struct scene *scene, const char *request)
{
    int client = rig_connect(scene->front->port);
    struct buffer all;

    rig_send(client, request);
    all = rig_read_all(client);
    buffer_add_byte(&all, '\0');
    return all;
}

#define GET "GET /call/head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void
expect_call(struct scene *scene, const char *part)
{
    struct buffer all = call(scene, GET);

    if (strstr(all.data, part) == NULL)
        fail_msg("'%s' is not in: %s", part, all.data);
    buffer_free(&all);
}

static void
verified_by_address(void **state)
{
    struct scene *scene = *state;

    expect_call(scene, "GET /call/head 0\nHost=backend.test\n");
    expect_call(scene, "GET /call/head 0\n");
    assert_int_equal(atomic_load(&scene->front->reused), 1);
}

static void
verified_by_name(void **state)
{
    struct scene *scene = *state;

    scene->front->backend.host = "localhost";
    expect_call(scene, "GET /call/head 0\n");
}

static void
unknown_authority_is_refused(void **state)
{
    struct scene *scene = *state;

    scene->front->backend.ca_file = scene->other;
    expect_call(scene, "no connection to backend.test: the TLS certificate is not accepted");
    assert_int_equal(atomic_load(&scene->front->failure), CALL_UNREACHABLE);
    assert_int_equal(atomic_load(&scene->front->request_byte_out), 0);
    scene->front->backend.ca_file = NULL; /* the system's authorities do not know it either */
    scene->front->backend.id = 2;
    expect_call(scene, "the TLS certificate is not accepted");
    assert_int_equal(atomic_load(&scene->back->heads), 0);
}

/* The certificate is good, but another host's. 127.0.0.2 is this machine as well. */
static void
wrong_host_is_refused(void **state)
{
    struct scene *scene = *state;
    struct live_listener listener = {.address = "127.0.0.2", .cert_file = scene->cert, .key_file = scene->key};
    struct rig *elsewhere = rig_new((struct live_options){.workers = 1, .listeners = &listener, .listener_count = 1});

    scene->front->backend.host = "127.0.0.2";
    scene->front->backend.port = elsewhere->port;
    expect_call(scene, "the TLS certificate is not accepted: IP address mismatch");
    assert_int_equal(atomic_load(&elsewhere->heads), 0);
    scene->front->backend.verify = false; /* as the configuration may say */
    scene->front->backend.id = 2;
    expect_call(scene, "GET /call/head 0\n");
    rig_free(elsewhere);
}

static void
unreadable_authorities_are_named(void **state)
{
    struct scene *scene = *state;

    scene->front->backend.ca_file = "/nonexistent.pem";
    expect_call(scene, "the file of authorities cannot be used");
}

static void
plain_is_not_tls(void **state)
{
    struct scene *scene = *state;
    char *text;

    scene->front->backend.tls = false;
    expect_call(scene, "502 Bad Gateway");
    scene->front->backend.tls = true;
    scene->front->backend.id = 2;
    scene->front->backend.port = scene->front->port;
    expect_call(scene, "no connection to backend.test: the TLS handshake failed");
    text = rig_ask(scene->back->port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_null(strstr(text, "HTTP/1.1 200"));
    free(text);
}

/* Far more than a record and than any buffer, in both directions, with a reader who takes his time. */
static void
large_bodies_go_through(void **state)
{
    enum { LEN = 200 * 1000 };
    struct scene *scene = *state;
    int client = rig_connect(scene->front->port);
    struct buffer request = {0};
    struct buffer all;
    struct slice text;
    size_t head;

    buffer_printf(&request, "POST /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", LEN);
    memset(buffer_reserve(&request, LEN), 'a', LEN);
    request.end += LEN;
    rig_send_bytes(client, request.data, buffer_len(&request));
    all = rig_read_all(client);
    assert_int_equal(atomic_load(&scene->back->body_bytes), LEN + 2);
    buffer_free(&request);
    buffer_free(&all);

    all = call(scene, "GET /call/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    text = buffer_content(&all);
    head = slice_find(text, SLICE_LITERAL("\r\n\r\n"));
    assert_int_equal(text.len - 1 - head - 4, LARGE_BYTES);
    buffer_free(&all);
}

#define LIVE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(verified_by_address),
        LIVE_TEST(verified_by_name),
        LIVE_TEST(unknown_authority_is_refused),
        LIVE_TEST(wrong_host_is_refused),
        LIVE_TEST(unreadable_authorities_are_named),
        LIVE_TEST(plain_is_not_tls),
        LIVE_TEST(large_bodies_go_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
