/*
 * Servers that do only what cannot be left out, to be measured like the others: what they do not reach, nothing reaches
 * that is built on the same kernel, the same disk and the same library.
 *
 *   bare http READ RESERVED [HEADER]...   libmicrohttpd, used as Onhand uses it. A GET is answered with READ. A POST
 *                                         to /v1/reservations is answered with RESERVED, after RECORD_BYTES for it were
 *                                         written to a file and synced, together with what came meanwhile. Any other
 *                                         POST is answered at once. HEADER, as "name: value", is part of each answer.
 *   bare stream                           No library. A GET opens a stream of Server-Sent Events; the body of a POST
 *                                         is sent to all of them as one event, one send() each.
 *
 * Servers listen on a free port of 127.0.0.1, print its number, and run until they are killed. The file is in the working
 * directory. They check nothing and trust their client: a measure, not a server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_BYTES 300 /* about what Redis writes for one reservation */
#define FILE_BYTES (4 * 1024 * 1024)
#define MEMORY_BYTES (24 * 1024) /* of a connection, as in Onhand */
#define CONNECTIONS_MAX 30000
#define BACKLOG 4096
#define WAIT_MS 100

static void require(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
        exit(2);
    }
}

static int listen_anywhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    require(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, BACKLOG) == 0, "listen");
    require(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* With all its bytes, so that writing over them changes nothing else of the file system. */
static int open_file(void)
{
    static const char zeroes[4096];
    int fd = open("bare.log", O_RDWR | O_CREAT | O_TRUNC, 0600);
    require(fd >= 0, "bare.log");
    for (int at = 0; at < FILE_BYTES; at += (int)sizeof(zeroes)) {
        require(write(fd, zeroes, sizeof(zeroes)) == (ssize_t)sizeof(zeroes), "bare.log");
    }
    require(fsync(fd) == 0, "bare.log");
    return fd;
}

/*
 * http
 */

struct waiting {
    struct MHD_Connection *connection;
    struct waiting *next;
    bool durable;
};

struct shelf { /* what one thread leaves for the other */
    pthread_mutex_t lock;
    struct waiting *list;
};

static struct shelf to_sync = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct shelf to_answer = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t sync_wakes = PTHREAD_COND_INITIALIZER;
static int answer_event;
static struct MHD_Response *read_response, *reserved_response, *other_response;

_Noreturn static void *sync_main(void *arg)
{
    (void)arg;
    static char bytes[FILE_BYTES];
    int fd = open_file();
    for (off_t at = 0;;) {
        pthread_mutex_lock(&to_sync.lock);
        while (to_sync.list == NULL) {
            pthread_cond_wait(&sync_wakes, &to_sync.lock);
        }
        struct waiting *list = to_sync.list;
        to_sync.list = NULL;
        pthread_mutex_unlock(&to_sync.lock);
        size_t len = RECORD_BYTES;
        struct waiting *last = list;
        for (; last->next != NULL; last = last->next) {
            len += RECORD_BYTES;
        }
        at = at + (off_t)len > FILE_BYTES ? 0 : at;
        require(pwrite(fd, bytes, len, at) == (ssize_t)len && fdatasync(fd) == 0, "write");
        at += (off_t)len;
        pthread_mutex_lock(&to_answer.lock);
        last->next = to_answer.list;
        to_answer.list = list;
        pthread_mutex_unlock(&to_answer.lock);
        require(eventfd_write(answer_event, 1) == 0, "eventfd");
    }
}

static void make_durable(struct waiting *w)
{
    MHD_suspend_connection(w->connection);
    pthread_mutex_lock(&to_sync.lock);
    w->next = to_sync.list;
    to_sync.list = w;
    pthread_cond_signal(&sync_wakes);
    pthread_mutex_unlock(&to_sync.lock);
}

static enum MHD_Result access_cb(
    void *cls,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *body,
    size_t *body_len,
    void **context)
{
    (void)cls;
    (void)version;
    (void)body;
    struct waiting *w = *context;
    if (w == NULL) { /* an answer at this first call would end the connection */
        w = calloc(1, sizeof(*w));
        require(w != NULL, "memory");
        w->connection = connection;
        *context = w;
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0;
        return MHD_YES;
    }
    if (method[0] == 'G') {
        return MHD_queue_response(connection, MHD_HTTP_OK, read_response);
    }
    if (strcmp(url, "/v1/reservations") != 0) {
        return MHD_queue_response(connection, MHD_HTTP_OK, other_response);
    }
    if (!w->durable) {
        make_durable(w);
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_CREATED, reserved_response);
}

static void
completed_cb(void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    (void)code;
    free(*context);
}

static struct MHD_Response *response(char *body, char **headers)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_PERSISTENT);
    require(r != NULL, "response");
    for (char **h = headers; *h != NULL; h++) {
        char name[100];
        const char *colon = strstr(*h, ": ");
        require(colon != NULL && (size_t)(colon - *h) < sizeof(name), *h);
        memcpy(name, *h, (size_t)(colon - *h));
        name[colon - *h] = '\0';
        require(MHD_add_response_header(r, name, colon + 2) == MHD_YES, *h);
    }
    return r;
}

static void resume_answered(void)
{
    pthread_mutex_lock(&to_answer.lock);
    struct waiting *next = to_answer.list;
    to_answer.list = NULL;
    pthread_mutex_unlock(&to_answer.lock);
    while (next != NULL) {
        struct waiting *w = next;
        next = w->next;
        w->durable = true;
        MHD_resume_connection(w->connection);
    }
}

static void serve_http(char *read, char *reserved, char **headers)
{
    static char nothing[] = "{}";
    read_response = response(read, headers);
    reserved_response = response(reserved, headers);
    other_response = response(nothing, headers);
    answer_event = eventfd(0, EFD_NONBLOCK);
    pthread_t thread;
    require(answer_event >= 0 && pthread_create(&thread, NULL, sync_main, NULL) == 0, "thread");
    /* clang-format off */
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, access_cb, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_anywhere(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_NOTIFY_COMPLETED, completed_cb, NULL,
        MHD_OPTION_END);
    /* clang-format on */
    require(daemon != NULL, "libmicrohttpd");
    struct pollfd waits[] = {
        {.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN},
        {.fd = answer_event, .events = POLLIN},
    };
    for (;;) {
        MHD_UNSIGNED_LONG_LONG ms = WAIT_MS;
        bool asked = MHD_get_timeout(daemon, &ms) == MHD_YES && ms < WAIT_MS;
        poll(waits, 2, asked ? (int)ms : WAIT_MS);
        eventfd_t events;
        if ((waits[1].revents & POLLIN) != 0 && eventfd_read(answer_event, &events) == 0) {
            resume_answered();
        }
        MHD_run(daemon);
    }
}

/*
 * stream
 */

#define BUFFER_BYTES 4096

struct peer {
    int fd;
    size_t len; /* of what came */
    char bytes[BUFFER_BYTES];
};

static int streams[CONNECTIONS_MAX];
static unsigned streams_len;
static uint64_t event_id;

static void send_text(int fd, const char *text, size_t len)
{
    ssize_t sent = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* who does not read loses it */
}

static void send_all(const char *body, size_t body_len)
{
    char frame[BUFFER_BYTES + 100];
    int len =
        snprintf(frame, sizeof(frame), "id: %llu\ndata: %.*s\n\n", (unsigned long long)++event_id, (int)body_len, body);
    for (unsigned i = 0; i < streams_len; i++) {
        send_text(streams[i], frame, (size_t)len);
    }
}

/* Takes one whole request from what came; returns its length, 0 while a part is missing. */
static size_t answer(struct peer *p)
{
    static const char opened[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    const char *end = memmem(p->bytes, p->len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    const char *body = end + 4;
    const char *length = memmem(p->bytes, (size_t)(body - p->bytes), "Content-Length: ", 16);
    size_t body_len = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
    if (body + body_len > p->bytes + p->len) {
        return 0;
    }
    if (p->bytes[0] == 'G') {
        require(streams_len < CONNECTIONS_MAX, "too many streams");
        streams[streams_len++] = p->fd;
        send_text(p->fd, opened, sizeof(opened) - 1);
    } else {
        send_all(body, body_len);
        send_text(p->fd, accepted, sizeof(accepted) - 1);
    }
    return (size_t)(body - p->bytes) + body_len;
}

/* A stream that ends is forgotten with the process. */
static void receive(struct peer *p)
{
    ssize_t len = recv(p->fd, p->bytes + p->len, sizeof(p->bytes) - p->len, 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN) {
            shutdown(p->fd, SHUT_RDWR);
        }
        return;
    }
    p->len += (size_t)len;
    for (size_t taken = answer(p); taken > 0; taken = answer(p)) {
        memmove(p->bytes, p->bytes + taken, p->len - taken);
        p->len -= taken;
    }
}

static void accept_all(int epoll_fd, int listen_fd)
{
    for (int fd; (fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int on = 1;
        struct peer *p = calloc(1, sizeof(*p));
        require(p != NULL && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, "connection");
        p->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = p};
        require(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        receive(p);
    }
}

static void serve_streams(void)
{
    int listen_fd = listen_anywhere();
    int epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    require(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0, "epoll_ctl");
    for (;;) {
        struct epoll_event events[128];
        int len = epoll_wait(epoll_fd, events, 128, -1);
        for (int i = 0; i < len; i++) {
            if (events[i].data.ptr == NULL) {
                accept_all(epoll_fd, listen_fd);
            } else {
                receive(events[i].data.ptr);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "http") == 0) {
        serve_http(argv[2], argv[3], argv + 4);
    } else if (argc == 2 && strcmp(argv[1], "stream") == 0) {
        serve_streams();
    }
    fprintf(stderr, "usage: bare http READ RESERVED [HEADER]... | bare stream\n");
    return 64;
}
