#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

struct address {
    struct sockaddr_storage bytes;
    socklen_t len;
    const char *host; /* for messages */
    uint16_t port;
};

static enum err fail(struct err_note *note, const struct address *a, const char *what)
{
    return err_note_set(note, ERR_CONFIG, "%s %s port %u: %s", what, a->host, (unsigned)a->port, strerror(errno));
}

static enum err resolve(const char *host, uint16_t port, struct address *out, struct err_note *note)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0) {
        return err_note_set(note, ERR_CONFIG, "host %s: %s", host, gai_strerror(failed));
    }
    *out = (struct address){.len = found->ai_addrlen, .host = host, .port = port};
    memcpy(&out->bytes, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return ERR_OK;
}

/* A bound socket, or -1 with errno set. */
static int bind_socket(const struct address *a, bool share_port)
{
    int fd = socket(a->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)&a->bytes, a->len) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

/*
 * SO_REUSEPORT would also let another process of this user listen on the port, and requests would go to either. So
 * the port is tried without it first.
 */
static enum err check_port_is_free(const struct address *a, struct err_note *note)
{
    int fd = bind_socket(a, false);
    if (fd < 0) {
        return fail(note, a, "cannot listen on");
    }
    close(fd);
    return ERR_OK;
}

static void read_port(int fd, struct address *a)
{
    a->len = sizeof(a->bytes);
    int failed = getsockname(fd, (struct sockaddr *)&a->bytes, &a->len);
    check(failed == 0);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->bytes;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->bytes;
    a->port = ntohs(a->bytes.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

static enum err open_one(struct address *a, int *out_fd, struct err_note *note)
{
    int fd = bind_socket(a, true);
    if (fd < 0) {
        return fail(note, a, "cannot listen on");
    }
    if (listen(fd, BACKLOG) != 0) {
        enum err e = fail(note, a, "cannot listen on");
        close(fd);
        return e;
    }
    read_port(fd, a);
    *out_fd = fd;
    return ERR_OK;
}

enum err listen_open(const char *host, uint16_t *port, unsigned count, int *out_fds, struct err_note *note)
{
    struct address a = {0};
    TRY(resolve(host, *port, &a, note));
    if (*port != 0) {
        TRY(check_port_is_free(&a, note));
    }
    for (unsigned i = 0; i < count; i++) {
        enum err e = open_one(&a, &out_fds[i], note);
        if (e != ERR_OK) {
            while (i > 0) {
                close(out_fds[--i]);
            }
            return e;
        }
    }
    *port = a.port;
    return ERR_OK;
}
