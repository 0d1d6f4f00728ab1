#include "api/forward_probe.h"

#define SET(p, option, value)                                                \
    do {                                                                     \
        CURLcode set = curl_easy_setopt((p)->easy, CURLOPT_##option, value); \
        check(set == CURLE_OK);                                              \
    } while (0)

static size_t ignore_cb(char *bytes, size_t one, size_t len, void *ctx)
{
    (void)bytes;
    (void)one;
    (void)ctx;
    return len;
}

static void probe_open(struct forward_probe *p, const struct forwarder_limits *limits)
{
    p->easy = curl_easy_init();
    check(p->easy != NULL);
    SET(p, PRIVATE, p);
    SET(p, WRITEFUNCTION, ignore_cb);
    SET(p, NOSIGNAL, 1L);
    SET(p, PROXY, "");
    SET(p, PROTOCOLS_STR, "http,https");
    SET(p, REQUEST_TARGET, "/livez");
    SET(p, TIMEOUT_MS, (long)limits->probe_answer_ms);
}

void forward_probe_begin(
    struct forward_probe *p,
    CURLM *multi,
    struct forward_targets *targets,
    struct forward_target *at,
    const struct forwarder_limits *limits)
{
    check(p->targets == NULL);
    if (p->easy == NULL) {
        probe_open(p, limits);
    }
    p->targets = targets;
    p->at = at;
    SET(p, URL, at->url);
    CURLMcode added = curl_multi_add_handle(multi, p->easy);
    check(added == CURLM_OK);
}

bool forward_probe_end(struct forward_probe *p, CURLM *multi, CURLcode result, struct forward_targets **out_targets)
{
    CURLMcode removed = curl_multi_remove_handle(multi, p->easy);
    check(removed == CURLM_OK);
    *out_targets = p->targets;
    p->targets = NULL;
    return result == CURLE_OK;
}

void forward_probe_close(struct forward_probe *p)
{
    check(p->targets == NULL);
    curl_easy_cleanup(p->easy);
}
