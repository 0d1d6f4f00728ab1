/*
 * The bus within one process: a bounded queue of copied messages under a mutex.
 *
 * A copy is one block of memory holding the rows and their strings, reused when it is given back. Nothing in it points
 * into the ledger, which may be reloaded while a message is on its way.
 *
 * A full bus holds up its publisher. That is wanted: it slows the sequencer, and through its queue the clients, before
 * anything piles up here.
 */
#ifndef BUS_LOCAL_LOCAL_H
#define BUS_LOCAL_LOCAL_H

#include "bus/bus.h"

/* Holds up to `messages_max` (1..) undelivered messages, each as large as its batch. Freed with bus_free. */
struct bus *bus_local_new(size_t messages_max);

#endif
