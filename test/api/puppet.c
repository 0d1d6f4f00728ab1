#include "puppet.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 10

static int listen_on(uint16_t port, uint16_t *out_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    check(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    int bound = bind(fd, (const struct sockaddr *)&at, sizeof(at));
    check(bound == 0);
    int listens = listen(fd, 512);
    int named = getsockname(fd, (struct sockaddr *)&at, &len);
    check(listens == 0 && named == 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

uint16_t puppet_dead_port(void)
{
    uint16_t port;
    close(listen_on(0, &port));
    return port;
}

/* Of the head and the body together; 0: the head is not complete. */
static size_t request_len(const struct buf *in)
{
    const char *end = in->len > 0 ? memmem(in->ptr, in->len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - in->ptr) + 4;
    for (const char *line = in->ptr; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            return head + strtoul(line + 15, NULL, 10);
        }
    }
    return head;
}

static void send_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0) {
            check(errno == EPIPE || errno == ECONNRESET); /* it does not wait any more */
            return;
        }
        bytes.ptr += sent;
        bytes.len -= (size_t)sent;
    }
}

static void drop(struct puppet *p, struct puppet_connection *c, bool reset)
{
    const struct linger hard = {.l_onoff = reset, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(c->fd);
    buf_release(&c->in);
    *c = p->at[--p->len];
}

/* All of this under the lock. */
static void perform(struct puppet *p, struct puppet_connection *c)
{
    enum puppet_act act = p->acts[0];
    if (p->acts_len > 1) {
        p->acts_len--;
        memmove(p->acts, p->acts + 1, p->acts_len * sizeof(p->acts[0]));
    }
    struct str answer = buf_str(&p->answer);
    switch (act) {
    case PUPPET_ANSWER:
        send_all(c->fd, answer);
        return;
    case PUPPET_SILENT:
        c->owes = true;
        return;
    case PUPPET_CUT:
        answer.len = p->cut;
        send_all(c->fd, answer);
        break;
    case PUPPET_CLOSE:
    case PUPPET_RESET:
        break;
    }
    drop(p, c, act == PUPPET_RESET);
}

static void take_request(struct puppet *p, struct puppet_connection *c)
{
    size_t len = request_len(&c->in);
    if (len == 0 || c->in.len < len) {
        return;
    }
    buf_clear(&p->last);
    buf_put(&p->last, c->in.ptr, len);
    buf_put_char(&p->last, '\0');
    p->last.len--;
    check(c->in.len == len); /* nobody pipelines */
    buf_clear(&c->in);
    p->requests++;
    pthread_cond_broadcast(&p->changed);
    perform(p, c);
}

static void read_some(struct puppet *p, struct puppet_connection *c)
{
    buf_reserve(&c->in, 65536);
    ssize_t got = recv(c->fd, c->in.ptr + c->in.len, 65535, 0);
    if (got <= 0) {
        drop(p, c, false);
        return;
    }
    c->in.len += (size_t)got;
    c->in.ptr[c->in.len] = '\0';
    take_request(p, c);
}

static void accept_one(struct puppet *p)
{
    int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    check(p->len < PUPPET_CONNECTIONS_MAX);
    struct puppet_connection *c = &p->at[p->len++];
    c->fd = fd;
    c->owes = false;
    buf_init(&c->in, SIZE_MAX);
    p->connections++;
    p->connected_most = p->len > p->connected_most ? p->len : p->connected_most;
}

static void pay_debts(struct puppet *p)
{
    for (unsigned i = 0; i < p->len; i++) {
        if (p->at[i].owes) {
            p->at[i].owes = false;
            send_all(p->at[i].fd, buf_str(&p->answer));
        }
    }
}

static unsigned gather(struct puppet *p, struct pollfd *out)
{
    out[0] = (struct pollfd){.fd = p->wake_fds[0], .events = POLLIN};
    out[1] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
    for (unsigned i = 0; i < p->len; i++) {
        out[2 + i] = (struct pollfd){.fd = p->at[i].fd, .events = POLLIN};
    }
    return 2 + p->len;
}

static void serve(struct puppet *p, const struct pollfd *polled, unsigned len)
{
    char bytes[64];
    if (polled[0].revents != 0) {
        ssize_t got = read(p->wake_fds[0], bytes, sizeof(bytes));
        check(got > 0);
    }
    if (p->speak) {
        p->speak = false;
        pay_debts(p);
    }
    for (unsigned i = len; i-- > 2;) { /* backwards: the last one takes the place of one that is dropped */
        if (polled[i].revents != 0) {
            read_some(p, &p->at[i - 2]);
        }
    }
    if (polled[1].revents != 0) {
        accept_one(p);
    }
}

static void *puppet_main(void *arg)
{
    struct puppet *p = arg;
    struct pollfd polled[2 + PUPPET_CONNECTIONS_MAX];
    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        unsigned len = gather(p, polled);
        pthread_mutex_unlock(&p->lock);
        int ready = poll(polled, len, -1);
        check(ready > 0);
        pthread_mutex_lock(&p->lock);
        serve(p, polled, len);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void wake(struct puppet *p)
{
    ssize_t put = write(p->wake_fds[1], "", 1);
    check(put == 1);
}

void puppet_start(struct puppet *p, uint16_t port)
{
    memset(p, 0, sizeof(*p));
    p->listen_fd = listen_on(port, &p->port);
    int piped = pipe2(p->wake_fds, O_CLOEXEC);
    check(piped == 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    buf_init(&p->answer, SIZE_MAX);
    buf_init(&p->last, SIZE_MAX);
    p->acts_len = 1;
    puppet_answer(p, STR("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"));
    int failed = pthread_create(&p->thread, NULL, puppet_main, p);
    check(failed == 0);
}

void puppet_stop(struct puppet *p)
{
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_mutex_unlock(&p->lock);
    wake(p);
    pthread_join(p->thread, NULL);
    while (p->len > 0) {
        drop(p, &p->at[0], false);
    }
    close(p->listen_fd);
    close(p->wake_fds[0]);
    close(p->wake_fds[1]);
    buf_release(&p->answer);
    buf_release(&p->last);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

void puppet_act_then(struct puppet *p, enum puppet_act first, enum puppet_act then)
{
    pthread_mutex_lock(&p->lock);
    p->acts[0] = first;
    p->acts[1] = then;
    p->acts_len = 2;
    pthread_mutex_unlock(&p->lock);
}

void puppet_act(struct puppet *p, enum puppet_act act)
{
    puppet_act_then(p, act, act);
}

void puppet_answer(struct puppet *p, struct str answer)
{
    pthread_mutex_lock(&p->lock);
    buf_clear(&p->answer);
    buf_put_str(&p->answer, answer);
    pthread_mutex_unlock(&p->lock);
}

void puppet_cut(struct puppet *p, size_t len)
{
    pthread_mutex_lock(&p->lock);
    check(len < p->answer.len);
    p->acts[0] = PUPPET_CUT;
    p->acts_len = 1;
    p->cut = len;
    pthread_mutex_unlock(&p->lock);
}

void puppet_speak(struct puppet *p)
{
    pthread_mutex_lock(&p->lock);
    p->acts[0] = PUPPET_ANSWER;
    p->acts_len = 1;
    p->speak = true;
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

void puppet_await(struct puppet *p, unsigned requests)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int failed = 0;
    pthread_mutex_lock(&p->lock);
    while (failed == 0 && p->requests < requests) {
        failed = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    }
    unsigned got = p->requests;
    pthread_mutex_unlock(&p->lock);
    assert_int_equal(got, requests);
}

unsigned puppet_requests(struct puppet *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned requests = p->requests;
    pthread_mutex_unlock(&p->lock);
    return requests;
}
