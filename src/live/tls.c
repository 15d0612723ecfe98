#include "live/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/lock.h"

/* What OpenSSL complained of last, in words. */
static void
explain(char *why, const char *what)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

    snprintf(why, TLS_WORDS_SIZE, "%s%s%s", what, reason != NULL ? ": " : "", reason != NULL ? reason : "");
    ERR_clear_error();
}

static SSL_CTX *
new_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    bool set;

    ENSURE(context != NULL);
    set = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
    ENSURE(set);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* one system call per record, not two */
    return context;
}

/* RFC 7301: http/1.1 if the client offers it; a client that offers other protocols only is refused. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                unsigned offered_len, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl, (void)context;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

enum status
tls_server_context(const char *cert_file, const char *key_file, SSL_CTX **out, char *why)
{
    SSL_CTX *context = new_context(TLS_server_method());

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        explain(why, "the certificate cannot be used");
    else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        explain(why, "the key cannot be used");
    else if (SSL_CTX_check_private_key(context) != 1)
        explain(why, "the key does not belong to the certificate");
    else {
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
        *out = context;
        return OK;
    }
    SSL_CTX_free(context);
    return ERR_INVALID;
}

/* OpenSSL hands each new session over with a reference of our own when we return 1. */
static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session_keeper *keeper = SSL_get_app_data(ssl);

    if (keeper == NULL)
        return 0;
    keeper->keep(keeper, session);
    return 1;
}

enum status
tls_client_context(const char *ca_file, bool verify, SSL_CTX **out, char *why)
{
    static const unsigned char ours[] = "\x08http/1.1";
    SSL_CTX *context = new_context(TLS_client_method());
    int failed = SSL_CTX_set_alpn_protos(context, ours, sizeof(ours) - 1);

    ENSURE(!failed);
    ERR_clear_error();
    SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    if (verify && (ca_file != NULL ? SSL_CTX_load_verify_file(context, ca_file)
                                   : SSL_CTX_set_default_verify_paths(context)) != 1) {
        explain(why, ca_file != NULL ? "the file of authorities cannot be used"
                                     : "the system's authorities cannot be read (is ca-certificates installed?)");
        SSL_CTX_free(context);
        return ERR_INVALID;
    }
    *out = context;
    return OK;
}

struct made_context {
    struct made_context *next;
    char *ca_file; /* NULL: the system's */
    bool verify;
    SSL_CTX *context;
};

struct tls_contexts {
    struct lock lock;
    struct made_context *made;
};

struct tls_contexts *
tls_contexts_new(void)
{
    struct tls_contexts *contexts = must_calloc(1, sizeof(*contexts));

    lock_init(&contexts->lock);
    return contexts;
}

void
tls_contexts_free(struct tls_contexts *contexts)
{
    while (contexts->made != NULL) {
        struct made_context *made = contexts->made;

        contexts->made = made->next;
        SSL_CTX_free(made->context);
        free(made->ca_file);
        free(made);
    }
    lock_destroy(&contexts->lock);
    free(contexts);
}

static bool
same_file(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static SSL_CTX *
find_made(struct tls_contexts *contexts, const char *ca_file, bool verify)
{
    SSL_CTX *found = NULL;

    lock_take(&contexts->lock);
    for (struct made_context *made = contexts->made; made != NULL && found == NULL; made = made->next)
        if (made->verify == verify && same_file(made->ca_file, ca_file))
            found = made->context;
    lock_drop(&contexts->lock);
    return found;
}

bool
tls_contexts_ready(struct tls_contexts *contexts, const char *ca_file, bool verify)
{
    return find_made(contexts, ca_file, verify) != NULL;
}

/* Two threads may make the same one at the same time: then there are two of it, and nothing is wrong. */
SSL_CTX *
tls_contexts_get(struct tls_contexts *contexts, const char *ca_file, bool verify, char *why)
{
    SSL_CTX *context = find_made(contexts, ca_file, verify);
    struct made_context *made;

    if (context != NULL)
        return context;
    if (tls_client_context(ca_file, verify, &context, why) != OK)
        return NULL;
    made = must_calloc(1, sizeof(*made));
    made->ca_file = ca_file != NULL ? must_strdup(ca_file) : NULL;
    made->verify = verify;
    made->context = context;
    lock_take(&contexts->lock);
    made->next = contexts->made;
    contexts->made = made;
    lock_drop(&contexts->lock);
    return context;
}

SSL *
tls_accept(SSL_CTX *context, int fd)
{
    SSL *ssl = SSL_new(context);
    int set;

    ENSURE(ssl != NULL);
    set = SSL_set_fd(ssl, fd);
    ENSURE(set == 1);
    SSL_set_accept_state(ssl);
    return ssl;
}

static bool
is_address(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

SSL *
tls_connect(SSL_CTX *context, const char *host, SSL_SESSION *session, struct tls_session_keeper *keeper)
{
    SSL *ssl = SSL_new(context);
    int set;

    ENSURE(ssl != NULL);
    if (is_address(host)) {
        set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        set = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    ENSURE(set == 1);
    if (session != NULL)
        SSL_set_session(ssl, session); /* if it cannot, a full handshake does */
    SSL_set_app_data(ssl, keeper);
    SSL_set_connect_state(ssl);
    ERR_clear_error();
    return ssl;
}

void
tls_attach(SSL *ssl, int fd)
{
    int set = SSL_set_fd(ssl, fd);

    ENSURE(set == 1);
}

/* What an operation that did not succeed means (SSL_get_error). */
static enum stream_read
outcome_of(SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    case SSL_ERROR_SSL:
        /* The peer closed without close_notify: an end like that of plain TCP. The framing above says if it is early. */
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? STREAM_END : STREAM_FAILED;
    default:
        return STREAM_FAILED;
    }
}

enum stream_read
tls_handshake(SSL *ssl, char *why)
{
    enum stream_read outcome;
    long verified;
    int done;

    ERR_clear_error();
    errno = 0;
    done = SSL_do_handshake(ssl);
    if (done == 1)
        return STREAM_SOME;
    outcome = outcome_of(ssl, done);
    if (outcome == STREAM_AGAIN)
        return STREAM_AGAIN;
    verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK && !SSL_is_server(ssl) && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        snprintf(why, TLS_WORDS_SIZE, "the TLS certificate is not accepted: %s",
                 X509_verify_cert_error_string(verified));
        ERR_clear_error();
    } else {
        explain(why, errno != 0 || outcome == STREAM_END ? "the connection was closed during the TLS handshake"
                                                         : "the TLS handshake failed");
    }
    return STREAM_FAILED;
}

enum stream_read
tls_read(SSL *ssl, char *into, size_t size, size_t *len)
{
    enum stream_read outcome;
    int got;

    ERR_clear_error();
    got = SSL_read(ssl, into, size < INT_MAX ? (int)size : INT_MAX);
    if (got > 0) {
        *len = (size_t)got;
        return STREAM_SOME;
    }
    outcome = outcome_of(ssl, got);
    ERR_clear_error();
    return outcome;
}

enum stream_read
tls_write(SSL *ssl, struct slice bytes, size_t *len)
{
    enum stream_read outcome;
    int sent;

    ERR_clear_error();
    sent = SSL_write(ssl, bytes.data, bytes.len < INT_MAX ? (int)bytes.len : INT_MAX);
    *len = sent > 0 ? (size_t)sent : 0;
    if (sent > 0)
        return STREAM_SOME;
    outcome = outcome_of(ssl, sent);
    ERR_clear_error();
    return outcome == STREAM_AGAIN ? STREAM_AGAIN : STREAM_FAILED;
}

void
tls_say_goodbye(SSL *ssl)
{
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
}
