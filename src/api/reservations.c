/* Reservations: make, get, list, and the transitions. */
#include "api/encode.h"
#include "api/read.h"
#include "api/write.h"

void api_create_reservation(struct exchange *x, void *app)
{
    write_post(x, app, COMMAND_RESERVE, &reservation_request, false, NULL);
}

static void transition(struct exchange *x, void *app, enum command_kind kind, const struct message *m)
{
    struct uuid id;
    if (api_path_uuid(x, 0, &id)) {
        write_post(x, app, kind, m, true, &id);
    }
}

void api_extend_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_EXTEND, &extend_request);
}

void api_commit_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_COMMIT, &empty_request);
}

void api_release_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_RELEASE, &empty_request);
}

void api_cancel_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_CANCEL, &empty_request);
}

void api_fulfill_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_FULFILL, &fulfill_request);
}

void api_return_reservation(struct exchange *x, void *app)
{
    transition(x, app, COMMAND_RETURN, &return_request);
}

/* Reads. */

static bool put_reservation_row(void *ctx, const struct reservation *row)
{
    struct read *r = ctx;
    encode_reservation_open(&r->body, row);
    buf_put_literal(&r->body, ",\"reservation_seq\":");
    buf_put_u64(&r->body, row->seq);
    buf_put_char(&r->body, '}');
    return true;
}

static enum err run_reservation(struct read *r, struct store_reader *reader)
{
    return reader->ops->reservation(reader, r->id, put_reservation_row, r);
}

void api_get_reservation(struct exchange *x, void *app)
{
    struct uuid id;
    if (!api_no_arguments(x) || !api_path_uuid(x, 0, &id)) {
        return;
    }
    struct read *r = read_new(x, app, run_reservation);
    r->id = id;
    read_start(r);
}

static bool list_reservation_row(void *ctx, const struct reservation *row)
{
    struct read *r = ctx;
    if (!read_row(r, r->arguments.limit)) {
        return false;
    }
    buf_clear(&r->next);
    cursor_put_seq(&r->next, row->seq);
    return put_reservation_row(r, row);
}

static enum err run_reservations(struct read *r, struct store_reader *reader)
{
    const struct reservation_filter filter = {
        .state = (enum reservation_state)r->arguments.state,
        .reference = r->arguments.reference,
        .after_seq = r->after_seq,
        .limit = r->arguments.limit + 1,
    };
    read_open(r);
    TRY(reader->ops->reservations(reader, &filter, list_reservation_row, r));
    read_close(r, r->arguments.limit);
    return ERR_OK;
}

void api_list_reservations(struct exchange *x, void *app)
{
    struct read *r = read_list(x, app, &reservations_query, run_reservations);
    if (r == NULL) {
        return;
    }
    struct str after = r->arguments.after;
    if (read_cursor_is_valid(r, str_is_absent(after) || cursor_parse_seq(after, &r->after_seq))) {
        read_start(r);
    }
}
