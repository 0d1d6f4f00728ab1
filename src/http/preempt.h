/*
 * Answers in place of libmicrohttpd where it would spoil its own.
 *
 * When a Content-Length is no number, or cookies do not fit in the connection's memory, libmicrohttpd 0.9.75 refuses
 * the request before it calls us, and writes the head of its answer twice: what should be one answer looks like two. It
 * logs the fault before it writes. That is our moment: we answer on the socket and close it for writing, so that its
 * own words go nowhere.
 */
#ifndef HTTP_PREEMPT_H
#define HTTP_PREEMPT_H

struct http_thread;

/* `message` is about to be logged; acts when it is about such a fault of a request of this thread. */
void preempt_message(struct http_thread *t, const char *message);

#endif
