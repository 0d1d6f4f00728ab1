#include "load/address.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

enum err load_resolve(const char *host, uint16_t port, struct load_address *out, struct err_note *note)
{
    bool is_v6 = strchr(host, ':') != NULL;
    int header_len =
        snprintf(out->host_header, sizeof(out->host_header), is_v6 ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    if ((size_t)header_len >= sizeof(out->host_header)) {
        return err_note_set(note, ERR_CONFIG, "the name of the host is too long");
    }
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0) {
        return err_note_set(note, ERR_CONFIG, "%s: %s", host, gai_strerror(failed));
    }
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

int load_connect(const struct load_address *a)
{
    int fd = socket(a->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int one = 1;
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
    if (connect(fd, (const struct sockaddr *)&a->address, a->len) != 0 && errno != EINPROGRESS) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
