/* The contract on PostgreSQL, each test on an empty database. */
#include "contract.h"

#include "base/mem.h"
#include "pg_server.h"
#include "store/postgres/postgres.h"

#include <stdio.h>

static struct pg_server server;

static int setup(void **state)
{
    struct contract *c = mem_new(sizeof(*c));
    struct err_note note = {""};
    *state = c;
    pg_server_exec(&server, "DROP SCHEMA IF EXISTS onhand CASCADE");
    if (store_postgres_open(server.url, 0, false, &c->store, &note) != ERR_OK) {
        print_error("%s\n", note.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct contract *c = *state;
    store_free(c->store);
    mem_free(c);
    return 0;
}

int main(void)
{
    if (!pg_server_is_there()) {
        fprintf(stderr, "PostgreSQL 15 is not installed (apt-get install postgresql-15)\n");
        return 1;
    }
    pg_server_make(&server, "");
    int failed = contract_run("store contract: postgres", setup, teardown);
    pg_server_remove(&server);
    return failed;
}
