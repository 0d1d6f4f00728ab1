/*
 * A process that is a Kafka cluster of one broker: the mock cluster of librdkafka, which chooses a port by itself, on the
 * port that it is told. It keeps nothing when it ends.
 *
 *   bus_kafka_mock PORT
 */
#include "bus/kafka/kafka.h"

#include <arpa/inet.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARTITIONS 1024

static uint16_t port;
static atomic_bool ready;

/* These two stand in for those of libc, also within the library. */

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int yes = 1;
    if (address->sa_family != AF_INET) {
        return (int)syscall(SYS_bind, fd, address, len);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    return (int)syscall(SYS_bind, fd, &at, sizeof(at));
}

/* Nobody comes in before the topic is there, or it would be made with other partitions. */
int accept(int fd, struct sockaddr *address, socklen_t *len)
{
    if (!atomic_load(&ready)) {
        errno = EAGAIN;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, len, 0);
}

int main(int argc, char **argv)
{
    char why[256] = "";
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 64;
    }
    port = (uint16_t)strtoul(argv[1], NULL, 10);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    rd_kafka_mock_cluster_t *cluster = client != NULL ? rd_kafka_mock_cluster_new(client, 1) : NULL;
    if (cluster == NULL || rd_kafka_mock_topic_create(cluster, KAFKA_TOPIC, PARTITIONS, 1) != 0) {
        fprintf(stderr, "cannot start the mock cluster on port %u: %s\n", (unsigned)port, why);
        return 1;
    }
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    atomic_store(&ready, true);
    for (;;) {
        pause();
    }
}
