/*
 * Writes JSON piece by piece; commas come by themselves.
 */
#ifndef DESCRIBE_JS_H
#define DESCRIBE_JS_H

#include "base/buf.h"

/* '{' or '['. */
void js_open(struct buf *b, char bracket);
void js_close(struct buf *b, char bracket);
/* The name of the next member. */
void js_name(struct buf *b, const char *name);

void js_text(struct buf *b, const char *text);
void js_number(struct buf *b, int64_t number);
void js_bool(struct buf *b, bool value);
/* JSON as it is. */
void js_raw(struct buf *b, const char *json);

void js_text_member(struct buf *b, const char *name, const char *text);
void js_number_member(struct buf *b, const char *name, int64_t number);
void js_object_member(struct buf *b, const char *name); /* opens it */
void js_array_member(struct buf *b, const char *name);  /* opens it */
/* `{"$ref":"#/components/<kind>/<name>"}` */
void js_ref(struct buf *b, const char *kind, const char *name);

#endif
