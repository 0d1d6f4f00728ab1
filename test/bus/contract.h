/* The contract of bus.h as tests, run on every backend that goes over a broker. */
#ifndef TEST_BUS_CONTRACT_H
#define TEST_BUS_CONTRACT_H

#include "broker.h"
#include "bus/bus.h"
#include "test.h"

struct bus_contract {
    const char *name;      /* of the group of tests */
    struct broker *broker; /* runs before each test */
    /* One end at the broker, whether it runs or not. */
    struct bus *(*open)(const struct broker *b, enum bus_end end, uint32_t partition, const char *node);
    /* How many events the broker keeps, of all partitions or more, but of nobody else. It runs. */
    uint64_t (*stored)(const struct broker *b, uint32_t partition);
    /* Puts bytes where the events of the partition go. */
    void (*put)(const struct broker *b, uint32_t partition, struct str bytes);
};

/* Returns the number of failures. */
int bus_contract_run(const struct bus_contract *c);

#endif
