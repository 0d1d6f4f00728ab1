/*
 * A server that forwards reads of availability and reservations, to measure what that costs beside asking directly:
 *
 *   build/onhand serve --data D --port 8080 &
 *   build/test/api/forward_bench http://127.0.0.1:8080 8090 &        until it is killed
 *   build/onhand bench read --url http://127.0.0.1:8080              sets up, and asks directly
 *   build/onhand bench read --url http://127.0.0.1:8090 --path /v1/availability/bench-0000001
 */
#include "api/forward.h"
#include "base/limits.h"
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void forward_all(struct exchange *x, void *app)
{
    forward(app, x);
}

static const struct route routes[] = {
    {HTTP_GET, "/v1/availability/{sku}", "read", forward_all, 0},
    {HTTP_GET, "/livez", "livez", forward_all, 0},
    {HTTP_POST, "/v1/reservations", "reserve", forward_all, BODY_BYTES_MAX},
    {HTTP_POST, "/v1/batch", "batch", forward_all, BATCH_BODY_BYTES_MAX},
};

int main(int argc, char **argv)
{
    struct err_note note = {.text = ""};
    struct forwarder *f;
    struct http_server *server;
    if (argc != 3) {
        fprintf(stderr, "usage: %s URL PORT\n", argv[0]);
        return 64;
    }
    if (forwarder_start(&f, &note) != ERR_OK) {
        fprintf(stderr, "%s\n", note.text);
        return 1;
    }
    forwarder_aim(f, argv[1]);
    const struct http_options options = {
        .host = "127.0.0.1",
        .port = (uint16_t)strtoul(argv[2], NULL, 10),
        .threads = 1,
        .connections_max = 4096,
        .routes = routes,
        .routes_len = ARRAY_LEN(routes),
        .app = f,
    };
    if (http_start(&options, &server, &note) != ERR_OK) {
        fprintf(stderr, "%s\n", note.text);
        return 1;
    }
    for (;;) {
        pause();
    }
}
