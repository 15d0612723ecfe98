/* TLS 1.2 and 1.3 by OpenSSL, over sockets that never block: the two ends' contexts, and the few operations that a stream
 * needs. */
#ifndef LIVE_TLS_H
#define LIVE_TLS_H

#include <openssl/ssl.h>

#include "base/slice.h"
#include "base/status.h"
#include "live/stream.h"

enum { TLS_WORDS_SIZE = 256 };

/* A server's context with its certificate chain and key (PEM files). `why` (TLS_WORDS_SIZE bytes) says what is wrong. */
enum status tls_server_context(const char *cert_file, const char *key_file, SSL_CTX **out, char *why) MUST_CHECK;

/* A client's context, which verifies against `ca_file`, or the system's authorities when NULL; or, without `verify`, not
 * at all. Reads files: not on a worker's loop. */
enum status tls_client_context(const char *ca_file, bool verify, SSL_CTX **out, char *why) MUST_CHECK;

/* Clients' contexts, each made once and shared by all workers. */
struct tls_contexts;
struct tls_contexts *tls_contexts_new(void);
void tls_contexts_free(struct tls_contexts *contexts);

/* From any thread. NULL with `why` when it cannot be made. Not on a worker's loop, unless tls_contexts_ready. */
SSL_CTX *tls_contexts_get(struct tls_contexts *contexts, const char *ca_file, bool verify, char *why);
bool tls_contexts_ready(struct tls_contexts *contexts, const char *ca_file, bool verify);

/* The server's side of a connection. */
SSL *tls_accept(SSL_CTX *context, int fd);

/* The client's side: the host's name is sent (SNI) and must be the certificate's; an address must be too. `session` to
 * resume, or NULL. New sessions are handed to `keep_session`, which owns them. */
struct tls_session_keeper {
    void (*keep)(struct tls_session_keeper *, SSL_SESSION *);
};
SSL *tls_connect(SSL_CTX *context, const char *host, SSL_SESSION *session, struct tls_session_keeper *keeper);
void tls_attach(SSL *ssl, int fd);

/* STREAM_SOME: done. STREAM_FAILED: `why` (TLS_WORDS_SIZE bytes) is filled. */
enum stream_read tls_handshake(SSL *ssl, char *why);
enum stream_read tls_read(SSL *ssl, char *into, size_t size, size_t *len);
enum stream_read tls_write(SSL *ssl, struct slice bytes, size_t *len);

/* close_notify (RFC 8446, 6.1), if it goes out at once. */
void tls_say_goodbye(SSL *ssl);

#endif
